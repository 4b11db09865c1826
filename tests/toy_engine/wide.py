"""The source in float64: an engine that only the tests know, measured as any other engine is."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.measurements.measurement import sentence
from coreml_gate.record import ChildEnding, EngineFacts, WrappedPart

if TYPE_CHECKING:
    import torch

    from coreml_gate.engines.engine import Outputs, Sample
    from coreml_gate.measurements.bench import Bench

NAME: Final = "wide"


class WideFacts(WrappedPart[EngineFacts]):
    """The source computed in float64."""

    FIELD = NAME


PARTS: Final = (WideFacts,)
STEPS: Final[Mapping[str, str]] = {"widen": "running the source in float64"}
CHILD: Final = "model"


@dataclass(frozen=True)
class WideEngine:
    """A module in float64."""

    module: "torch.nn.Module"
    names: tuple[str, ...]
    side: str = NAME

    def run(self, sample: "Sample") -> "Outputs":
        """Compute one sample."""
        output = self.module(*(value.double() for value in sample.values()))
        return {self.names[0]: output.detach().numpy()}


def wanted(job: ModelJob) -> bool:
    """Always, but for variants."""
    return job.variant_of is None


def run(bench: "Bench", log: EventLog) -> None:
    """Compare the source with itself in float64."""
    from coreml_gate.comparing.compare import compare_all  # noqa: PLC0415 - as every measurement does

    log.begin("widen")
    reference = bench.reference
    engine = WideEngine(copy.deepcopy(reference.source.runnable).double(), reference.output_names or ())
    outputs = [engine.run(sample) for sample in reference.samples.samples]
    compared = compare_all(reference.outputs, outputs, ("source", NAME))
    log.put(WideFacts(EngineFacts(status="measured", versions="float64 1.0", against_source=compared)))


def ended(ending: ChildEnding, job: ModelJob) -> WideFacts:
    """It is not part of what ships."""
    return WideFacts(EngineFacts(status="failed", message=sentence(ending, job, STEPS["widen"])))
