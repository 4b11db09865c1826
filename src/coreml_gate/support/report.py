"""Support of a model by deployment target, as values, as text and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from pydantic import NonNegativeFloat, NonNegativeInt

from coreml_gate.frozen import FrozenModel
from coreml_gate.torch_graph import Support, TorchCall, TorchGraph
from coreml_gate.wording import counted, names_and_more

_SHOWN_PLACES = 3
_STATES = {"missing": "no converter", "broken": "its converter cannot work"}
VERSION: Final = "9.1"
"""The next version of coremltools, which is not released yet."""
_PULL_REQUESTS: Final[Mapping[str, int]] = {
    "alias": 2659,
    "argsort.stable": 2782,
    "bitwise_or": 2668,
    "bitwise_xor": 2668,
    "deform_conv2d": 2752,
    "l1_loss": 2641,
    "masked_scatter": 2655,
    "new_ones": 2668,
    "polar": 2739,
    "prod": 2815,
    "roi_align": 2753,
    "sort.stable": 2782,
    "tensor_split": 2715,
    "unfold": 2672,
    "upsample_bicubic2d": 2818,
    "where.ScalarOther": 2668,
    "xor": 2668,
}
"""Operations without a converter in 9.0 that have one at commit e0e2f42b (2026-08-18, 9.1.dev1) of
coremltools' repository, and the pull request that brought it. A converter may still refuse some arguments
(``deform_conv2d`` and ``roi_align`` want constant sizes)."""


class OperationSupport(FrozenModel):
    """A torch operation that cannot be converted, with all its calls."""

    operation: str
    support: Support
    count: NonNegativeInt
    modules: tuple[str, ...]
    places: tuple[str, ...]
    """``file:line`` of the user's own code."""
    added_in: str = ""
    """The coremltools version that converts it, or empty."""


class TargetSupport(FrozenModel):
    """The result of one deployment target."""

    target: str
    status: Literal["converted", "failed"]
    size_bytes: NonNegativeInt | None = None
    error: NonNegativeFloat | None = None
    """Greatest difference between the source and the float32 package, as a share of the greatest value."""
    newer: tuple[str, ...] = ()
    """MIL operations that this target's opset lacks."""
    message: str = ""
    """The first line of the converter's error."""


class ModelSupport(FrozenModel):
    """Everything about one model."""

    model: str
    coremltools: str
    operations: tuple[OperationSupport, ...]
    targets: tuple[TargetSupport, ...]

    @property
    def lowest(self) -> str | None:
        """The oldest target that converts."""
        return next((item.target for item in self.targets if item.status == "converted"), None)


def unsupported_operations(graph: TorchGraph | None) -> tuple[OperationSupport, ...]:
    """All operations of a graph that cannot be converted, the most common first."""
    found: dict[str, list[TorchCall]] = {}
    for call in () if graph is None else graph.calls:
        if call.support != "works":
            found.setdefault(call.operation, []).append(call)
    answers = (_operation(name, calls) for name, calls in found.items())
    return tuple(sorted(answers, key=lambda answer: -answer.count))


def _operation(name: str, calls: Sequence[TorchCall]) -> OperationSupport:
    return OperationSupport(
        operation=name,
        support=calls[0].support,
        count=len(calls),
        modules=tuple(dict.fromkeys(call.module for call in calls if call.module)),
        places=tuple(dict.fromkeys(f"{call.file}:{call.line}" for call in calls if call.file)),
        added_in=added_in(name),
    )


def as_text(support: ModelSupport) -> str:
    """The report as text: operations, one line per target, and the conclusion."""
    return "\n".join([*_operation_lines(support), "", *_target_lines(support), "", _answer(support)])


def _operation_lines(support: ModelSupport) -> Iterator[str]:
    tool = f"coremltools {support.coremltools}"
    if not support.operations:
        yield f"{tool} has converters for all torch operations of `{support.model}`."
        return
    yield f"{counted(len(support.operations), 'torch operation')} without a converter that works in {tool}:"
    for item in support.operations:
        where = _some(item.modules, "in") + _some(item.places, "at")
        added = f"; converted by {item.added_in}" if item.added_in else ""
        yield f"  {item.operation}  {item.count}x, {_STATES[item.support]}{where}{added}"


def _some(items: Sequence[str], word: str) -> str:
    if not items:
        return ""
    return f", {word} {names_and_more(items, _SHOWN_PLACES)}"


def _target_lines(support: ModelSupport) -> Iterator[str]:
    yield f"{'target':<8}{'converts':<10}{'size':>10}  {'parity':<10}needs a newer target"
    for item in support.targets:
        size = "-" if item.size_bytes is None else f"{item.size_bytes / 1e6:.2f} MB"
        error = "-" if item.error is None else f"{item.error:.1e}"
        why = ", ".join(item.newer) or item.message
        converts = "yes" if item.status == "converted" else "no"
        yield f"{item.target:<8}{converts:<10}{size:>10}  {error:<10}{why}".rstrip()


def _answer(support: ModelSupport) -> str:
    if support.lowest is None:
        tried = ", ".join(item.target for item in support.targets)
        return f"None of the targets works ({tried})."
    return f'The lowest target that works is {support.lowest}: deployment-target = "{support.lowest}"'


def added_in(operation: str) -> str:
    """The version that converts ``aten::unfold``, in words; empty where none is known.

    An overload (``aten::prod.dim_int``) counts as its operation; some came alone, and are named whole.
    """
    plain = operation.rpartition("::")[2]
    names = (plain, plain.partition(".")[0], plain.removeprefix("_").removesuffix("_aa"))
    found = next((_PULL_REQUESTS[name] for name in names if name in _PULL_REQUESTS), None)
    return "" if found is None else f"coremltools {VERSION}, not yet released (apple/coremltools#{found})"
