"""The converter's FP16 pass on our own IR: a float32 program with some of its operations in half precision.

coremltools (``FP16ComputePrecision``) casts the operands of each operation that it narrows and names the
result ``<name>_cast_fp16``. Doing the same here takes milliseconds, where a conversion takes seconds, so a
search can try hundreds of programs. A real conversion then confirms the result.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from coreml_gate.mil.graph import captured
from coreml_gate.mil.ir import Argument, Block, Constant, Function, Operation, TensorType, Value, ValueType
from coreml_gate.mil.weights import release

SUFFIX = "_cast_fp16"
_LEAST = np.float16(6e-8)
_CLAMPED_UP_TO = 400
"""Size of the largest constant in which the converter replaces values that underflow
(``_check_underflow``)."""


@dataclass
class HalfConstants:
    """Constants in half precision, shared by all programs of a search."""

    _made: dict[int, tuple[Constant, Constant]] = field(default_factory=dict)

    def of(self, constant: Constant) -> Constant:
        """The constant as the converter narrows it: in a small one, values that underflow become 6e-8."""
        if id(constant) not in self._made:
            self._made[id(constant)] = (constant, _halved(constant))
        return self._made[id(constant)][1]


def narrowed(function: Function, half: frozenset[str], constants: HalfConstants) -> Function:
    """``function`` with the operations named in ``half`` in half precision, and the same interface."""
    return replace(function, block=narrowed_block(function.block, half, constants, {}, {}))


def narrowed_block(
    block: Block,
    half: frozenset[str],
    constants: HalfConstants,
    types: Mapping[str, ValueType],
    known: Mapping[str, Constant],
) -> Block:
    """One narrowed block; ``types`` and ``known`` are values and constants of the blocks around it."""
    narrower = Narrower(half, constants, dict(types), dict(known))
    narrower.declare(block.inputs)
    operations = [made for operation in block.operations for made in narrower.emit(operation)]
    return replace(block, operations=(*operations, *narrower.widened(block.outputs)))


@dataclass
class Narrower:
    """Rewrites one block, operation by operation; later readers share a cast."""

    half: frozenset[str]
    constants: HalfConstants
    types: dict[str, ValueType]
    known: dict[str, Constant]
    _in_half: set[str] = field(default_factory=set)
    _in_float: set[str] = field(default_factory=set)

    def declare(self, values: Iterable[Value]) -> None:
        """Record values that exist in their declared type."""
        self.types |= {value.name: value.type for value in values}

    def emit(self, operation: Operation) -> list[Operation]:
        """The operation's replacement: necessary casts of its operands, then itself."""
        if operation.type == "const":
            self.known[operation.name] = operation.attributes["val"]
            return [operation]
        made = self._halve(operation) if operation.name in self.half else self._keep(operation)
        self.declare(operation.outputs)
        return made

    def widened(self, names: Iterable[str]) -> list[Operation]:
        """Casts to float32 of the values that exist only in half precision."""
        wanted = [name for name in dict.fromkeys(names) if name in self._in_half - self._in_float]
        self._in_float.update(wanted)
        return [cast(name + SUFFIX, Value(name, self.types[name])) for name in wanted]

    def forget(self, names: Iterable[str]) -> None:
        """Make later readers use these values in float32 again, even if an FP16 form exists."""
        self._in_half.difference_update(names)

    def _keep(self, operation: Operation) -> list[Operation]:
        casts = self.widened([*operation.reads(), *sorted(captured(operation))])
        blocks = tuple(
            narrowed_block(block, self.half, self.constants, self.types, self.known)
            for block in operation.blocks
        )
        return [*casts, replace(operation, blocks=blocks)]

    def _halve(self, operation: Operation) -> list[Operation]:
        casts: list[Operation] = []
        inputs = {
            parameter: tuple(self._operand(argument, casts) for argument in arguments)
            for parameter, arguments in operation.inputs.items()
        }
        outputs = tuple(half_value(value) if is_wide(value.type) else value for value in operation.outputs)
        self._in_half.update(value.name for value in operation.outputs if is_wide(value.type))
        return [*casts, replace(operation, name=outputs[0].name, inputs=inputs, outputs=outputs)]

    def _operand(self, argument: Argument, casts: list[Operation]) -> Argument:
        constant = self.known.get(argument) if isinstance(argument, str) else argument
        if constant is not None:
            return self.constants.of(constant) if is_wide(constant.type) else argument
        name = str(argument)
        if not is_wide(self.types[name]):
            return name
        if name not in self._in_half:
            self._in_half.add(name)
            self._in_float.add(name)
            casts.append(cast(name, half_value(Value(name, self.types[name]))))
        return name + SUFFIX


def is_wide(kind: object) -> bool:
    """Whether this is a float32 tensor."""
    return isinstance(kind, TensorType) and kind.dtype == "fp32"


def half_value(value: Value) -> Value:
    """The value in half precision, under the converter's name."""
    assert isinstance(value.type, TensorType)  # noqa: S101  # ``is_wide`` holds
    return Value(value.name + SUFFIX, replace(value.type, dtype="fp16"))


def cast(name: str, to: Value) -> Operation:
    """The operation that casts the value ``name`` to ``to``."""
    assert isinstance(to.type, TensorType)  # noqa: S101  # only tensors are cast
    dtype = Constant(TensorType("string", ()), np.array(to.type.dtype, np.object_))
    return Operation("cast", to.name, {"x": (name,), "dtype": (dtype,)}, {}, (to,))


def _halved(constant: Constant) -> Constant:
    assert isinstance(constant.type, TensorType)  # noqa: S101  # ``is_wide`` holds
    values = constant.array
    with np.errstate(over="ignore", under="ignore"):
        half = values.astype(np.float16)
    release(constant.data)
    if values.size < _CLAMPED_UP_TO:
        half = np.where((half == 0) & (values != 0), np.copysign(_LEAST, values).astype(np.float16), half)
    return Constant(replace(constant.type, dtype="fp16"), half)
