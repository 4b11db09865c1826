"""Measures the error and the range of every operation, for the page's charts and its program view."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.errors import GateError
from coreml_gate.frozen import changed
from coreml_gate.measurements.measurement import sentence
from coreml_gate.record import ChildEnding, OperationProfile

if TYPE_CHECKING:
    from coreml_gate.measurements.bench import Bench

PARTS: Final = (OperationProfile,)
STEPS: Final[Mapping[str, str]] = {"profile": "measuring the error of every operation"}
CHILD: Final = "model"
_LARGE_BYTES: Final = 80_000_000
"""Bytes of float32 weights, 20 million parameters. Measuring errors takes more copies of them and several
runs, and the chart of a model that passes explains nothing."""
_LEFT_OUT: Final = (
    "the errors of single operations are left out: the package passes, and its float32 weights have "
    f"{_LARGE_BYTES / 1e6:.0f} MB or more."
)


def wanted(job: ModelJob) -> bool:
    """Whether the job is for the shipped package; a variant is compared only by its outputs."""
    return job.variant_of is None


def run(bench: "Bench", log: EventLog) -> None:
    """Run the worst sample in half precision once more, in each mode; nothing is judged by it."""
    from coreml_gate.criteria import keeps_precision
    from coreml_gate.diagnose.operation_profile import operation_profile
    from coreml_gate.measurements.half_precision import half_precision_case

    packages, runs = bench.packages, bench.runs
    if packages is None or runs is None:
        return
    log.begin("profile")
    case = half_precision_case(bench, packages)
    if packages.wide.weight_bytes >= _LARGE_BYTES and keeps_precision(runs.precision, case.limits):
        log.put(changed(operation_profile(case, runs.ranges, None), note=_LEFT_OUT))
        return
    by_psnr = ((each.psnr, each.sample) for each in runs.precision if each.psnr is not None)
    _, worst = min(by_psnr, default=(0.0, 0))
    try:
        log.put(operation_profile(case, runs.ranges, case.inputs[worst]))
    except GateError as error:
        log.put(OperationProfile(note=error.message))


def ended(ending: ChildEnding, job: ModelJob) -> OperationProfile:
    """A profile that only says what happened: everything that is judged was already measured."""
    return OperationProfile(note=sentence(ending, job, STEPS["profile"]))
