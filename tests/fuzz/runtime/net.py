"""Programs built operation by operation: each runs at once, plainly, so that its result's type is known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coreml_gate.mil.ir import Argument, Block, Constant, Function, Operation, StateType, TensorType, Value
from coreml_gate.runtime.ops.states import State
from tests.fuzz.runtime.plain import plain
from tests.runtime.conftest import constant

NUMPY = {"fp16": np.float16, "fp32": np.float32}
NAMES = {
    torch.float16: "fp16",
    torch.float32: "fp32",
    torch.bool: "bool",
    torch.int32: "int32",
}
ODD = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42, -1e-7, 1e30, -1e30, 65504.0, -65520.0, 3.3e38, -3.0, 6.0)
"""What fused and packed code may treat otherwise; half precision makes infinities of the large ones."""


@dataclass(slots=True)
class Net:
    """A program in the making; ``held`` has an example of each value."""

    rng: np.random.Generator
    dtype: str
    inputs: list[Value] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    held: dict[str, Any] = field(default_factory=dict)
    prefix: str = "v"
    empty: float = 0.0
    """How probable a size of zero is, where :meth:`size` draws one."""

    def size(self, *sizes: int) -> int:
        """One of these, or zero."""
        drawn = int(self.rng.choice(sizes))
        return 0 if self.empty and self.rng.random() < self.empty else drawn

    def input(self, shape: Sequence[int], dtype: str | None = None) -> str:
        """A value of the caller's."""
        name = f"x{len(self.inputs)}"
        kind = TensorType(dtype or self.dtype, tuple(shape))
        self.inputs.append(Value(name, kind))
        self.held[name] = torch.from_numpy(self.drawn(shape).astype(NUMPY.get(kind.dtype, np.int32)))
        return name

    def state(self, shape: Sequence[int]) -> str:
        """A value that lives from run to run."""
        name = f"state{len(self.inputs)}"
        self.inputs.append(Value(name, StateType(TensorType(self.dtype, tuple(shape)))))
        self.held[name] = State(
            torch.zeros(tuple(shape), dtype=getattr(torch, {"fp16": "float16"}.get(self.dtype, "float32")))
        )
        return name

    def op(self, kind: str, /, *, outputs: int = 1, dtype: str | None = None, **given: Any) -> str:
        """The name of the (first) result; ``given`` has names of values, or constants."""
        return self.several(kind, outputs=outputs, dtype=dtype, **given)[0]

    def several(
        self, kind: str, /, *, outputs: int, dtype: str | None = None, **given: Any
    ) -> tuple[str, ...]:
        """The names of all results."""
        arguments = {name: self._arguments(value) for name, value in given.items()}
        return self._add(kind, arguments, dtype or self.dtype, outputs)

    def _add(
        self, kind: str, arguments: dict[str, tuple[Argument, ...]], dtype: str, outputs: int
    ) -> tuple[str, ...]:
        first = f"{self.prefix}{len(self.operations)}"
        names = tuple(first if place == 0 else f"{first}_{place}" for place in range(outputs))
        loose = tuple(Value(name, TensorType(dtype, (), ranked=False)) for name in names)
        made = Operation(kind, first, arguments, {}, loose)
        results = self._run(made)
        kinds = tuple(TensorType(NAMES[value.dtype], tuple(value.shape)) for value in results)
        values = tuple(Value(name, kind) for name, kind in zip(names, kinds, strict=True))
        self.operations.append(Operation(kind, first, arguments, {}, values))
        self.held.update(zip(names, results, strict=True))
        return names

    def cast(self, x: str, dtype: str) -> str:
        """The value in another element type."""
        return self._add("cast", {"x": (x,), "dtype": (constant(dtype),)}, dtype, 1)[0]

    def const(self, value: Any) -> str:
        """A constant by a name of its own."""
        name, held = f"{self.prefix}{len(self.operations)}", self.number(value)
        kind = held.type
        assert isinstance(kind, TensorType)
        self.operations.append(Operation("const", name, {}, {"val": held}, (Value(name, kind),)))
        self.held[name] = torch.from_numpy(held.array.copy())
        return name

    def write(self, state: str, x: str) -> None:
        """Store a value for the next run."""
        self.operations.append(Operation("write_state", state, {"input": (state,), "data": (x,)}, {}, ()))

    def chosen(self, x: str, by: str) -> str:
        """The value by a branch that captures it, or its negative."""
        total = self.op("reduce_max", x=by, axes=list(range(len(self.shape(by)))), keep_dims=False)
        large = self.op("greater", x=total, y=self.number(0.5), dtype="bool")
        name = f"{self.prefix}{len(self.operations)}"
        made, turned = (
            Value(each, TensorType(self.dtype, self.shape(x))) for each in (name, f"{name}_turned")
        )
        turn = Operation("mul", turned.name, {"x": (x,), "y": (self.number(-1),)}, {}, (turned,))
        blocks = (Block((), (), (x,)), Block((), (turn,), (turned.name,)))
        self.operations.append(Operation("cond", name, {"pred": (large,)}, {}, (made,), blocks))
        self.held[name] = self.held[x].clone()
        return name

    def number(self, value: Any) -> Constant:
        """A constant of the net's element type; what half precision cannot hold is infinite."""
        with np.errstate(over="ignore"):
            return constant(np.asarray(value, NUMPY[self.dtype]))

    def drawn(self, shape: Sequence[int], scale: float = 1.0) -> Any:
        """Normal values."""
        return self.rng.standard_normal(tuple(shape)) * scale

    def tensor(self, values: Any) -> Tensor:
        """An example of these numbers."""
        return torch.from_numpy(np.asarray(values, NUMPY[self.dtype]))

    def held_number(self, value: int) -> Tensor:
        """An example of a counter."""
        return torch.tensor([value], dtype=torch.int32)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.held[name].shape)

    def function(self, outputs: Sequence[str]) -> Function:
        """The program."""
        inputs = tuple(self.inputs)
        return Function("main", 18, inputs, Block(inputs, tuple(self.operations), tuple(outputs)))

    def _arguments(self, value: Any) -> tuple[Argument, ...]:
        several = value if isinstance(value, tuple) else (value,)
        return tuple(
            item
            if isinstance(item, Constant) or (isinstance(item, str) and item in self.held)
            else constant(item)
            for item in several
        )

    def _run(self, made: Operation) -> tuple[Tensor, ...]:
        names = tuple(dict.fromkeys(made.reads()))
        values = tuple(Value(name, _loose(self.held[name])) for name in names)
        block = Block(values, (made,), tuple(value.name for value in made.outputs))
        with torch.inference_mode(), np.errstate(all="ignore"):
            return plain(Function("main", 18, values, block), "fp16").run([self.held[name] for name in names])


def _loose(value: Any) -> Any:
    if isinstance(value, State):
        return StateType(TensorType(NAMES[value.value.dtype], (), ranked=False))
    return TensorType(NAMES[value.dtype], (), ranked=False)


@dataclass(frozen=True, slots=True)
class Case:
    """A program and what it is given, several times."""

    function: Function
    runs: tuple[tuple[Any, ...], ...]
    tolerance: float = 0.0
    """How far layers that the runtime recognises may be from the program, in float32."""
    near_in_half: bool = False
    """In half precision too; else its bits are the program's."""


def given(net: Net, count: int, scale: float = 1.0, odd: bool = True) -> tuple[tuple[Any, ...], ...]:
    """Inputs for several runs: normal values, then some with odd ones among them."""
    return tuple(
        tuple(_value(net, value, scale, odd=odd and run > 0) for value in net.inputs) for run in range(count)
    )


def _value(net: Net, value: Value, scale: float, *, odd: bool) -> Any:
    if isinstance(value.type, StateType):
        return State(net.held[value.name].value)
    kind = value.type
    assert isinstance(kind, TensorType)
    shape = tuple(size or 0 for size in kind.shape)
    if kind.dtype not in NUMPY:
        return net.held[value.name]
    drawn = net.drawn(shape, scale)
    if odd and drawn.size:
        places = net.rng.integers(0, drawn.size, max(1, drawn.size // 60))
        drawn.reshape(-1)[places] = net.rng.choice(ODD, len(places))
    with np.errstate(all="ignore"):
        return torch.from_numpy(drawn.astype(NUMPY[kind.dtype]))


Make = Callable[[np.random.Generator], Case]
