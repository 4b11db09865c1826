"""What LiteRT made of the same source, as a Record holds it: for comparison, nothing of it ships."""

from typing import Literal

from pydantic import NonNegativeInt

from coreml_gate.record.comparison import Comparison, MetricValue
from coreml_gate.record.measured import Measured


class LiteRtFacts(Measured):
    """The source converted by ``litert-torch`` and run by ``ai-edge-litert`` on the CPU, in float32."""

    status: Literal["measured", "not-installed", "failed"]
    message: str = ""
    """What is not installed, or LiteRT's own words."""
    versions: str = ""
    """``litert-torch 0.10.0, ai-edge-litert 2.3.0``."""
    size_bytes: NonNegativeInt | None = None
    """Of the ``.tflite`` file."""
    against_source: tuple[Comparison, ...] = ()
    metrics: tuple[MetricValue, ...] = ()
