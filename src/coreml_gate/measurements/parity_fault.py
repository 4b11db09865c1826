"""Finds why the float32 package differs from its source: the operation, the pass, the other route."""

from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.diagnose.budget import DiagnosisBudget
from coreml_gate.measurements import half_precision
from coreml_gate.record import FirstWrong, ParityDiagnosis

if TYPE_CHECKING:
    from coreml_gate.config.limits import ParityLimits
    from coreml_gate.measurements.bench import Bench
    from coreml_gate.measurements.reference import Reference

PARTS: Final = (ParityDiagnosis,)
STEPS: Final = half_precision.STEPS
CHILD: Final = "model"
ended = half_precision.ended
_SAMPLES: Final = 4
"""Samples on which a usual mistake must explain the difference; each mistake is tried on the source."""
_STEADY: Final = (
    "keep what lasts from call to call in a registered buffer, draw random numbers by torch, or leave both "
    "out in eval mode"
)


def wanted(_: ModelJob) -> bool:
    """Always; the measured numbers decide whether there is a fault to find."""
    return True


def run(bench: "Bench", log: EventLog) -> None:
    """Locate the fault on the worst sample; for a team's package, try the usual mistakes of scripts."""
    from coreml_gate.diagnose.parity_diagnosis import diagnose_parity
    from coreml_gate.diagnose.parity_failure import Failure

    packages, reference = bench.packages, bench.reference
    if packages is None or not bench.suspects:
        return
    bench.release()  # the diagnosis loads its own programs
    log.begin("diagnose")
    if packages.route == "none":
        _of_a_team(bench, log)
        return
    suspect, route, job = bench.suspects[0], packages.route_taken, bench.job
    if not _is_steady(reference, job.model.limits.parity):
        found = FirstWrong(unsteady=True, hint=_STEADY)
        log.put(ParityDiagnosis(found_on=suspect.found_on, sample=suspect.index, first_wrong=found))
        return
    failure = Failure(reference.source, reference.samples, job.model, job.folder, route, suspect)
    budget = DiagnosisBudget(job.model.diagnose_budget_s, log.begin, advance=log.advance)
    log.put(diagnose_parity(failure, budget, log.put))


def _of_a_team(bench: "Bench", log: EventLog) -> None:
    """Explain a script's package by a usual mistake, because it need not match the source's operations."""
    from coreml_gate.diagnose.computed_instead import computed_instead

    reference, suspect = bench.reference, bench.suspects[0]
    if reference.engine is None or bench.mil is None or not bench.failing:
        return
    samples = reference.samples.samples[:_SAMPLES]
    found = [bench.mil.wide.run(sample) for sample in samples]
    images = {item.name: item.image for item in bench.job.model.input if item.image is not None}
    instead = computed_instead(reference.engine, samples, reference.outputs[:_SAMPLES], found, images)
    if instead is not None:
        cause = FirstWrong(hint=instead.hint)
        log.put(
            ParityDiagnosis(
                found_on=suspect.found_on, sample=suspect.index, first_wrong=cause, instead=instead.what
            )
        )


def _is_steady(reference: "Reference", limits: "ParityLimits") -> bool:
    """Whether the source gives the same outputs a second time."""
    from coreml_gate.comparing.compare import comparisons
    from coreml_gate.criteria import has_parity

    runs = enumerate(zip(reference.outputs, reference.again, strict=True))
    return all(has_parity(comparisons(before, after, index), limits) for index, (before, after) in runs)
