"""Where other arithmetic is better than float32: patterns of MIL, and the PyTorch that stays within half."""

from collections.abc import Callable
from typing import Final

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Function, Operation
from coreml_gate.record import Hazard, Rewrite

_Recognise = Callable[[Operation, Index], bool]
"""Is the operation part of this pattern in the program?"""

_RMS: Final = (
    "scale = x.abs().amax(-1, keepdim=True).clamp_min(1e-4)  # squares stay below 1",
    "y = x / scale",
    "y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + 1e-5) * weight",
)
_SOFTPLUS: Final = ("y = torch.relu(x) + torch.log(1 + torch.exp(-x.abs()))  # exp never exceeds 1",)
_LOGSUMEXP: Final = (
    "top = x.amax(-1, keepdim=True)",
    "y = top.squeeze(-1) + (x - top).exp().sum(-1).log()  # exp never exceeds 1",
)
_MASK: Final = ("scores = scores.masked_fill(mask, -1e4)  # finite in half, and exp(-1e4) is 0",)
_MEAN: Final = ("y = (x / x.shape[-1]).sum(-1)  # divide first: the sum stays as small as the mean",)
_EPSILON: Final = ("eps = 1e-5  # a half value: the smallest normal one is 6.1e-5, the smallest of all 6e-8",)


def rewrites(function: Function, hazards: tuple[Hazard, ...]) -> tuple[Rewrite, ...]:
    """One per pattern, at the first hazard that shows it."""
    index = Index(function)
    found: dict[str, Rewrite] = {}
    for hazard in hazards:
        operation = index.producers.get(hazard.operation)
        if operation is None or hazard.bites_in is None:
            continue
        for title, kinds, recognise, code in _PATTERNS:
            fits = hazard.kind in kinds and recognise(operation, index)
            if title in found and fits:
                break
            if fits:
                found[title] = Rewrite(title=title, operation=hazard.operation, place=hazard.place, code=code)
                break
    return tuple(found.values())


def _is_square(operation: Operation) -> bool:
    names = [operation.inputs[key] for key in ("x", "y") if key in operation.inputs]
    return operation.type in {"square", "pow"} or (operation.type == "mul" and names[0] == names[-1])


def _leads_to(operation: Operation, chain: tuple[set[str], ...], index: Index) -> bool:
    """Is there a path of readers with these types, one after the other?"""
    if not chain:
        return True
    return any(
        reader.type in chain[0] and _leads_to(reader, chain[1:], index)
        for reader in index.readers.get(operation.name, ())
    )


def _rms_norm(operation: Operation, index: Index) -> bool:
    return _is_square(operation) and _leads_to(
        operation, ({"reduce_mean", "reduce_sum"}, {"add", "sqrt", "rsqrt"}), index
    )


def _softplus(operation: Operation, index: Index) -> bool:
    by_hand = operation.type == "exp" and (
        _leads_to(operation, ({"add"}, {"log"}), index) or _leads_to(operation, ({"log"},), index)
    )
    return operation.type == "softplus" or by_hand


def _log_sum_exp(operation: Operation, index: Index) -> bool:
    by_hand = operation.type == "exp" and _leads_to(operation, ({"reduce_sum"}, {"log"}), index)
    return operation.type == "reduce_log_sum_exp" or by_hand


def _mask(operation: Operation, index: Index) -> bool:
    return operation.type in {"add", "mul", "select", "sub"} and (
        _leads_to(operation, ({"softmax"},), index) or _leads_to(operation, ({"add"}, {"softmax"}), index)
    )


def _mean(operation: Operation, _: Index) -> bool:
    return operation.type == "reduce_mean"


def _any(_: Operation, __: Index) -> bool:
    return True


_TOO_GREAT: Final = {"overflow", "accumulation", "cliff"}
_PATTERNS: Final[tuple[tuple[str, set[str], _Recognise, tuple[str, ...]], ...]] = (
    ("RMSNorm scaled before it squares", {*_TOO_GREAT, "vanishing"}, _rms_norm, _RMS),
    ("a softplus that cannot overflow", _TOO_GREAT, _softplus, _SOFTPLUS),
    ("a logsumexp that takes the maximum out", _TOO_GREAT, _log_sum_exp, _LOGSUMEXP),
    ("a mask that half precision has", {"overflow", "infinite-constant"}, _mask, _MASK),
    ("a mean that divides first", {"accumulation"}, _mean, _MEAN),
    ("an epsilon that half precision has", {"epsilon"}, _any, _EPSILON),
)
