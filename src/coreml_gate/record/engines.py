"""Results of other engines on the same source, as stored in a Record; for comparison only."""

from typing import ClassVar, Literal

from pydantic import NonNegativeInt

from coreml_gate.record.base import Part
from coreml_gate.record.comparison import Comparison, MetricValue


class EngineFacts(Part):
    """The source converted for another engine and run by it."""

    status: Literal["measured", "not-installed", "failed"]
    message: str = ""
    """What is not installed, or the engine's own error."""
    versions: str = ""
    """``litert-torch 0.10.0, ai-edge-litert 2.3.0``."""
    size_bytes: NonNegativeInt | None = None
    """Size of the file that the engine runs."""
    against_source: tuple[Comparison, ...] = ()
    metrics: tuple[MetricValue, ...] = ()


class LiteRtFacts(EngineFacts):
    """The source converted by ``litert-torch`` and run by ``ai-edge-litert`` on the CPU, in float32."""

    FIELD: ClassVar[str] = "litert"
