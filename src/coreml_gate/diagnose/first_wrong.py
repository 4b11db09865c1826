"""Finds the first operation of a package whose inputs agree with the source but whose result does not."""

import math
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from coreml_gate.diagnose.alignment import Alignment, Pair, align
from coreml_gate.diagnose.operation_errors import WORST
from coreml_gate.diagnose.torch_steps import TorchRun, TorchStep
from coreml_gate.mil.graph import captured
from coreml_gate.record import FirstWrong
from coreml_gate.record.diagnosis import MOST_ERRORS
from coreml_gate.runtime.model import Model
from coreml_gate.untyped import MilValue

AGREES: Final = "the outputs agree"
"""The reason if there is nothing to find."""
GROWTH: Final = 10.0
"""An error is attributed to the operation that makes it this many times larger than in its inputs."""


def first_wrong(
    model: Model, inputs: Mapping[str, MilValue], keys: Mapping[str, str], run: TorchRun, limit: float
) -> FirstWrong:
    """One pass of the package on one sample, compared with a finished run of its source.

    :raises PackageError: The package does not run.
    """
    alignment = align(model, inputs, keys, run, limit)
    if not alignment.failing_outputs:
        return _unclear(alignment, AGREES)
    suspects = list(_suspects(alignment))
    if not suspects:
        return _unclear(alignment, _gap(alignment))
    culprit = _grown(alignment, suspects[0])
    if culprit is None:
        return _unclear(alignment, "the error grows from operation to operation, and no single one causes it")
    return _found(alignment, culprit, suspects[1:])


def _suspects(alignment: Alignment) -> Iterator[Pair]:
    """Operations that differ although their inputs agree, and whose error reaches an output, in order."""
    harmful = _harmful(alignment)
    for name, pair in alignment.pairs.items():
        if name in harmful and pair.state == "differs" and pair.inherited <= alignment.limit:
            yield pair


def _harmful(alignment: Alignment) -> frozenset[str]:
    """Operations from which a failing output is reached without passing an agreeing one."""
    seen: set[str] = set()
    open_names = list(alignment.failing_outputs)
    while open_names:
        pair = alignment.producers.get(open_names.pop())
        if pair is None or pair.operation.name in seen or pair.state in {"matched", "shape changed"}:
            continue
        seen.add(pair.operation.name)
        open_names += [*pair.operation.reads(), *captured(pair.operation)]
    return frozenset(seen)


def _grown(alignment: Alignment, pair: Pair) -> Pair | None:
    """Trace a small error of the inputs back to the operation that caused it."""
    while pair.inherited * GROWTH > pair.error and not math.isinf(pair.error):
        worst = _worst_input(alignment, pair)
        if worst is None:
            return None
        pair = worst
    return pair


def _worst_input(alignment: Alignment, pair: Pair) -> Pair | None:
    """The operation behind the worst operand, skipping steps that torch does not have."""
    made = (alignment.producers.get(name) for name in pair.operation.reads())
    known = [item for item in made if item is not None and item.error > 0]
    worst = max(known, key=lambda item: item.error, default=None)
    if worst is None or worst.state in {"matched", "differs"}:
        return worst
    return _worst_input(alignment, worst)


def _found(alignment: Alignment, culprit: Pair, others: list[Pair]) -> FirstWrong:
    step = culprit.step
    lost = None if step is None else _lost(alignment, step)
    blamed = step if lost is None else lost
    return FirstWrong(
        operation=culprit.operation.name,
        operation_type=culprit.operation.type,
        torch_operation="" if blamed is None else blamed.operation,
        module="" if blamed is None else blamed.module,
        place="" if blamed is None else blamed.place,
        lost=lost is not None,
        error=_number(culprit.error),
        inherited=_number(culprit.inherited) or 0.0,
        others=tuple(_other(pair) for pair in others),
        counts=alignment.counts,
        errors=_errors(alignment),
    )


def _lost(alignment: Alignment, step: TorchStep) -> TorchStep | None:
    """The first torch result before this step that the package neither computes nor stores."""
    for key in step.reads:
        read = alignment.run.steps.get(key)
        if read is not None and key not in alignment.keys and not alignment.holds(read.sketches[0]):
            return _lost(alignment, read) or read
    return None


def _other(pair: Pair) -> str:
    step = pair.step
    where = f" ({step.place})" if step is not None and step.place else ""
    return f"{pair.operation.name}{where}"


def _unclear(alignment: Alignment, reason: str) -> FirstWrong:
    return FirstWrong(reason=reason, counts=alignment.counts, errors=_errors(alignment))


def _errors(alignment: Alignment) -> dict[str, float]:
    """The error of every compared operation; infinite if it is not a number."""
    compared = (pair for pair in alignment.pairs.values() if pair.state in {"matched", "differs"})
    return {
        pair.operation.name: min(pair.error, WORST) if pair.error >= 0 else WORST
        for pair in islice(compared, MOST_ERRORS)
    }


def _gap(alignment: Alignment) -> str:
    """The torch operations around the fault, if no differing operation could be compared."""
    harmful = _harmful(alignment)
    names = [
        f"`{pair.step.operation}`" + (f" ({pair.step.place})" if pair.step.place else "")
        for name, pair in alignment.pairs.items()
        if name in harmful and pair.step is not None
    ]
    if not names:
        return "no operation behind the wrong output has a counterpart in the source"
    return "the fault lies among " + ", ".join(dict.fromkeys(names))


def _number(error: float) -> float | None:
    """The error for JSON, which has no infinity: ``None`` for other shapes, non-finite values, integers."""
    return None if math.isinf(error) or math.isnan(error) else min(error, sys.float_info.max)
