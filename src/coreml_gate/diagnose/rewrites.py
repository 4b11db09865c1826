"""Patterns for which different arithmetic is better than float32, with PyTorch code that stays within half.

A pattern is recognised as a whole, and its code has the axes and constants that were found. A rewrite that
computes something else is worse than none: a norm that subtracts a mean is not RMSNorm.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Function, Operation
from coreml_gate.record import Hazard, Rewrite

Code = tuple[str, ...]
_Pattern = Callable[[Operation, Index], Code | None]
"""The PyTorch code for the pattern that an operation is part of, or ``None``."""

_LARGE_MASK: Final = 1e4
"""Magnitude of a mask; scores never have such a summand."""


def rewrites(function: Function, hazards: tuple[Hazard, ...]) -> tuple[Rewrite, ...]:
    """One rewrite per pattern, at the first hazard with it."""
    index = Index(function)
    found: dict[str, Rewrite] = {}
    for hazard in hazards:
        operation = index.producers.get(hazard.operation)
        if operation is None or hazard.bites_in is None:
            continue
        title, code = next(_fitting(hazard, operation, index), ("", ()))
        if code and title not in found:
            found[title] = Rewrite(title=title, operation=hazard.operation, place=hazard.place, code=code)
    return tuple(found.values())


def _fitting(hazard: Hazard, operation: Operation, index: Index) -> Iterator[tuple[str, Code]]:
    for title, kinds, pattern in _PATTERNS:
        code = pattern(operation, index) if hazard.kind in kinds else None
        if code is not None:
            yield title, code


def _rms_norm(operation: Operation, index: Index) -> Code | None:
    """``x / sqrt(mean(x^2) + eps)``: the squared value must be the one that is divided."""
    mean, dim = _reduced_square(operation, index, "reduce_mean")
    if mean is None or not _normalises(operation, mean, index):
        return None
    return (
        f"scale = x.abs().amax({dim}, keepdim=True).clamp_min(1e-4)  # squares stay below 1",
        "y = x / scale",
        f"y = y * torch.rsqrt(y.square().mean({dim}, keepdim=True) + 1e-5) * weight",
    )


def _l2_norm(operation: Operation, index: Index) -> Code | None:
    """``x / sqrt(sum(x^2))``."""
    total, dim = _reduced_square(operation, index, "reduce_sum")
    if total is None or not _normalises(operation, total, index):
        return None
    return (
        f"y = x / x.abs().amax({dim}, keepdim=True).clamp_min(1e-4)  # squares stay below 1",
        f"y = y * torch.rsqrt(y.square().sum({dim}, keepdim=True))",
    )


def _reduced_square(operation: Operation, index: Index, kind: str) -> tuple[Operation | None, str]:
    """The reduction of a square, whichever of the two this operation is, and its dimensions."""
    reduction = operation if operation.type == kind else _user(operation, kind, index)
    square = None if reduction is None else index.maker(reduction, "x")
    if reduction is None or square is None or _squared(square, index) is None:
        return None, ""
    return reduction, _dim(reduction, index)


def _normalises(operation: Operation, reduction: Operation, index: Index) -> bool:
    """Whether the squared value itself (no mean subtracted) is divided by the root of the reduction."""
    square = operation if operation is not reduction else index.maker(reduction, "x")
    name = None if square is None else _squared(square, index)
    centred = index.origin(name)
    if name is None or (centred is not None and _is_centred(centred, index)):
        return False
    root = _along(reduction, index, {"add", "sqrt", "rsqrt", "maximum", "clip", "real_div", "inverse"}, 3)
    readers = {reader.name for reader in index.readers.get(name, ())}
    return any(item.type in {"mul", "real_div"} and item.name in readers for item in root)


def _is_centred(operation: Operation, index: Index) -> bool:
    makers = (index.maker(operation, parameter) for parameter in ("x", "y"))
    return operation.type == "sub" and any(made is not None and made.type == "reduce_mean" for made in makers)


def _along(operation: Operation, index: Index, types: set[str], steps: int) -> list[Operation]:
    """The operations that read the result, directly or through ``steps`` operations of these types."""
    users = list(index.users(operation))
    for _ in range(steps):
        users += [user for item in users if item.type in types for user in index.users(item)]
    return users


def _squared(operation: Operation, index: Index) -> str | None:
    """The value that this operation squares."""
    x, y = index.name(operation, "x"), index.name(operation, "y")
    by_product = operation.type == "mul" and x == y
    by_power = operation.type == "pow" and index.scalar(operation, "y") == 2  # noqa: PLR2004 - a square
    return x if operation.type == "square" or by_product or by_power else None


def _user(operation: Operation, kind: str, index: Index) -> Operation | None:
    return next((user for user in index.users(operation) if user.type == kind), None)


def _dim(reduction: Operation, index: Index) -> str:
    """The dimensions of a reduction as an argument of torch: -1 for the last, a tuple for several."""
    axes = index.constant(reduction, "axes")
    rank = len(index.input_shape(reduction, "x"))
    found = tuple(range(rank)) if axes is None else tuple(int(axis) for axis in axes.reshape(-1))
    if len(found) != 1:
        return str(found)
    return "-1" if found[0] == rank - 1 else str(found[0])


def _softplus(operation: Operation, index: Index) -> Code | None:
    """The operation, or ``log(1 + exp(x))`` written out."""
    shifted = _user(operation, "add", index) if operation.type == "exp" else None
    ones = [] if shifted is None else [index.scalar(shifted, parameter) for parameter in ("x", "y")]
    by_hand = shifted is not None and 1.0 in ones and _user(shifted, "log", index) is not None
    if operation.type != "softplus" and not by_hand:
        return None
    return ("y = torch.relu(x) + torch.log(1 + torch.exp(-x.abs()))  # exp never exceeds 1",)


def _log_sum_exp(operation: Operation, index: Index) -> Code | None:
    """The operation, or ``log(sum(exp(x)))`` written out."""
    total = _user(operation, "reduce_sum", index) if operation.type == "exp" else None
    by_hand = total is not None and _user(total, "log", index) is not None
    if operation.type != "reduce_log_sum_exp" and not by_hand:
        return None
    dim = _dim(operation if total is None else total, index)
    return (
        f"top = x.amax({dim}, keepdim=True)",
        f"y = (x - top).exp().sum({dim}, keepdim=True).log() + top  # exp never exceeds 1",
    )


def _mask(operation: Operation, index: Index) -> Code | None:
    """A large constant that is added to the scores before a softmax, or selected in their place."""
    if operation.type not in {"add", "mul", "select", "sub"} or not _has_large_constant(operation, index):
        return None
    users = _along(operation, index, {"add", "sub", "select"}, 1)
    if not any(user.type == "softmax" for user in users):
        return None
    return ("scores = scores.masked_fill(mask, -1e4)  # finite in half, and exp(-1e4) is 0",)


def _has_large_constant(operation: Operation, index: Index) -> bool:
    operands = [index.constant(operation, parameter) for parameter in ("x", "y", "a", "b")]
    numbers = [item for item in operands if item is not None and item.dtype.kind == "f" and item.size]
    return any(float(np.abs(item).max()) >= _LARGE_MASK for item in numbers)


def _mean(operation: Operation, index: Index) -> Code | None:
    """A mean whose sum overflows half precision although the mean itself does not."""
    if operation.type != "reduce_mean":
        return None
    dim = _dim(operation, index)
    count = f"x.shape[{dim}]" if dim.lstrip("-").isdecimal() else "n"
    remark = "" if count != "n" else ", n elements each"
    return (f"y = (x / {count}).sum({dim})  # divide first: the sum stays as small as the mean{remark}",)


def _epsilon(_: Operation, __: Index) -> Code | None:
    return ("eps = 1e-5  # a half value: the smallest normal one is 6.1e-5, the smallest of all 6e-8",)


_TOO_GREAT: Final = {"overflow", "accumulation", "cliff"}
_PATTERNS: Final[tuple[tuple[str, set[str], _Pattern], ...]] = (
    (
        "scale the input before squaring it, so that RMSNorm cannot overflow",
        {*_TOO_GREAT, "vanishing"},
        _rms_norm,
    ),
    (
        "scale the input before squaring it, so that the L2 norm cannot overflow",
        {*_TOO_GREAT, "vanishing"},
        _l2_norm,
    ),
    ("use the form of softplus that cannot overflow", _TOO_GREAT, _softplus),
    ("subtract the maximum before the logsumexp", _TOO_GREAT, _log_sum_exp),
    ("use a mask value within FP16", {"overflow", "infinite-constant"}, _mask),
    ("divide before the sum of the mean", {"accumulation"}, _mean),
    ("use an epsilon that FP16 can represent", {"epsilon"}, _epsilon),
)
