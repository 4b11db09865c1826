"""Finds the operations that break, or nearly break, in half precision, and why.

Ranges of the float32 run cost nothing and show what may happen, but also harmless cases (a mask of -1e9
before a softmax, an overflow that a later ``select`` discards). So a range is only a suspicion, and the
measured errors (``diagnose/operation_errors.py``) show whether it harms an output. Other values near a bound
are reported only if their readers do not make them harmless.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from coreml_gate.arrays import Array
from coreml_gate.conversion.origins import Origin
from coreml_gate.diagnose.operation_errors import (
    BAD,
    WORST,
    Damage,
    OperationErrors,
)
from coreml_gate.diagnose.ranges import Range
from coreml_gate.floats import GREATEST_HALF, HALF_ROUNDING, LEAST_HALF, LEAST_NORMAL_HALF
from coreml_gate.mil.index import Index, constants_in
from coreml_gate.mil.ir import Constant, Function, Operation
from coreml_gate.mil.weights import release
from coreml_gate.record import Hazard, HazardKind
from coreml_gate.runtime.ops.neural_engine import GREATEST_PRODUCT

NEAR: Final = 4.0
"""Headroom below which a range is worth a warning: two bits of the exponent."""
_EPSILON_MATTERS: Final = 1e3
"""An epsilon changes a value that is this many times greater by less than 0.1 %."""
_CLIFFS: Final = {"softplus": 10.4, "reduce_log_sum_exp": 7.6}
"""Greatest input from which the Neural Engine's half formulas fail (apple/coremltools#2687 and #2726)."""
_SATURATE: Final = {"softmax", "sigmoid", "tanh", "clip", "relu6", "minimum", "sigmoid_hard", "erf", "sign"}
_PASS_ON: Final = {
    "add",
    "sub",
    "select",
    "reshape",
    "transpose",
    "expand_dims",
    "squeeze",
    "mul",
    "slice_by_index",
}
_FAR_MORE: Final = 10.0
"""An operation that loses this many times more than its operand has a fault of its own."""
_VANISHED: Final = 0.01
_PRODUCTS: Final = {"conv", "conv_transpose", "einsum", "linear", "matmul"}
"""Operations whose results overflow at half the range of FP16 on the Neural Engine."""
_CANCELS: Final = frozenset({"add", "sub"})
_GUARDS: Final = frozenset({"add", "clip", "maximum"})
"""Operations whose constant bounds a value away from zero."""
_SUMS: Final = {
    "avg_pool", "conv", "einsum", "linear", "matmul", "reduce_mean", "reduce_sum", "reduce_sum_square",
    "reduce_l1_norm", "reduce_l2_norm", "layer_norm", "instance_norm", "l2_norm",
}  # fmt: skip


@dataclass(frozen=True)
class Suspicion:
    """What a range alone shows about an operation."""

    kind: HazardKind
    operation: str
    reaches: float
    bound: float


def suspicions(
    function: Function,
    half: frozenset[str],
    ranges: Mapping[str, Range],
    half_inputs: frozenset[str] = frozenset(),
) -> Iterator[Suspicion]:
    """Everything suspicious in the float32 run, in the program's order.

    :param half: The operations that compute in half precision.
    :param half_inputs: The inputs that the package declares in half precision. Others become halves only
        where such an operation reads them; an input that is cast to integers at once never does.
    """
    constants = constants_in(function.block.walk())
    halved = half_inputs | {
        name for item in function.block.walk() if item.name in half for name in item.reads()
    }
    for value in function.inputs:
        near = value.name in ranges and ranges[value.name].magnitude * NEAR > GREATEST_HALF
        if near and value.name in halved:
            yield Suspicion("overflow", value.name, ranges[value.name].magnitude, GREATEST_HALF)
    for operation in function.block.walk():
        if operation.name in half:
            yield from _of_range(operation, ranges)
            yield from _of_constants(operation, constants, ranges)


def _of_range(operation: Operation, ranges: Mapping[str, Range]) -> Iterator[Suspicion]:
    found = ranges.get(operation.name)
    if found is not None and found.magnitude * NEAR > GREATEST_HALF:
        yield Suspicion("overflow", operation.name, found.magnitude, GREATEST_HALF)
    operand = _operand_range(operation, ranges)
    cliff = _CLIFFS.get(operation.type)
    if cliff is not None and operand is not None and operand.greatest > cliff:
        yield Suspicion("cliff", operation.name, operand.greatest, cliff)


def _of_constants(
    operation: Operation, constants: Mapping[str, Constant], ranges: Mapping[str, Range]
) -> Iterator[Suspicion]:
    for parameter, data in _floats_read(operation, constants):
        greatest = max(-float(data.min()), float(data.max()))
        release(data)
        if greatest > GREATEST_HALF:
            reaches = min(greatest, float(np.finfo(np.float32).max))
            yield Suspicion("infinite-constant", operation.name, reaches, GREATEST_HALF)
        is_epsilon = parameter == "epsilon" or (operation.type in _GUARDS and data.size == 1)
        if is_epsilon and 0 < greatest < LEAST_HALF:
            yield from _epsilon(operation, ranges)


def _floats_read(operation: Operation, constants: Mapping[str, Constant]) -> Iterator[tuple[str, Array]]:
    """The elements of each constant in float32 that an operation reads, by parameter."""
    for parameter, arguments in operation.inputs.items():
        for argument in arguments:
            constant = constants.get(argument) if isinstance(argument, str) else argument
            if constant is not None and constant.data.dtype == np.float32 and constant.data.size:
                yield parameter, constant.data


def _epsilon(operation: Operation, ranges: Mapping[str, Range]) -> Iterator[Suspicion]:
    """The suspicion of an epsilon that the converter raises to 6e-8, which matters for values as small."""
    operand = _operand_range(operation, ranges)
    if operand is not None and operand.smallest < LEAST_HALF * _EPSILON_MATTERS and operand.least >= 0:
        yield Suspicion("epsilon", operation.name, operand.smallest, LEAST_HALF * _EPSILON_MATTERS)


def _operand_range(operation: Operation, ranges: Mapping[str, Range]) -> Range | None:
    return next((ranges[name] for name in operation.reads() if name in ranges), None)


def hazards(
    function: Function,
    suspected: Iterable[Suspicion],
    by_mode: Iterable[OperationErrors],
    origins: Mapping[str, Origin],
) -> tuple[Hazard, ...]:
    """The operations that harm an output, in the program's order; then harmful values near a bound."""
    index = Index(function)
    by_name = index.producers
    found: dict[str, Hazard] = {}
    suspected, by_mode = tuple(suspected), tuple(by_mode)
    for errors in by_mode:
        for bite in _bites(errors, suspected, by_name):
            if bite.operation not in found:
                found[bite.operation] = hazard_of(bite, by_name, origins, errors)
    for item in suspected:
        near = (item.reaches <= item.bound or not by_mode) and item.kind == "overflow"
        if near and item.operation not in found and not _harmless(index, item.operation):
            found[item.operation] = hazard_of(item, by_name, origins, None)
    return tuple(sorted(found.values(), key=lambda hazard: hazard.bites_in is None))


def _bites(
    errors: OperationErrors, suspected: tuple[Suspicion, ...], by_name: Mapping[str, Operation]
) -> Iterator[Suspicion]:
    """Operations whose own FP16 result is damaged, and whose damage reaches an output."""
    reasons = {item.operation: item for item in reversed(suspected)}
    inputs = {
        name: item for name, item in reasons.items() if name not in by_name and item.reaches > item.bound
    }
    for name, damage in errors.damage.items():
        if name not in by_name or damage.own <= BAD or not errors.harms(name):
            continue
        given = (inputs[read] for read in by_name[name].reads() if read in inputs)
        reason = next(given, reasons.get(name))
        if reason is None and _follows(by_name[name], damage.own, errors):
            continue
        yield reason if reason is not None else _measured(by_name[name], damage)


def _follows(operation: Operation, own: float, errors: OperationErrors) -> bool:
    """Whether an operand is already beyond FP16: then its maker is to blame, unless this loses far more."""
    given = (errors.damage[name] for name in operation.reads() if name in errors.damage)
    return any(
        damage.own >= WORST or (damage.own > max(BAD, own / _FAR_MORE) and damage.damaged and _fades(damage))
        for damage in given
    )


def _fades(damage: Damage) -> bool:
    return max(damage.vanishes, damage.subnormal) > _VANISHED


def _measured(operation: Operation, damage: Damage) -> Suspicion:
    """The hazard of an operation that is damaged without a suspicious range, by its own computation."""
    if damage.vanished > _VANISHED:
        return Suspicion("vanishing", operation.name, 0.0, LEAST_HALF)
    if operation.type in _CLIFFS:
        return Suspicion("cliff", operation.name, damage.own, BAD)
    if _fades(damage):
        return Suspicion("vanishing", operation.name, 0.0, LEAST_NORMAL_HALF)
    if operation.type in _CANCELS:
        return Suspicion("cancellation", operation.name, damage.own, HALF_ROUNDING)
    kind: HazardKind = "accumulation" if operation.type in _SUMS else "rounding"
    return Suspicion(kind, operation.name, damage.own, BAD)


def hazard_of(
    item: Suspicion,
    by_name: Mapping[str, Operation],
    origins: Mapping[str, Origin],
    errors: OperationErrors | None,
) -> Hazard:
    """A suspicion with its source line, confirmed by the errors of a mode if they are given."""
    origin = origins.get(item.operation, Origin())
    kind = by_name[item.operation].type if item.operation in by_name else "input"
    on_engine = errors is not None and errors.mode == "neural-engine"
    ends_early = on_engine and item.kind == "overflow" and kind in _PRODUCTS
    return Hazard(
        kind=item.kind,
        operation=item.operation,
        operation_type=kind,
        module=origin.module,
        place=origin.place,
        reaches=item.reaches,
        bound=GREATEST_PRODUCT if ends_early else item.bound,
        bites_in=None if errors is None else errors.mode,
    )


def _harmless(index: Index, name: str) -> bool:
    """Whether all readers lead to an operation that saturates, so that infinity gives the same result."""
    readers = index.readers.get(name, ())
    if not readers or name in index.function.block.outputs:
        return False
    return all(
        reader.type in _SATURATE or (reader.type in _PASS_ON and _harmless(index, reader.name))
        for reader in readers
    )
