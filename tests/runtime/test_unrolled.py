"""coremltools' export route writes recurrent layers out turn by turn: the runtime must see the layers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from coreml_gate.errors import PackageError
from coreml_gate.mil.ir import Block, Operation, StateType, TensorType, Value
from coreml_gate.mil.package import read_package
from coreml_gate.runtime import Model, load
from coreml_gate.runtime.compile import compile_function
from coreml_gate.runtime.ops.states import State
from coreml_gate.runtime.recurrent.unrolled_block import unrolled_block
from coreml_gate.runtime.recurrent.unrolled_layer import UnrolledCall
from coreml_gate.runtime.recurrent.unrolled_turns import GATES, TurnReader
from tests.runtime.test_gru_loop import Change, changed, given, in_other_type, named, read, swapped

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* of the source model, has been renamed:UserWarning",
    "ignore:.*treespec, LeafSpec:FutureWarning",
    "ignore:The tensor attributes? .*_flat_weights:UserWarning",
)

LENGTH, BATCH, FEATURES, HIDDEN = 3, 2, 8, 16
CELLS: dict[str, Callable[..., nn.RNNBase]] = {
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "relu": lambda *sizes, **how: nn.RNN(*sizes, nonlinearity="relu", **how),
    "tanh": nn.RNN,
}


class Layer(nn.Module):
    """A recurrent layer with all that it gives."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, *starts: Tensor) -> tuple[Tensor, ...]:
        given = () if not starts else (starts[0],) if len(starts) == 1 else (starts,)
        states, last = self.layer(x, *given)
        return (states, *(last if isinstance(last, tuple) else (last,)))


def exported(path: Path, layer: nn.RNNBase, *examples: Tensor) -> Path:
    program = torch.export.export(Layer(layer).eval(), examples, strict=False).run_decompositions()
    ct.convert(program, minimum_deployment_target=ct.target.iOS17).save(str(path))
    return path


@pytest.fixture(scope="module", params=sorted(CELLS))
def cell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def layers(cell: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both directions, batch first: two layers of the program."""
    torch.manual_seed(0)
    module = CELLS[cell](FEATURES, HIDDEN, bidirectional=True, batch_first=True)
    path = tmp_path_factory.mktemp(cell) / "layers.mlpackage"
    return exported(path, module, torch.rand(BATCH, LENGTH, FEATURES))


@pytest.fixture(scope="module")
def started(cell: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two turns without biases from given states."""
    torch.manual_seed(0)
    states = [torch.rand(1, 1, HIDDEN) for _ in range(2 if cell == "lstm" else 1)]
    path = tmp_path_factory.mktemp(cell) / "started.mlpackage"
    return exported(path, CELLS[cell](FEATURES, HIDDEN, bias=False), torch.rand(2, 1, FEATURES), *states)


def inputs_of(model: Model) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {item.name: rng.standard_normal(item.shape).astype(np.float32) for item in model.interface.inputs}


def compared(path: Path, mode: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the operations give one by one, and what the layers give."""
    model = load(path, mode=mode)
    given = inputs_of(model)
    with monkeypatch.context() as patch:
        patch.setattr(UnrolledCall, "_serves", lambda *_: False)
        wanted = model.predict(given)
    served: list[bool] = []
    serves = UnrolledCall._serves

    def counted(self: UnrolledCall, arguments: tuple[Any, ...]) -> bool:
        served.append(serves(self, arguments))
        return served[-1]

    monkeypatch.setattr(UnrolledCall, "_serves", counted)
    model.predict(given)
    found = model.predict(given)
    assert served
    assert all(served)
    return wanted, found


@pytest.mark.parametrize("mode", ["fp32", "fp16"])
@pytest.mark.parametrize("form", ["layers", "started"])
def test_a_layer_gives_what_its_operations_give(
    mode: Any, form: str, layers: Path, started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In half precision every operation rounds, so the bits are the same."""
    wanted, found = compared(layers if form == "layers" else started, mode, monkeypatch)
    assert len(found) == len(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=0 if mode == "fp16" else 1e-6)


def test_each_layer_is_one_operation(cell: str, layers: Path, started: Path) -> None:
    for path, count, turns, starts in ((layers, 2, LENGTH, None), (started, 1, 2, "given")):
        block = read_package(path).function().block
        grouped, found = unrolled_block(block, "fp16")
        assert len(found) == count
        left = {made.type for made in grouped.operations}
        assert not left & {"sigmoid", "tanh", "relu", "split", "slice_by_index"}
        for layer in found.values():
            assert (layer.cell, layer.turns, layer.hidden) == (cell, turns, HIDDEN)
            assert all((start is None) is (starts is None) for start in layer.starts)
            assert layer.of_state.weight.array.size == GATES[layer.cell] * HIDDEN**2


def test_an_lstm_in_float32_multiplies_its_inputs_too(layers: Path, started: Path, cell: str) -> None:
    for path, way in ((layers, {False, True}), (started, {False})):
        grouped, found = unrolled_block(read_package(path).function().block, "fp32")
        left = {made.type for made in grouped.operations}
        assert (not left & {"linear", "matmul"}) is (cell == "lstm")
        inputs = [layer.inputs for layer in found.values() if layer.inputs is not None]
        assert {each.backwards for each in inputs} == (way if cell == "lstm" else set())
        assert all(each.weight.shape == (4 * HIDDEN, FEATURES) for each in inputs)


def test_rows_that_are_read_elsewhere_stay_in_the_program(layers: Path, cell: str) -> None:
    block = read_package(layers).function().block
    product = next(made.name for made in block.operations if made.type == "matmul")
    _, found = unrolled_block(replace(block, outputs=(*block.outputs, product)), "fp32")
    kept = [layer.inputs is None for layer in found.values()]
    assert kept == ([True, False] if cell == "lstm" else [True, True])


def test_without_onednn_the_plain_kernel_gives_the_same(
    layers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coreml_gate.runtime.recurrent.unrolled_layer.available", lambda: False)
    wanted, found = compared(layers, "fp32", monkeypatch)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-6)


def test_an_observer_sees_the_operations_of_the_program(layers: Path) -> None:
    model = load(layers)
    given, seen = inputs_of(model), list[Operation]()
    watched = model.predict(given, observe=lambda operation, *_: seen.append(operation))
    program = model.function.block.operations
    assert sorted(made.name for made in seen) == sorted(made.name for made in program if made.type != "const")
    for name, value in model.predict(given).items():
        np.testing.assert_array_equal(watched[name], value)


def test_an_error_within_a_layer_names_the_operation_of_the_program(layers: Path) -> None:
    model = load(layers)

    def stop(operation: Operation, *_: Any) -> None:
        if operation.type in {"tanh", "relu"}:
            raise PackageError("the observer stops here.")

    with pytest.raises(PackageError) as caught:
        model.predict(inputs_of(model), observe=stop)
    first = next(made for made in model.function.block.operations if made.type in {"tanh", "relu"})
    assert caught.value.operation == first.name
    assert caught.value.message == f"operation `{first.name}` ({first.type}): the observer stops here."


def test_a_layer_that_differs_never_serves(layers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = UnrolledCall.compute

    def off(self: UnrolledCall, arguments: Any) -> tuple[Any, ...]:
        first, *others = compute(self, arguments)
        return (first + 2e-5, *others)

    model = load(layers, mode="fp32")
    given = inputs_of(model)
    with monkeypatch.context() as patch:
        patch.setattr(UnrolledCall, "_serves", lambda *_: False)
        wanted = model.predict(given)
    monkeypatch.setattr(UnrolledCall, "compute", off)
    for _ in range(2):
        for name, value in model.predict(given).items():
            np.testing.assert_array_equal(value, wanted[name])


def test_the_neural_engine_rounds_each_operation_its_own_way(layers: Path) -> None:
    model = load(layers, mode="neural-engine")
    assert all(step.operation.type != "unrolled_layer" for step in model._plan.steps)


def turns_of(block: Block) -> int:
    _, layers = unrolled_block(block, "fp16")
    return sum(layer.turns for layer in layers.values())


def test_operands_may_stand_in_either_order(layers: Path) -> None:
    block = read_package(layers).function().block
    turned = tuple(swapped(made) if made.type in {"add", "mul"} else made for made in block.operations)
    assert turns_of(replace(block, operations=turned)) == 2 * LENGTH


def backwards(made: Operation) -> Operation:
    return replace(made, outputs=made.outputs[::-1])


NEAR_MISSES: dict[str, tuple[str, str, Change]] = {
    "another activation of a gate": ("gru lstm", "sigmoid", named("sigmoid_hard")),
    "another activation of the new state": ("gru lstm tanh", "tanh", named("sigmoid")),
    "gates in another order": ("gru lstm", "split", backwards),
    "split along another axis": ("gru lstm", "split", given("axis", 0)),
    "the new state less the old one": ("gru", "sub", swapped),
    "another row than the next": ("gru lstm relu tanh", "slice_by_index", given("begin", [0, 0, 0])),
    "a row that starts further right": ("gru lstm relu tanh", "slice_by_index", given("begin", [2, 0, 1])),
    "every second row": ("gru lstm relu tanh", "slice_by_index", given("stride", [2, 1, 1])),
    "a weight of its own": ("gru lstm relu tanh", "matmul", given("y", [[1.0]])),
    "a weight that is computed": ("gru lstm relu tanh", "matmul", read("y", "elsewhere")),
    "a state that is turned": ("gru lstm relu tanh", "matmul", given("transpose_x", True)),
    "an operation in another type": ("gru lstm tanh", "tanh", in_other_type),
}


@pytest.mark.parametrize("name", sorted(NEAR_MISSES))
def test_a_turn_that_differs_is_left_to_the_program(name: str, cell: str, layers: Path) -> None:
    cells, kind, change = NEAR_MISSES[name]
    block = read_package(layers).function().block
    if cell in cells.split():
        assert turns_of(changed(block, kind, change, -1)) == 2 * LENGTH - 1


def test_a_state_that_is_read_between_the_turns_comes_from_the_layer(
    layers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads it stands before the last turn; it moves behind the layer."""
    function = read_package(layers).function()
    made = function.block.operations
    states = {turn.states[0] for item in made if (turn := TurnReader(function.block).turn(item))}
    place, first = next((place, item) for place, item in enumerate(made) if item.name in states)
    value = replace(first.outputs[0], name="early")
    early = Operation("abs", "early", {"x": (first.name,)}, {}, (value,))
    block = replace(
        function.block,
        operations=(*made[: place + 1], early, *made[place + 1 :]),
        outputs=(*function.block.outputs, "early"),
    )
    assert turns_of(block) == 2 * LENGTH
    plan = compile_function(replace(function, block=block), "fp16")
    x = torch.randn(BATCH, LENGTH, FEATURES, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = plan.run([x])
        monkeypatch.setattr(UnrolledCall, "_serves", lambda *_: False)
        wanted = plan.run([x])
    assert all(map(torch.equal, found, wanted))


def test_a_state_of_the_program_that_is_written_between_the_turns_is_read_afterwards(layers: Path) -> None:
    """Writing waits for the layer, and so does reading."""
    function = read_package(layers).function()
    made = function.block.operations
    states = {turn.states[0] for item in made if (turn := TurnReader(function.block).turn(item))}
    place, first = next((place, item) for place, item in enumerate(made) if item.name in states)
    kind = first.outputs[0].type
    assert isinstance(kind, TensorType)
    memory = Value("memory", StateType(kind))
    write = Operation("write_state", "memory", {"input": ("memory",), "data": (first.name,)}, {}, ())
    kept = replace(first.outputs[0], name="kept")
    read_back = Operation("read_state", "kept", {"input": ("memory",)}, {}, (kept,))
    block = replace(
        function.block,
        inputs=(*function.block.inputs, memory),
        operations=(*made[: place + 1], write, read_back, *made[place + 1 :]),
        outputs=("kept", first.name),
    )
    assert turns_of(block) == 2 * LENGTH
    plan = compile_function(replace(function, block=block, inputs=block.inputs, opset=18), "fp16")
    x = torch.randn(BATCH, LENGTH, FEATURES, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found, wanted = plan.run([x, State(torch.zeros(1, BATCH, HIDDEN).half())])
    assert bool(wanted.any())
    assert torch.equal(found, wanted)


def test_a_value_within_a_turn_that_is_read_elsewhere_leaves_the_layer_to_the_program(layers: Path) -> None:
    block = read_package(layers).function().block
    inner = [made.name for made in block.operations if made.type == "matmul"][-1]
    assert turns_of(replace(block, outputs=(*block.outputs, inner))) == LENGTH
