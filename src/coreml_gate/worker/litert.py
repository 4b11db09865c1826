"""The last step of a child, if a model asks for it: the same source through LiteRT."""

from coreml_gate.convert.litert import LiteRt, convert_to_litert, installed, load_litert, missing
from coreml_gate.errors import GateError
from coreml_gate.measure.compare import compare
from coreml_gate.measure.evaluate import evaluate
from coreml_gate.record import LiteRtFacts, MetricValue
from coreml_gate.worker.events import EventLog
from coreml_gate.worker.job import Job
from coreml_gate.worker.steps import Outcome

FOLDER = "litert"


def measure_litert(job: Job, outcome: Outcome, log: EventLog, litert: LiteRt | None = None) -> None:
    """Convert, compare with the source and evaluate; whatever goes wrong is no problem of the model."""
    if not job.model.litert:
        return
    log.begin("litert")
    if litert is None and (absent := missing()):
        message = f"{' and '.join(absent)} not installed: `pip install {' '.join(absent)}`."
        log.update(litert=LiteRtFacts(status="not-installed", message=message))
    elif not outcome.expected.outputs or outcome.expected.source.kind == "torchscript":
        log.update(
            litert=LiteRtFacts(status="failed", message="LiteRT converts torch modules and programs only.")
        )
    else:
        log.update(litert=_facts(job, outcome, litert))


def _facts(job: Job, outcome: Outcome, litert: LiteRt | None) -> LiteRtFacts:
    try:
        return _measured(job, outcome, installed() if litert is None else litert)
    except GateError as error:
        return LiteRtFacts(status="failed", message=error.message)
    except Exception as error:  # noqa: BLE001  # LiteRT documents no exceptions, its words are in the text
        first = next(iter(str(error).strip().splitlines()), "")
        return LiteRtFacts(status="failed", message=f"{type(error).__name__}: {first}"[:500])


def _measured(job: Job, outcome: Outcome, litert: LiteRt) -> LiteRtFacts:
    expected = outcome.expected
    samples = expected.samples.samples
    path = convert_to_litert(litert, expected.source, samples[0], job.folder / FOLDER)
    engine = load_litert(litert, path, tuple(expected.outputs[0]))
    answers = [engine.run(sample) for sample in samples]
    metrics: tuple[MetricValue, ...] = ()
    if job.model.evaluate is not None:
        metrics = evaluate(job.model.evaluate, job.root, (engine,), expected.samples.names)
    return LiteRtFacts(
        status="measured",
        versions=litert.versions,
        size_bytes=path.stat().st_size,
        against_source=tuple(
            compare(name, index, reference[name], answer[name], ("source", "litert"))
            for index, (reference, answer) in enumerate(zip(expected.outputs, answers, strict=True))
            for name in reference
        ),
        metrics=metrics,
    )
