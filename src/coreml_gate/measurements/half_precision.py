"""Diagnoses what half precision breaks, and searches the smallest repair."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.diagnose.budget import STAGES, DiagnosisBudget
from coreml_gate.errors import GateError
from coreml_gate.frozen import changed
from coreml_gate.measurements.measurement import sentence
from coreml_gate.record import ChildEnding, Diagnosis, HalfMode

if TYPE_CHECKING:
    from coreml_gate.diagnose.repair import HalfPrecisionCase
    from coreml_gate.measurements.bench import Bench
    from coreml_gate.measurements.reference import Packages

PARTS: Final = (Diagnosis,)
STEPS: Final[Mapping[str, str]] = {"diagnose": "looking for what half precision breaks", **STAGES}
CHILD: Final = "model"
REPAIRED: Final = "repaired"


def wanted(_: ModelJob) -> bool:
    """Always; the measured numbers decide how much there is to diagnose."""
    return True


def run(bench: "Bench", log: EventLog) -> None:
    """Diagnose packages in half precision; a failed diagnosis does not affect other measurements."""
    from coreml_gate.criteria import keeps_precision
    from coreml_gate.diagnose.diagnosis import RepairRequest, diagnose, is_needed

    packages, runs = bench.packages, bench.runs
    if packages is None or runs is None:
        return
    bench.release()  # the diagnosis loads its own programs
    if bench.job.model.precision != "float16" and packages.origins is not None:
        return
    case = half_precision_case(bench, packages)
    failed = not keeps_precision(runs.precision, case.limits)
    if not is_needed(case, runs.ranges, failed=failed):
        log.put(Diagnosis())
        return
    log.begin("diagnose")
    mode, note = _repair_in(case, packages, bench, failed=failed)
    request = RepairRequest(mode, lambda patterns: _convert_again(bench, packages, patterns), note)
    budget = DiagnosisBudget(bench.job.model.diagnose_budget_s, log.begin, advance=log.advance)
    try:
        log.put(diagnose(case, runs.ranges, request, budget, log.put))
    except GateError as error:
        log.put(Diagnosis(note=error.message))


def ended(ending: ChildEnding, job: ModelJob) -> Diagnosis:
    """A diagnosis that only says what happened: everything that is judged was already measured."""
    return Diagnosis(note=sentence(ending, job, STEPS.get(ending.phase, STEPS["diagnose"])))


def half_precision_case(bench: "Bench", packages: "Packages") -> "HalfPrecisionCase":
    """The case to diagnose; a package without a float32 twin is its own twin."""
    from coreml_gate.conversion.origins import Origin, read_origins
    from coreml_gate.diagnose.repair import HalfPrecisionCase
    from coreml_gate.mil.to_float32 import half_operations, widened

    wide, origins = packages.wide, read_origins(packages.origins)
    if packages.origins is None:
        wide = widened(packages.shipped)
        origins = {name: Origin(variable=name) for name in half_operations(packages.shipped)}
    config, reference = bench.job.model, bench.reference
    return HalfPrecisionCase(
        wide,
        packages.shipped,
        origins,
        bench.inputs,
        config.limits.precision,
        kept=config.keep_fp32,
        floors=tuple(reference.known_floors.get(name, 0.0) for name in reference.output_names or ()),
    )


def _convert_again(bench: "Bench", packages: "Packages", patterns: tuple[str, ...]) -> Path:
    from coreml_gate.conversion.shipped import convert_shipped

    config, reference = changed(bench.job.model, keep_fp32=patterns), bench.reference
    folder = bench.job.folder / REPAIRED
    return convert_shipped(reference.source, reference.samples, config, folder, packages.route_taken)[0]


def _repair_in(
    case: "HalfPrecisionCase", packages: "Packages", bench: "Bench", *, failed: bool
) -> tuple[HalfMode | None, str]:
    """The mode in which to search a repair, or why there is none; ``neural-engine`` if ``fp16`` passes."""
    if not failed:
        return (None if packages.origins is None else "neural-engine"), ""
    note = _why_no_repair(case, packages, bench)
    return (None if note else "fp16"), note


def _why_no_repair(case: "HalfPrecisionCase", packages: "Packages", bench: "Bench") -> str:
    """Why no repair is searched: a package as the source, a team's conversion, or compression; else empty."""
    from coreml_gate.criteria import keeps_precision
    from coreml_gate.diagnose.repair import Trial

    if bench.reference.given is not None:
        return "no repair: the package is taken as it is; name its source, and keep-fp32 can be searched."
    if packages.origins is None:
        return "no repair: your own conversion made the package, and keep-fp32 is an option of the gate's."
    compressed = bench.job.model.compress is not None
    if compressed and keeps_precision(Trial(case).compared(frozenset()), case.limits):
        return (
            "no repair: with uncompressed weights half precision passes, so it is the compression that costs."
        )
    return ""
