"""Reads the facts of a package that need no run: sizes, interface, program, rules, likely placement."""

from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.measurements.measurement import problem_of_ending
from coreml_gate.record import (
    ChildEnding,
    CompressionFacts,
    PackageFacts,
    Placement,
    Problem,
    RuleMatch,
    WrappedPart,
)

if TYPE_CHECKING:
    from coreml_gate.measurements.bench import Bench


class Outline(WrappedPart[tuple[str, ...]]):
    """The program of the package, one line per operation."""

    FIELD = "outline"


class RuleMatches(WrappedPart[tuple[RuleMatch, ...]]):
    """The known pitfalls found."""

    FIELD = "rules"


class PredictedPlacement(WrappedPart[Placement]):
    """Where Core ML is likely to run each operation, by documented rules."""

    FIELD = "predicted_placement"


PARTS: Final = (PackageFacts, Outline, RuleMatches, CompressionFacts, PredictedPlacement)
STEPS: Final = {"measure": "comparing the package with the source"}
"""One step for everything that reads and runs the packages, which takes seconds."""
CHILD: Final = "model"


def wanted(_: ModelJob) -> bool:
    """Always."""
    return True


def run(bench: "Bench", log: EventLog) -> None:
    """Read the shipped package and its float32 twin."""
    from coreml_gate.conversion.origins import read_origins
    from coreml_gate.mil.diff_matching import plain_name
    from coreml_gate.mil.outline import outline
    from coreml_gate.package_facts.compression import compression_facts
    from coreml_gate.package_facts.description import package_facts
    from coreml_gate.placement import predict_placement
    from coreml_gate.rules.catalogue import look

    packages, job = bench.packages, bench.job
    if packages is None:
        return
    log.begin("measure")
    shipped = packages.shipped
    log.put(package_facts(shipped, shipped.path.relative_to(job.record_folder).as_posix()))
    log.put(Outline(outline(shipped.function(), packages.names).lines()))
    origins = read_origins(packages.origins)
    places = {plain_name(name): origin.place for name, origin in origins.items()}
    log.put(RuleMatches(look(job.model, shipped, packages.wide, packages.graph, places)))
    compression = compression_facts(shipped, packages.wide)
    if compression is not None:
        log.put(compression)
    log.put(PredictedPlacement(predict_placement(shipped, job.model.compute_units)))
    for each in (shipped, packages.wide):
        each.weights.release()


def ended(ending: ChildEnding, job: ModelJob) -> Problem:
    """The problem that nothing shows whether the package is right."""
    return problem_of_ending(ending, job, STEPS["measure"])
