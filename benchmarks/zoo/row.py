"""What is measured of one model: the child process writes it, the table reads it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Variant = Literal["eager", "fp32", "fp16", "onnx"]
"""Who computes: torch eager, our runtime in one of its modes, or ONNX Runtime."""


class Parity(BaseModel):
    """How far a package is from its source, the worst of all outputs and samples."""

    model_config = ConfigDict(frozen=True)

    psnr: float | None
    """In dB; ``None`` when every output is bit-equal."""
    relative_error: float
    """Greatest difference, divided by the greatest magnitude of that output."""


class Row(BaseModel):
    """One line of the table; what could not be measured is ``None`` or absent, and ``failures`` says why."""

    model_config = ConfigDict(frozen=True)

    model: str
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What the conversion had to say: why the first route was not taken."""
    parameters: int | None = None
    route: str = ""
    conversion_seconds: float | None = None
    operations: int | None = None
    package_bytes: int | None = None
    parity: dict[Literal["fp32", "fp16"], Parity] = {}
    milliseconds: dict[Variant, float] = {}
    """Median time of one run."""
    ratios: dict[Variant, float] = {}
    """Median over the rounds of the time divided by torch eager's in the same round."""
    fp16_to_fp32: float | None = None
    """Median over the rounds, as ``ratios``."""
    load_seconds: dict[Literal["fp32", "fp16"], float] = {}
    peak_bytes: dict[Variant, int] = {}
    """Resident memory while loading and running, above what the imports hold."""
