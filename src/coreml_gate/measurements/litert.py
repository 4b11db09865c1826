"""Runs the same source through LiteRT, for comparison."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.errors import GateError
from coreml_gate.measurements.measurement import sentence
from coreml_gate.record import ChildEnding, LiteRtFacts

if TYPE_CHECKING:
    from coreml_gate.conversion.litert import LiteRt
    from coreml_gate.measurements.bench import Bench

PARTS: Final = (LiteRtFacts,)
STEPS: Final[Mapping[str, str]] = {"litert": "running the source through LiteRT"}
CHILD: Final = "model"
FOLDER: Final = "litert"


def wanted(job: ModelJob) -> bool:
    """Whether `litert` is on; a variant is compared with its model, not with LiteRT."""
    return job.model.litert and job.variant_of is None


def run(bench: "Bench", log: EventLog, litert: "LiteRt | None" = None) -> None:
    """Convert, compare with the source and evaluate; a failure is never a problem of the model.

    ``litert`` replaces the installed packages.
    """
    from coreml_gate.conversion.litert import missing

    log.begin("litert")
    if litert is None and (absent := missing()):
        message = f"{' and '.join(absent)} not installed: `pip install {' '.join(absent)}`."
        log.put(LiteRtFacts(status="not-installed", message=message))
    elif not bench.reference.outputs or bench.reference.source.kind == "torchscript":
        log.put(LiteRtFacts(status="failed", message="LiteRT converts torch modules and programs only."))
    else:
        log.put(_facts(bench, litert))


def ended(ending: ChildEnding, job: ModelJob) -> LiteRtFacts:
    """A failed comparison, which does not concern the shipped package."""
    return LiteRtFacts(status="failed", message=sentence(ending, job, STEPS["litert"]))


def _facts(bench: "Bench", litert: "LiteRt | None") -> LiteRtFacts:
    from coreml_gate.conversion.litert import installed

    try:
        return _measured(bench, installed() if litert is None else litert)
    except GateError as error:
        return LiteRtFacts(status="failed", message=error.message)
    except Exception as error:  # noqa: BLE001  # LiteRT documents no exceptions, its words are in the text
        first = next(iter(str(error).strip().splitlines()), "")
        return LiteRtFacts(status="failed", message=f"{type(error).__name__}: {first}"[:500])


def _measured(bench: "Bench", litert: "LiteRt") -> LiteRtFacts:
    from coreml_gate.comparing.compare import compare_all
    from coreml_gate.conversion.litert import convert_to_litert, load_litert

    reference, job = bench.reference, bench.job
    samples = reference.samples.samples
    path = convert_to_litert(litert, reference.source, samples[0], job.folder / FOLDER)
    engine = load_litert(litert, path, tuple(reference.outputs[0]))
    answers = [engine.run(sample) for sample in samples]
    return LiteRtFacts(
        status="measured",
        versions=litert.versions,
        size_bytes=path.stat().st_size,
        against_source=compare_all(reference.outputs, answers, ("source", "litert")),
        metrics=reference.metrics_of((engine,), bench.advance),
    )
