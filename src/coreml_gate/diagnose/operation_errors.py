"""Measures the FP16 error of each operation, by itself and together with all operations before it.

One program contains three computations: the float32 run, each operation alone in half on the float32 run's
rounded inputs, and the half run. The three results of an operation are adjacent, so one pass compares and
frees them, and no tensor is stored.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
import torch
from torch import Tensor

from coreml_gate.arrays import Array
from coreml_gate.floats import LEAST_HALF, LEAST_NORMAL_HALF
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Block, Function, Operation, StateType, Value
from coreml_gate.mil.package import Package
from coreml_gate.mil.to_half import HalfConstants, Narrower
from coreml_gate.record import HalfMode
from coreml_gate.runtime.model import Model
from coreml_gate.untyped import MilValue

_ALONE, _RUN = "alone@", "run@"
_LARGE_BYTES: Final = 1_000_000_000
"""Bytes of float32 weights from which a package counts as large: 250 million parameters."""
BAD = 0.01
"""RMS error by RMS from which a result counts as damaged: 40 dB, which half precision should reach."""
WORST = 1e9
"""The error if the half result is not finite."""


@dataclass
class Damage:
    """The errors of one operation, each the worst of all samples."""

    own: float = 0.0
    inherited: float = 0.0
    vanished: float = 0.0
    """Share of the non-zero values whose own FP16 result is zero."""
    vanishes: float = 0.0
    """Share of the non-zero float32 values that are below the least FP16 number."""
    subnormal: float = 0.0
    """Share of the non-zero float32 values that keep few digits in FP16, or none."""

    @property
    def damaged(self) -> bool:
        """Whether its result in the half run is damaged."""
        return self.inherited > BAD


@dataclass
class OperationErrors:
    """The errors of all operations of the outermost block, in order."""

    function: Function
    mode: HalfMode
    damage: dict[str, Damage] = field(default_factory=lambda: defaultdict(Damage))

    @property
    def first_nonfinite(self) -> str | None:
        """The first operation whose half run is infinite or NaN where the float32 run is finite."""
        return next((name for name, item in self.damage.items() if item.inherited >= WORST), None)

    @property
    def damaged(self) -> frozenset[str]:
        """The operations that are damaged by their own rounding."""
        return frozenset(name for name, item in self.damage.items() if item.own > BAD)

    def error_of(self, operation: Operation) -> float:
        """The error of its result in the half run; 0 if it was not compared."""
        return self.damage[operation.name].inherited if operation.name in self.damage else 0.0

    @cached_property
    def _index(self) -> Index:
        return Index(self.function)

    def harms(self, name: str) -> bool:
        """Whether damage of this operation reaches an output, because later operations may undo it."""
        seen, open_names = {name}, [name]
        while open_names:
            current = open_names.pop()
            if not self.damage[current].damaged:
                continue
            if current in self.function.block.outputs:
                return True
            readers = (reader.name for reader in self._index.readers.get(current, ()))
            fresh = [name for name in readers if name not in seen]
            seen.update(fresh)
            open_names += fresh
        return False


def measure_operation_errors(
    package: Package, half: frozenset[str], inputs: Iterable[Mapping[str, MilValue]], mode: HalfMode
) -> OperationErrors | None:
    """The errors over all inputs; ``None`` for a stateful program, which cannot run twice at once."""
    function = package.function()
    if any(isinstance(value.type, StateType) for value in function.inputs):
        return None
    model = _loaded(package, _side_by_side(function, half), mode)
    errors = OperationErrors(function, mode)
    for sample in inputs:
        model.predict(sample, observe=_DamageObserver(errors).observe)
    return errors


def own_errors(
    package: Package, names: frozenset[str], inputs: Iterable[Mapping[str, MilValue]], mode: HalfMode
) -> dict[str, float]:
    """The own errors of these operations: a float32 run in which each of them runs in half as well."""
    function = package.function()
    alone = _side_by_side(function, names, with_run=False)
    model = _loaded(package, alone, mode)
    errors = OperationErrors(function, mode)
    for sample in inputs:
        model.predict(sample, model.make_state(), _DamageObserver(errors).observe)
    return {name: damage.own for name, damage in errors.damage.items()}


def _loaded(package: Package, function: Function, mode: HalfMode) -> Model:
    """Load a program; a large package keeps no packed weights, because each would exist three times."""
    keeps = package.weight_bytes < _LARGE_BYTES
    return Model(package, function, package.interfaces[package.default_function], mode, keeps=keeps)


def _side_by_side(function: Function, half: frozenset[str], *, with_run: bool = True) -> Function:
    constants = HalfConstants()
    run = Narrower(half, constants, {}, {})
    alone = Narrower(half, constants, {}, {})
    run.declare(function.inputs)
    alone.declare(function.inputs)
    given = {value.name for value in function.inputs}
    operations: list[Operation] = []
    for operation in function.block.operations:
        operations.append(operation)
        if operation.type == "const":
            run.emit(operation)
            alone.emit(operation)
            given.add(operation.name)
            continue
        if operation.name in half:
            operations += _alone(operation, alone)
        alone.declare(operation.outputs)
        if with_run:
            operations += [_renamed(made, _RUN, given) for made in run.emit(operation)]
    return replace(function, block=replace(function.block, operations=tuple(operations)))


def _alone(operation: Operation, narrower: Narrower) -> list[Operation]:
    """The operation in half on the float32 run's inputs; nothing reads its result."""
    *casts, made = replace_halved(narrower, operation)
    outputs = tuple(Value(_ALONE + value.name, value.type) for value in made.outputs)
    return [*casts, replace(made, name=_ALONE + operation.name, outputs=outputs)]


def replace_halved(narrower: Narrower, operation: Operation) -> list[Operation]:
    """The operation in half, while later readers still read the float32 result."""
    known = {value.name for value in operation.outputs}
    made = narrower.emit(operation)
    narrower.forget(known)
    return made


def _renamed(operation: Operation, prefix: str, given: set[str]) -> Operation:
    """The operation with a prefix on every name except those of inputs and constants."""

    def named(name: str) -> str:
        return name if name in given else prefix + name

    inner = {value.name for block in operation.blocks for value in block.inputs}
    inner |= {value.name for block in operation.blocks for made in block.walk() for value in made.outputs}
    inside = given | inner
    return replace(
        operation,
        name=prefix + operation.name,
        inputs={
            parameter: tuple(named(item) if isinstance(item, str) else item for item in items)
            for parameter, items in operation.inputs.items()
        },
        outputs=tuple(Value(prefix + value.name, value.type) for value in operation.outputs),
        blocks=tuple(_renamed_block(block, prefix, inside) for block in operation.blocks),
    )


def _renamed_block(block: Block, prefix: str, given: set[str]) -> Block:
    operations = tuple(
        replace(_renamed(item, prefix, given), name=item.name, outputs=item.outputs)
        for item in block.operations
    )
    outputs = tuple(name if name in given else prefix + name for name in block.outputs)
    return replace(block, operations=operations, outputs=outputs)


@dataclass
class _DamageObserver:
    errors: OperationErrors
    _wide: dict[str, Tensor] = field(default_factory=dict)

    def observe(self, operation: Operation, _: Mapping[str, MilValue], outputs: tuple[MilValue, ...]) -> None:
        name, result = operation.name, outputs[0] if outputs else None
        if name.startswith(_ALONE):
            damage = self.errors.damage[name.removeprefix(_ALONE)]
            wide = self._wide.get(name.removeprefix(_ALONE))
            damage.own = max(damage.own, _error(wide, result))
            if damage.own > BAD:
                damage.vanished = max(damage.vanished, _vanished(wide, result))
        elif name.startswith(_RUN):
            original = name.removeprefix(_RUN)
            original = original if original in self._wide else original.removesuffix("_cast_fp16")
            if original in self._wide:
                self._compare(self.errors.damage[original], self._wide.pop(original), result)
        elif isinstance(result, Tensor):
            self._wide[name] = result

    def _compare(self, damage: Damage, wide: Tensor, half: object) -> None:
        if not wide.is_floating_point():
            damage.inherited = max(damage.inherited, _share_of_others(wide, half))
            return
        damage.inherited = max(damage.inherited, _error(wide, half))
        damage.vanishes = max(damage.vanishes, _share_below(wide, LEAST_HALF))
        damage.subnormal = max(damage.subnormal, _share_below(wide, LEAST_NORMAL_HALF))


def _error(wide: Tensor | None, half: object) -> float:
    """RMS error by RMS of the float32 result, where it is finite; ``WORST`` if FP16 is not finite there."""
    if wide is None or not isinstance(half, Tensor) or half.shape != wide.shape:
        return 0.0
    finite = wide.isfinite()
    if not bool((half.isfinite() | ~finite).all()):
        return WORST
    reference = torch.where(finite, wide, 0).double()
    error = float(torch.where(finite, half.double() - reference, 0).norm())
    scale = float(reference.norm())
    return min(error / scale, WORST) if scale > 0 else (0.0 if error == 0 or math.isnan(error) else WORST)


def _share_of_others(wide: Tensor, half: object) -> float:
    """The share of integers or booleans that differ."""
    if not isinstance(half, Tensor) or half.shape != wide.shape or not wide.numel():
        return 0.0
    return float((half != wide).double().mean())


def _share_below(wide: Tensor, bound: float) -> float:
    sizes = wide.abs()
    present = int((sizes > 0).sum())
    return float(((sizes > 0) & (sizes < bound)).sum() / present) if present else 0.0


def rms_error(wide: Array, half: Array) -> float:
    """RMS error by RMS of the float32 result; ``WORST`` if FP16 is not finite where float32 is."""
    return _error(torch.from_numpy(np.ascontiguousarray(wide)), torch.from_numpy(np.ascontiguousarray(half)))


def _vanished(wide: Tensor | None, half: object) -> float:
    if wide is None or not isinstance(half, Tensor):
        return 0.0
    present = wide != 0
    lost = present & (half == 0) & (wide.abs() < LEAST_HALF)
    return float(lost.sum() / max(int(present.sum()), 1))
