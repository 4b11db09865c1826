"""Converts the source to the package that ships and its float32 twin."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.measurements.measurement import sentence, way_out
from coreml_gate.measurements.package import RuleMatches
from coreml_gate.record import ChildEnding, ConversionFacts

if TYPE_CHECKING:
    from coreml_gate.measurements.bench import Bench

PARTS: Final = (ConversionFacts, RuleMatches)
STEPS: Final[Mapping[str, str]] = {"convert": "converting"}
CHILD: Final = "model"


def wanted(_: ModelJob) -> bool:
    """Always; without it only the source can be measured."""
    return True


def run(bench: "Bench", log: EventLog) -> None:
    """Convert; if that fails, the rules still report what is known about the graph."""
    from coreml_gate.rules.catalogue import look

    if bench.reference.given is not None:
        return
    log.begin("convert")
    if bench.conversion is not None:
        log.put(bench.conversion.facts)
    if bench.packages is None:
        log.put(RuleMatches(look(bench.job.model, None, None, bench.graph)))


def ended(ending: ChildEnding, job: ModelJob) -> ConversionFacts:
    """A failed conversion, because the converter ended the process."""
    return ConversionFacts(
        status="crashed" if ending.how == "failed" else ending.how,
        route="none",
        message=sentence(ending, job, STEPS["convert"]),
        hint=way_out(ending),
        log_tail=ending.log_tail,
    )
