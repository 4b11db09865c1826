"""Diagnoses a parity failure: the operation, the optimisation pass to blame if any, and the other route."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch.export import ExportedProgram

from coreml_gate.conversion.capture import routes
from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.conversion.mapper import Mapper
from coreml_gate.conversion.mapping import Mapped
from coreml_gate.conversion.unread import unread_arguments
from coreml_gate.diagnose.budget import DiagnosisBudget
from coreml_gate.diagnose.first_wrong import AGREES, first_wrong
from coreml_gate.diagnose.known_bugs import hint_of
from coreml_gate.diagnose.parity_failure import Failure
from coreml_gate.diagnose.torch_calls import TorchArguments
from coreml_gate.diagnose.torch_steps import UntraceableError, run_graph
from coreml_gate.errors import GateError
from coreml_gate.frozen import changed
from coreml_gate.record import FirstWrong, OtherRoute, ParityDiagnosis, Route

Passes = tuple[str, ...]
_APART: Final = "the operations of source and package cannot be paired"
_QUANTISED: Final = (
    "the source is quantised, and Core ML rounds to other steps than torch does: convert the float model, "
    "and compress the package with `compress` in the configuration"
)
_OTHERS: Final[Mapping[Route, tuple[Route, ...]]] = {
    "export": ("decomposed", "trace"),
    "decomposed": ("export", "trace"),
    "trace": ("export", "decomposed"),
}
"""Other routes of capturing a source, in the order in which a conversion tries them."""


def diagnose_parity(
    failure: Failure,
    budget: DiagnosisBudget | None = None,
    report: Callable[[ParityDiagnosis], None] = lambda _: None,
) -> ParityDiagnosis:
    """Names the operation at fault; what it cannot determine is a reason in the result, never an error.

    :param report: Receives what is known before other routes are tried.
    """
    budget = DiagnosisBudget() if budget is None else budget
    found, conversions = _first_wrong(failure, budget)
    known = ParityDiagnosis(
        found_on=failure.suspect.found_on,
        sample=failure.suspect.index,
        first_wrong=found,
        conversions=conversions,
        seconds=budget.used,
    )
    report(known)
    other = _other_route(failure, budget)
    conversions += other is not None
    return changed(known, other_route=other, conversions=conversions, seconds=budget.used, note=budget.note)


def _first_wrong(failure: Failure, budget: DiagnosisBudget) -> tuple[FirstWrong, int]:
    """The result, and how many conversions it took."""
    try:
        mapper = failure.mapper(failure.route)
    except (ConversionFailedError, GateError) as error:
        return FirstWrong(reason=f"{_APART}: {error}"), 0
    try:
        found = _located(failure, mapper, ())
        if found.reason == AGREES and budget.allows("diagnose-pass"):
            found = _wrong_pass(failure, mapper, budget)
    except (ConversionFailedError, GateError, UntraceableError) as error:
        try:
            found = _located(failure, mapper, None)
        except (ConversionFailedError, GateError, UntraceableError):
            return FirstWrong(reason=f"{_APART}: {error}"), mapper.conversions
    known = _QUANTISED if _is_quantised(mapper.graph) else ""
    hint = found.hint or known or hint_of(found, failure.route, _calls(failure, mapper, found))
    return changed(found, hint=hint), mapper.conversions


def _is_quantised(graph: ExportedProgram | torch.jit.ScriptModule) -> bool:
    """Whether the source rounds to the steps of a quantisation."""
    if isinstance(graph, ExportedProgram):
        return any("quantized." in str(node.target) for node in graph.graph.nodes)
    return any(node.kind().startswith("quantized::") for node in graph.inlined_graph.nodes())


def _located(failure: Failure, mapper: Mapper, passes: Passes | None) -> FirstWrong:
    """Convert with these passes, then run both sides."""
    mapped = mapper.mapped(passes)
    engine = failure.engine(mapped)
    run = run_graph(mapped.graph, list(failure.sample.values()), failure.source.root)
    found = first_wrong(engine.model, engine.inputs(failure.sample), mapped.keys, run, failure.limit)
    return changed(found, reason=found.reason or _unread(failure, mapped, found))


def _calls(failure: Failure, mapper: Mapper, found: FirstWrong) -> list[TorchArguments]:
    """The arguments of the operation at fault, on the failing sample."""
    if not found.torch_operation:
        return []
    given = list(failure.sample.values())
    try:
        run = run_graph(mapper.graph, given, failure.source.root, found.torch_operation)
    except UntraceableError:
        return []
    here = (found.torch_operation, found.module, found.place)
    return [
        run.calls[key]
        for key, step in run.steps.items()
        if key in run.calls and (step.operation, step.module, step.place) == here
    ]


def _unread(failure: Failure, mapped: Mapped, found: FirstWrong) -> str:
    """The argument of the operation at fault that the converter ignores, if any."""
    if not isinstance(mapped.graph, ExportedProgram):
        return ""
    unread = unread_arguments(mapped.graph, failure.source.root)
    where = (found.torch_operation, found.place)
    return next((item.cause for item in unread if (item.operation, item.place) == where), "")


def _wrong_pass(failure: Failure, mapper: Mapper, budget: DiagnosisBudget) -> FirstWrong:
    """Find the pass to blame by bisection: it is the last of the shortest prefix that breaks the program."""
    names = mapper.passes()
    if failure.agrees(mapper.mapped(names)):
        return FirstWrong(reason="converted once more, the package agrees with its source")
    ends = _suspects(failure, mapper, names, budget)
    if len(ends) > 1:
        first, last = names[ends[0] - 1], names[ends[-1] - 1]
        reason = f"one of the {len(ends)} optimisation passes from `{first}` to `{last}` breaks it"
        return FirstWrong(reason=f"{reason}; {budget.seconds:g} s (`diagnose-budget-s`) are over")
    return _broken_by(failure, mapper, names[: ends[0]], budget)


def _suspects(failure: Failure, mapper: Mapper, names: Passes, budget: DiagnosisBudget) -> list[int]:
    """Lengths of prefixes whose last pass may be at fault; a single one if the budget suffices."""
    changing = set(mapper.changing_passes())
    ends = [end for end, name in enumerate(names, 1) if name in changing or end == len(names)]
    while len(ends) > 1 and budget.left:
        budget.advance(f"{len(ends)} optimisation passes may be at fault")
        middle = len(ends) // 2
        fits = failure.agrees(mapper.mapped(names[: ends[middle - 1]]))
        ends = ends[middle:] if fits else ends[:middle]
    return ends


def _broken_by(failure: Failure, mapper: Mapper, until: Passes, budget: DiagnosisBudget) -> FirstWrong:
    """The operation that the last of these passes breaks, and whether the package agrees without it."""
    culprit = until[-1]
    reason = f"the optimisation pass `{culprit}` breaks it"
    found = changed(_located(failure, mapper, until), reason=reason)
    others = tuple(name for name in mapper.passes() if name != culprit)
    if not budget.left or not failure.agrees(mapper.mapped(others)):
        return found
    skipped = f'converter = {{ skip-passes = ["{culprit}"] }}'
    return changed(found, hint=f"skip the pass: {skipped} (tried: it agrees)")


def _other_route(failure: Failure, budget: DiagnosisBudget) -> OtherRoute | None:
    """The first other route that agrees, or else the last one tried; ``None`` if there is no other."""
    free = changed(failure.config, conversion="auto")
    tried = None
    for other in _OTHERS[failure.route]:
        if other in routes(failure.source, free) and budget.allows("diagnose-route"):
            tried = OtherRoute(route=other, agrees=_agrees(failure, other))
        if tried is not None and tried.agrees:
            return tried
    return tried


def _agrees(failure: Failure, route: Route) -> bool | None:
    try:
        return failure.agrees(failure.mapper(route).mapped())
    except (ConversionFailedError, GateError):
        return None
