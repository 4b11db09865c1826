"""One program under every plan that the runtime could run: which of them differ, and where?"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coreml_gate.mil.ir import Function, Operation, StateType, TensorType
from coreml_gate.runtime.compile import compile_function
from coreml_gate.runtime.ops.states import State
from coreml_gate.runtime.plan import ExecutionPlan
from coreml_gate.runtime.precision import Mode, storage
from tests.fuzz.runtime.net import Case
from tests.fuzz.runtime.packed_layers import far_from_exact
from tests.fuzz.runtime.plain import plain, variant

_BITS = {torch.float16: torch.int16, torch.float32: torch.int32}


class DivergedError(AssertionError):
    """Two plans of one program gave other values."""


def check(case: Case, mode: Mode, *, threads: bool = False) -> None:
    """All plans of the program give the same, as far as they promise.

    The Neural Engine's own rounding has no exact result to be near to, and nothing is packed for it.
    """
    function = case.function
    reference, fused, packed = (
        plain(function, mode),
        variant(function, mode),
        variant(function, mode, packs=True),
    )
    full = compile_function(function, mode)
    if threads:
        _at_once(full, _stored(function, case.runs[0], mode))
    for run, given in enumerate(case.runs):
        stored = _stored(function, given, mode)
        wanted = _outcome(reference, stored, watched=True)
        _demand(f"run {run}: fused, against plain", _outcome(fused, stored), wanted)
        far: list[str] = []
        of_packed = _outcome(packed, stored, far=None if mode == "neural-engine" else far)
        if far:
            raise DivergedError(f"run {run}: {far[0]}")
        watched = _outcome(full, stored, watched=True)
        near = 0.0 if mode != "fp32" and _all_half(function) and not case.near_in_half else case.tolerance
        _demand(f"run {run}: recognised, against packed", watched, of_packed, near)
        for again in range(2):
            _demand(f"run {run}: all of it, against watched ({again})", _outcome(full, stored), watched)


def _all_half(function: Function) -> bool:
    kinds = (value.type for made in function.block.operations for value in made.outputs)
    return not any(isinstance(kind, TensorType) and kind.dtype == "fp32" for kind in kinds)


def _stored(function: Function, given: Sequence[Any], mode: Mode) -> list[Any]:
    result: list[Any] = []
    for value, item in zip(function.inputs, given, strict=True):
        if isinstance(value.type, StateType):
            result.append(State(item.value.to(storage(value.type.wrapped.dtype, mode))))
        else:
            assert isinstance(value.type, TensorType)
            result.append(item.to(storage(value.type.dtype, mode)))
    return result


Outcome = list[Tensor] | str


def _outcome(
    plan: ExecutionPlan, stored: Sequence[Any], *, watched: bool = False, far: list[str] | None = None
) -> Outcome:
    """Results, then states; or the kind of error. The caller's values have to be what they were."""
    states = [State(item.value.clone()) for item in stored if isinstance(item, State)]
    left = iter(states)
    given = [next(left) if isinstance(item, State) else item.clone() for item in stored]
    seen: list[str] = [] if far is None else far

    def observe(made: Operation, inputs: Mapping[str, Any], outputs: tuple[Any, ...]) -> None:
        if far is not None and (told := far_from_exact(made, inputs, outputs)):
            seen.append(told)

    with torch.inference_mode(), np.errstate(all="ignore"):
        try:
            results = plan.run(given, observe if watched or far is not None else None)
        except Exception as error:  # noqa: BLE001  # all plans have to end alike
            return type(error).__name__
    for before, after in zip(stored, given, strict=True):
        if isinstance(after, Tensor) and (told := _difference(after, before, 0.0)):
            raise DivergedError(f"an input was changed: {told}")
    return [*(item.clone() for item in results), *(state.value.clone() for state in states)]


def _at_once(plan: ExecutionPlan, stored: Sequence[Any]) -> None:
    """Two first runs in two threads."""
    found: list[Outcome] = []
    threads = [threading.Thread(target=lambda: found.append(_outcome(plan, stored))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _demand("two threads at once", found[0], found[1])


def _demand(what: str, found: Outcome, wanted: Outcome, near: float = 0.0) -> None:
    if isinstance(found, str) or isinstance(wanted, str):
        if isinstance(found, str) is isinstance(wanted, str):
            return
        raise DivergedError(f"{what}: {_ended(found)}, not {_ended(wanted)}")
    for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
        told = _difference(one, other, near)
        if told:
            raise DivergedError(f"{what}: result {place}: {told}")


def _ended(outcome: Outcome) -> str:
    return outcome if isinstance(outcome, str) else "values"


def _difference(found: Tensor, wanted: Tensor, near: float) -> str:
    """What differs: not the sign or the payload of a NaN, but the sign of a zero."""
    if found.dtype is not wanted.dtype or found.shape != wanted.shape:
        return f"{found.dtype} {tuple(found.shape)}, not {wanted.dtype} {tuple(wanted.shape)}"
    if not found.is_floating_point():
        return "" if torch.equal(found, wanted) else "other integers"
    if not torch.equal(found.isnan(), wanted.isnan()):
        return f"{int(found.isnan().sum())} NaN, not {int(wanted.isnan().sum())}"
    return _too_far(found, wanted, near) if near else _other_bits(found, wanted)


def _too_far(found: Tensor, wanted: Tensor, near: float) -> str:
    finite = wanted.isfinite()
    if not torch.equal(finite, found.isfinite()):
        return "other infinities"
    gap = ((found - wanted).abs() / wanted.abs().clamp_min(1))[finite]
    worst = float(gap.max()) if gap.numel() else 0.0
    return f"{worst:.2g} off" if worst > near else ""


def _other_bits(found: Tensor, wanted: Tensor) -> str:
    bits = _BITS[found.dtype]
    other = (found.contiguous().view(bits) != wanted.contiguous().view(bits)) & ~found.isnan()
    if not bool(other.any()):
        return ""
    first = [value[other][:3].tolist() for value in (found, wanted)]
    return f"{int(other.sum())} of {other.numel()} differ: {first[0]}, not {first[1]}"
