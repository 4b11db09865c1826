"""coremltools writes torch's GRU as a loop: the runtime must see it, and nothing that only looks like it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from coreml_gate.errors import PackageError
from coreml_gate.mil.ir import Block, Constant, Operation, TensorType
from coreml_gate.mil.package import read_package
from coreml_gate.runtime import Model, load
from coreml_gate.runtime.recurrent import gru_layer
from coreml_gate.runtime.recurrent.gru_layer import GruCall, GruLayer
from coreml_gate.runtime.recurrent.gru_loop import gru_loop
from tests.runtime.test_model import save

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* of the source model, has been renamed:UserWarning",
    "ignore::torch.jit.TracerWarning",
)

LENGTH, BATCH, FEATURES, HIDDEN = 7, 2, 8, 16
Change = Callable[[Operation], Operation]
Program = tuple[Operation, dict[str, Any]]


@pytest.fixture(scope="module", params=["half", "full"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers in both directions: four loops."""
    torch.manual_seed(0)
    precision = ct.precision.FLOAT32 if request.param == "full" else ct.precision.FLOAT16
    module = torch.nn.GRU(FEATURES, HIDDEN, num_layers=2, bidirectional=True)
    folder = tmp_path_factory.mktemp(request.param)
    return save(
        folder / "gru.mlpackage", module, torch.rand(LENGTH, BATCH, FEATURES), compute_precision=precision
    )


@pytest.fixture
def x(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal((LENGTH, BATCH, FEATURES)).astype(np.float32)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The turns of each run of a recognised layer."""
    seen: list[int] = []
    run = GruLayer.run

    def counted(self: GruLayer, sequence: torch.Tensor, states: torch.Tensor, steps: int) -> torch.Tensor:
        seen.append(steps)
        return run(self, sequence, states, steps)

    monkeypatch.setattr(GruLayer, "run", counted)
    return seen


def by_the_program(model: Model, x: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the operations of the loops give, without the layer."""
    with monkeypatch.context() as patch:
        patch.setattr(GruCall, "_serves", lambda *_: False)
        return model.predict({"x": x})


@pytest.mark.parametrize("mode", ["fp32", "fp16", "neural-engine"])
def test_a_gru_gives_what_its_loop_gives(
    mode: Any, path: Path, x: NDArray[np.float32], runs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(path, mode=mode)
    wanted = by_the_program(model, x, monkeypatch)
    assert not runs
    found = model.predict({"x": x})
    half = path.parent.name.startswith("half")
    # Each of four loops is tried once.
    assert len(runs) == (0 if mode == "neural-engine" and half else 8)
    tolerance = 4e-3 if half and mode == "fp16" else 1e-6
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=tolerance)


@pytest.mark.parametrize("mode", ["fp32", "fp16"])
def test_watched_and_unwatched_runs_give_the_same_bits(mode: Any, path: Path, x: NDArray[np.float32]) -> None:
    model = load(path, mode=mode)
    seen: list[str] = []
    watched = model.predict({"x": x}, observe=lambda operation, *_: seen.append(operation.type))
    assert seen.count("tanh") == 4 * LENGTH  # four loops, one operation of the program a turn
    for _ in range(2):
        found = model.predict({"x": x})
        for name, value in watched.items():
            np.testing.assert_array_equal(found[name], value)


def test_without_onednn_the_plain_product_gives_the_same(
    path: Path, x: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = load(path, mode="fp32").predict({"x": x})
    monkeypatch.setattr(gru_layer, "available", lambda: False)
    for name, value in load(path, mode="fp32").predict({"x": x}).items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-6)


def test_a_layer_that_differs_never_serves(
    path: Path, x: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = GruLayer.run

    def off(self: GruLayer, sequence: torch.Tensor, states: torch.Tensor, steps: int) -> torch.Tensor:
        result = run(self, sequence, states, steps)
        result[-1, 0, 0] += 2e-5
        return result

    monkeypatch.setattr(GruLayer, "run", off)
    model = load(path, mode="fp32")
    wanted = by_the_program(model, x, monkeypatch)
    for _ in range(2):
        found = model.predict({"x": x})
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value)


def test_states_that_are_added_to_what_stands_there_are_the_programs(path: Path) -> None:
    """The layer writes rows; a program that starts with other rows than zeros adds to them."""
    model = load(path, mode="fp32")
    (step, *_) = (step for step in model._plan.steps if step.operation.type == "while_loop")
    draw = torch.Generator().manual_seed(0)
    states = torch.randn(LENGTH + 1, BATCH, HIDDEN, generator=draw)
    sequence = torch.randn(LENGTH, BATCH, FEATURES, generator=draw)
    start = torch.cat((states[:1], torch.zeros_like(states[1:])))
    arguments = [torch.zeros(1, dtype=torch.int32), states, *([sequence] * (len(step.reads) - 2))]
    with torch.inference_mode():
        _, added = step.call(None, *arguments)
        _, written = step.call(None, arguments[0], start, *arguments[2:])
    torch.testing.assert_close(added[1] - states[1], written[1], rtol=0, atol=1e-6)


def loops(path: Path) -> tuple[list[Operation], dict[str, Any]]:
    block = read_package(path).function().block
    constants = {made.name: made.attributes["val"] for made in block.operations if made.type == "const"}
    return [made for made in block.operations if made.type == "while_loop"], constants


def changed(block: Block, kind: str, change: Change, place: int = 0) -> Block:
    """The block with its ``place``-th operation of this kind changed."""
    chosen = [made for made in block.operations if made.type == kind][place]
    return replace(
        block, operations=tuple(change(made) if made is chosen else made for made in block.operations)
    )


def given(parameter: str, value: Any) -> Change:
    """Another constant for a parameter."""
    array = np.array(value, np.object_ if isinstance(value, str) else None)
    dtype = {"U": "string", "O": "string", "b": "bool", "i": "int32", "f": "fp32"}[array.dtype.kind]
    constant = Constant(TensorType(dtype, array.shape), array)
    return lambda made: replace(made, inputs={**made.inputs, parameter: (constant,)})


def read(parameter: str, name: str) -> Change:
    """A computed value for a parameter."""
    return lambda made: replace(made, inputs={**made.inputs, parameter: (name,)})


def swapped(made: Operation) -> Operation:
    return replace(made, inputs={"x": made.inputs["y"], "y": made.inputs["x"]})


def named(kind: str) -> Change:
    return lambda made: replace(made, type=kind)


def in_other_type(made: Operation) -> Operation:
    (value,) = made.outputs
    assert isinstance(value.type, TensorType)
    other = "fp32" if value.type.dtype == "fp16" else "fp16"
    return replace(made, outputs=(replace(value, type=replace(value.type, dtype=other)),))


NEAR_MISSES: dict[str, tuple[str, Change, int]] = {
    "another activation of the new state": ("tanh", named("sigmoid"), 0),
    "another activation of a gate": ("sigmoid", named("sigmoid_hard"), 1),
    "update minus one": ("sub", swapped, 0),
    "two minus update": ("sub", given("x", 2.0), 0),
    "the new state replaces the row": ("scatter", given("mode", "update"), 0),
    "scattered along another axis": ("scatter", given("axis", 1), 0),
    "written where it was read": ("scatter", read("indices", "elsewhere"), 0),
    "gathered along another axis": ("gather", given("axis", 1), 0),
    "always the first position": ("gather", given("indices", [0]), 0),
    "always the first state": ("gather", given("indices", [0]), 1),
    "a position from the end": ("greater_equal", given("y", 1), 0),
    "another weight type": ("linear", given("weight", [[1]]), 0),
    "a bias computed elsewhere": ("linear", read("bias", "elsewhere"), 3),
    "an operation in another type": ("tanh", in_other_type, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NEAR_MISSES))
def test_a_body_that_differs_is_no_gru(name: str, path: Path) -> None:
    (first, *_), constants = loops(path)
    assert gru_loop(first, constants) is not None
    condition, body = first.blocks
    kind, change, place = NEAR_MISSES[name]
    assert gru_loop(replace(first, blocks=(condition, changed(body, kind, change, place))), constants) is None


def test_a_loop_that_counts_otherwise_is_no_gru(path: Path) -> None:
    (first, *_), constants = loops(path)
    condition, body = first.blocks
    until = changed(condition, "less", named("less_equal"))
    assert gru_loop(replace(first, blocks=(until, body)), constants) is None
    adds = [made.name for made in body.operations if made.type == "add"]
    faster = changed(body, "add", given("y", [2]), adds.index(body.outputs[0]))
    assert gru_loop(replace(first, blocks=(condition, faster)), constants) is None
    start = given("loop_vars", [1])(first).inputs["loop_vars"]
    late = replace(first, inputs={"loop_vars": (*start, first.inputs["loop_vars"][1])})
    assert gru_loop(late, constants) is None


def test_the_number_of_turns_may_be_computed(path: Path) -> None:
    (first, *_), constants = loops(path)
    condition, body = first.blocks
    until = changed(condition, "less", read("y", "length"))
    layer = gru_loop(replace(first, blocks=(until, body)), constants)
    assert layer is not None
    assert layer.limit == "length"


def test_a_loop_beyond_its_sequence_fails_as_the_program_does(path: Path, x: NDArray[np.float32]) -> None:
    model = load(path)
    (step, *_) = (step for step in model._plan.steps if step.operation.type == "while_loop")
    short = torch.from_numpy(x[:-2])
    states = torch.zeros(LENGTH + 1, BATCH, HIDDEN)
    arguments = [torch.zeros(1, dtype=torch.int32), states, *([short] * (len(step.reads) - 2))]
    with torch.inference_mode(), pytest.raises(PackageError, match="gather"):
        step.call(None, *arguments)
