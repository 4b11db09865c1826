"""Routes that failed: the failure that says most, the others, and a way out that was tried."""

from collections.abc import Mapping
from typing import Final

from coreml_gate.conversion.capture import Route
from coreml_gate.conversion.conversion import Task
from coreml_gate.conversion.failures import ConversionFailedError, in_one_line
from coreml_gate.conversion.missing import missing_hint
from coreml_gate.conversion.refusals_of_models import MODEL_CAUSES
from coreml_gate.conversion.remedies import remedy
from coreml_gate.frozen import changed
from coreml_gate.record import ConversionFacts

_ROUTES: Final[Mapping[Route, str]] = {
    "export": "the export route",
    "decomposed": "the export route with torch's core decompositions",
    "trace": "the trace route",
}
_OF_MODELS: Final = frozenset(cause.cause for cause in MODEL_CAUSES)
Failures = list[tuple[Route, ConversionFailedError]]


def fallback_notes(failures: Failures, made: Route | None = None) -> list[str]:
    """What had to be done otherwise than the documented call does, and why; ``made`` is what converted."""
    ending = "" if made is None else f"; converted by {_ROUTES[made]}"
    return [
        (
            f"plain coremltools refuses this model: {in_one_line(failure)}{ending}"
            if route == "export" and failure.captured
            else f"{_ROUTES[route]} failed: {in_one_line(failure)}"
        )
        for route, failure in failures
    ]


def _says_least(attempt: tuple[Route, ConversionFailedError]) -> tuple[bool, int, bool]:
    """The failure to report in full: one whose cause is known, which lacks the fewest converters, and whose
    cause is an operation's own.
    """
    failure = attempt[1]
    known = bool(failure.refused.cause or failure.missing or failure.hint)
    return not known, len(failure.missing), failure.refused.cause in _OF_MODELS


def failed_conversion(failures: Failures, task: Task, seconds: float) -> ConversionFacts:
    """The facts of a conversion that no route came to the end of."""
    route, main = min(failures, key=_says_least)
    others = [each for each in failures if each[1] is not main]
    way_out = missing_hint(main.missing) if main.missing else main.hint
    found = remedy(task, failures)
    places = (failure.refused for _, failure in failures if failure.refused.place)
    at = main.refused if main.refused.place else next(places, main.refused)
    return ConversionFacts(
        status="failed",
        route=route,
        seconds=seconds,
        missing=main.missing,
        message=main.message,
        hint=f"converts with {found} (tried)" + (f"; or {way_out}" if way_out else ".") if found else way_out,
        refused=at if at is main.refused else changed(at, cause=""),
        notes=(*task.source.notes, *fallback_notes(others)),
    )
