"""The form of every part of a Record, and who computed its numbers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Side = Literal["source", "fp32", "fp16", "neural-engine", "core-ml", "stand-in", "litert"]
"""Who computed: the source, our MIL runtime in a numeric mode, Core ML, what stands in for it, LiteRT."""


class Measured(BaseModel):
    """The form of every part of a Record: frozen, closed, finite."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        ser_json_inf_nan="null",
    )
