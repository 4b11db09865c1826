"""States, branches and loops around layers: what is captured, carried, written twice and read late."""

import math
from dataclasses import replace

import numpy as np

from coreml_gate.mil.ir import Block, Operation, TensorType, Value
from tests.fuzz.runtime.net import Case, Net, given
from tests.fuzz.runtime.nets import Grown, activated
from tests.runtime.conftest import constant


def flow_case(rng: np.random.Generator) -> Case:
    """A few of the parts below, one after the other, on values of one shape."""
    net = Net(rng, str(rng.choice(["fp32", "fp16"])))
    grown = Grown(net, 2)
    shape = (1, int(rng.choice([1, 4, 8])), *(int(rng.choice([1, 2, 5])) for _ in range(2)))
    grown.values.append(net.input(shape))
    states = [net.state(shape) for _ in range(int(rng.integers(0, 3)))]
    parts = [_layers, _branch, _loop, *([_state, _state, _state] if states else [])]
    for _ in range(int(rng.integers(2, 8))):
        parts[int(rng.integers(len(parts)))](grown, states)
    outputs = sorted({name for name in grown.fresh if grown.chance(0.8)} | {grown.values[-1]})
    return Case(net.function(outputs), given(net, 3, float(rng.choice([0.3, 1]))))


def _layers(grown: Grown, _: list[str]) -> None:
    """A layer, a sum, an activation."""
    net = grown.net
    x = grown.pick()
    made = _kept(grown, x)
    if grown.chance(0.5):
        made = net.op("add", x=made, y=grown.pick(x))
    grown.add(activated(grown, made))


def _kept(grown: Grown, x: str) -> str:
    """A layer that keeps the shape, by a weight of its own, which a constant operation may hold."""
    net = grown.net
    channels = net.shape(x)[1]
    weight = net.drawn((channels, channels, 1, 1), 1 / math.sqrt(channels))
    return net.op("conv", x=x, weight=net.number(weight), pad_type="valid")


def _state(grown: Grown, states: list[str]) -> None:
    """Read, write, write again, or write what was just read."""
    net, rng = grown.net, grown.rng
    state = str(rng.choice(states))
    if grown.chance(0.55):
        grown.add(net.op("read_state", input=state))
        return
    net.write(state, grown.pick())
    if grown.chance(0.3):
        net.write(str(rng.choice(states)), activated(grown, grown.pick()))
    if grown.chance(0.2):
        net.write(state, net.op("read_state", input=str(rng.choice(states))))


def _inner(grown: Grown, tag: str) -> tuple[Grown, Net]:
    net = grown.net
    inner = Net(net.rng, net.dtype, prefix=f"{tag}{len(net.operations)}_")
    inner.held = dict(net.held)
    within = Grown(inner, 2)
    within.values = list(grown.values)
    return within, inner


def _body(within: Grown, inner: Net, x: str, states: list[str]) -> str:
    """A layer and an activation, and perhaps a state, in a block."""
    made = _kept(within, x)
    made = inner.op("add", x=made, y=within.pick(x)) if within.chance(0.5) else made
    if states and within.chance(0.3):
        inner.write(states[0], made)
        made = inner.op("add", x=made, y=inner.op("read_state", input=states[-1]))
    made = activated(within, made)
    return _by_expanded(inner, made) if within.chance(0.3) else made


def _by_expanded(inner: Net, x: str) -> str:
    """Times a matrix that is expanded in the block itself."""
    width = inner.shape(x)[-1]
    data = inner.rng.integers(-100, 100, (width, width)).astype(np.int8)
    scale = np.asarray(0.01, inner.number(0).array.dtype)
    held = {"quantized_data": data, "zero_point": np.int8(0), "scale": scale, "axis": np.int32(0)}
    name = f"{inner.prefix}e{len(inner.operations)}"
    value = Value(name, TensorType(inner.dtype, (width, width)))
    attributes = {key: constant(item) for key, item in held.items()}
    inner.operations.append(Operation("constexpr_affine_dequantize", name, {}, attributes, (value,)))
    inner.held[name] = inner.tensor(data.astype(np.float64) * 0.01)
    bias = inner.number(np.zeros(width))
    return inner.op("linear", x=x, weight=name, bias=bias)


def _branch(grown: Grown, states: list[str]) -> None:
    """One of two bodies, or one of them a value as it is."""
    net = grown.net
    x = grown.pick()
    total = net.op("reduce_max", x=x, axes=[0, 1, 2, 3], keep_dims=False)
    large = net.op("greater", x=total, y=net.number(1.0), dtype="bool")
    blocks = []
    for tag in "tf":
        within, inner = _inner(grown, tag)
        made = x if grown.chance(0.2) else _body(within, inner, x, states)
        blocks.append(Block((), tuple(inner.operations), (made,)))
    _placed(grown, "cond", {"pred": (large,)}, (x,), tuple(blocks))


def _loop(grown: Grown, states: list[str]) -> None:
    """Some rounds of a body, which carries one value, or two that change places."""
    net = grown.net
    carried = (grown.pick(),) if grown.chance(0.5) else (grown.pick(), grown.values[0])
    tag = f"w{len(net.operations)}"
    counter = Value(f"{tag}_n", TensorType("int32", ()))
    values = tuple(
        Value(f"{tag}_{place}", TensorType(net.dtype, net.shape(name))) for place, name in enumerate(carried)
    )
    test = Value(f"{tag}_go", TensorType("bool", ()))
    rounds = constant(np.int32(grown.between(0, 3)))
    less = Operation("less", test.name, {"x": (counter.name,), "y": (rounds,)}, {}, (test,))
    within, inner = _inner(grown, "b")
    inner.held |= {value.name: net.held[name] for value, name in zip(values, carried, strict=True)}
    inner.held[counter.name] = net.held_number(0)[0]
    made = _body(within, inner, values[0].name, states)
    given_back = (made, *(value.name for value in values[:1] if len(values) > 1))
    count = inner.op("add", x=counter.name, y=np.int32(1), dtype="int32")
    inputs = (counter, *values)
    blocks = (
        Block(inputs, (less,), (test.name,)),
        Block(inputs, tuple(inner.operations), (count, *given_back)),
    )
    arguments = {"loop_vars": (constant(np.int32(0)), *carried)}
    _placed(grown, "while_loop", arguments, carried, blocks, counter)


def _placed(
    grown: Grown,
    kind: str,
    arguments: dict[str, tuple[object, ...]],
    like: tuple[str, ...],
    blocks: tuple[Block, ...],
    counter: Value | None = None,
) -> None:
    """The operation, whose results are of the types of these values."""
    net = grown.net
    first = f"v{len(net.operations)}"
    names = tuple(f"{first}_{place}" for place in range(len(like)))
    values = tuple(
        Value(name, TensorType(net.dtype, net.shape(of))) for name, of in zip(names, like, strict=True)
    )
    counted = () if counter is None else (replace(counter, name=f"{first}_count"),)
    results = (*counted, *values)
    net.operations.append(Operation(kind, results[0].name, arguments, {}, results, blocks))  # type: ignore[arg-type]
    net.held.update({name: net.held[of].clone() for name, of in zip(names, like, strict=True)})
    grown.add(*names)
