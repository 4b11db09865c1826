"""Branches, loops, lists, states and labels: what takes or gives something else than tensors."""

from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.errors import PackageError
from coreml_gate.mil.ir import Block, Function, ListType, Operation, StateType, TensorType, Value
from coreml_gate.runtime.compile import compile_function
from coreml_gate.runtime.ops import control_flow
from coreml_gate.runtime.ops.states import State
from tests.runtime.conftest import RunOperation, constant
from tests.runtime.rounding_cases import LARGEST, SMALLEST

EXTREMES = np.array([SMALLEST, -SMALLEST, LARGEST, 0.1], np.float16)


FLOAT, NUMBER, BOOL = TensorType("fp32", (2,)), TensorType("int32", ()), TensorType("bool", ())


def _run(
    inputs: tuple[Value, ...], *operations: Operation, outputs: tuple[str, ...], given: tuple[Any, ...]
) -> Any:
    function = Function("main", 18, inputs, Block(inputs, operations, outputs))
    return compile_function(function, "fp16").run(given)


def _step(kind: str, result: Value, **operands: Any) -> Operation:
    inputs = {name: (item if isinstance(item, str) else constant(item),) for name, item in operands.items()}
    return Operation(kind, result.name, inputs, {}, (result,))


@pytest.mark.parametrize(("chosen", "wanted"), [(True, [6, 8]), (False, [-3, -4])])
def test_a_branch_gives_what_its_block_makes_of_what_it_captures(chosen: bool, wanted: list[float]) -> None:
    x, pred = Value("x", FLOAT), Value("pred", BOOL)
    twice, negative = Value("twice", FLOAT), Value("negative", FLOAT)
    blocks = (
        Block((), (_step("add", twice, x="x", y="x"),), ("twice",)),
        Block((), (_step("mul", negative, x="x", y=-1.0),), ("negative",)),
    )
    branch = Operation("cond", "y", {"pred": ("pred",)}, {}, (Value("y", FLOAT),), blocks)
    given = (torch.tensor([3.0, 4.0]), torch.tensor(chosen))
    (found,) = _run((x, pred), branch, outputs=("y",), given=given)
    assert found.tolist() == wanted


def _loop(stop: str, limit: int) -> tuple[Value, Operation]:
    """Doubles a vector as often as a counter lets it."""
    x, n = Value("x", FLOAT), Value("n", NUMBER)
    go, more, next_n = Value("go", BOOL), Value("more", FLOAT), Value("next_n", NUMBER)
    blocks = (
        Block((n, x), (_step(stop, go, x="n", y=limit),), ("go",)),
        Block(
            (n, x), (_step("add", next_n, x="n", y=1), _step("add", more, x="x", y="x")), ("next_n", "more")
        ),
    )
    start = (constant(0), "given")
    outputs = (Value("count", NUMBER), Value("y", FLOAT))
    return Value("given", FLOAT), Operation("while_loop", "count", {"loop_vars": start}, {}, outputs, blocks)


def test_a_loop_hands_its_values_from_round_to_round() -> None:
    x, loop = _loop("less", 3)
    count, found = _run((x,), loop, outputs=("count", "y"), given=(torch.tensor([1.0, -2.0]),))
    assert (count.item(), found.tolist()) == (3, [8, -16])
    x, loop = _loop("less", 0)
    count, found = _run((x,), loop, outputs=("count", "y"), given=(torch.tensor([1.0, -2.0]),))
    assert (count.item(), found.tolist()) == (0, [1, -2])


def test_an_endless_loop_ends_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_flow, "MOST_ROUNDS", 7)
    x, loop = _loop("greater_equal", 0)
    with pytest.raises(PackageError, match=r"`count` \(while_loop\): the loop has not ended after 7 rounds"):
        _run((x,), loop, outputs=("count", "y"), given=(torch.zeros(2),))


def test_select_picks_place_by_place_and_broadcasts(run_operation: RunOperation) -> None:
    cond, a, b = np.array([[True], [False]]), np.array([1, 2], np.float32), np.array([[3], [4]], np.float32)
    (found,) = run_operation("select", {"cond": cond, "a": a, "b": b})
    np.testing.assert_array_equal(found, np.where(cond, a, b))


def test_a_list_grows_with_zeros_up_to_the_place_that_is_written() -> None:
    x, ls, longer = (
        Value("x", FLOAT),
        Value("ls", ListType(FLOAT, None)),
        Value("longer", ListType(FLOAT, None)),
    )
    steps = (
        _step("make_list", ls, elem_shape=np.array(2, np.int32), init_length=1),
        _step("list_write", longer, ls="ls", index=3, value="x"),
        _step("list_length", Value("n", NUMBER), ls="longer"),
        _step("list_length", Value("before", NUMBER), ls="ls"),
        _step("list_read", Value("gap", FLOAT), ls="longer", index=2),
    )
    outputs = ("n", "before", "gap")
    n, before, gap = _run((x,), *steps, outputs=outputs, given=(torch.tensor([5.0, 6.0]),))
    assert (n.item(), before.item(), gap.tolist()) == (4, 1, [0, 0])


def test_lists_give_back_the_halves_that_were_written() -> None:
    half, number = TensorType("fp16", (4,)), TensorType("int32", ())
    kind = ListType(half, None)
    x, two = Value("x", half), Value("two", TensorType("fp16", (2, 4)))
    sizes = {
        "elem_shape": (constant(np.array(4, np.int32)),),
        "init_length": (constant(1),),
        "dtype": (constant("fp16"),),
    }
    places = (constant(np.array([2, 1], np.int32)),)
    steps = (
        Operation("make_list", "ls", sizes, {}, (Value("ls", kind),)),
        Operation(
            "list_write",
            "one",
            {"ls": ("ls",), "index": (constant(0),), "value": ("x",)},
            {},
            (Value("one", kind),),
        ),
        Operation(
            "list_scatter",
            "all",
            {"ls": ("one",), "indices": places, "value": ("two",)},
            {},
            (Value("all", kind),),
        ),
        Operation("list_length", "n", {"ls": ("all",)}, {}, (Value("n", number),)),
        Operation(
            "list_read", "first", {"ls": ("all",), "index": (constant(0),)}, {}, (Value("first", half),)
        ),
        Operation("list_gather", "rest", {"ls": ("all",), "indices": places}, {}, (Value("rest", two.type),)),
    )
    function = Function("main", 18, (x, two), Block((x, two), steps, ("n", "first", "rest")))
    rows = np.stack([EXTREMES[::-1], -EXTREMES])
    given = (torch.from_numpy(EXTREMES), torch.from_numpy(rows))
    n, first, rest = compile_function(function, "fp16").run(given)
    assert n.item() == 3
    np.testing.assert_array_equal(first.numpy(), EXTREMES)
    np.testing.assert_array_equal(rest.numpy(), rows)


def test_states_give_back_the_halves_that_were_written() -> None:
    half = TensorType("fp16", (4,))
    x, memory = Value("x", half), Value("memory", StateType(half))
    steps = (
        Operation("write_state", "memory", {"input": ("memory",), "data": ("x",)}, {}, ()),
        Operation("read_state", "y", {"input": ("memory",)}, {}, (Value("y", half),)),
    )
    function = Function("main", 18, (x, memory), Block((x, memory), steps, ("y",)))
    (found,) = compile_function(function, "fp16").run(
        (torch.from_numpy(EXTREMES), State(torch.zeros(4).half()))
    )
    np.testing.assert_array_equal(found.numpy(), EXTREMES)


def _summed(tag: str, seed: int) -> tuple[Block, np.ndarray[Any, Any]]:
    """Forty terms, each a row times a matrix that is expanded while the block is compiled, and their sum."""
    row, operations, total = TensorType("fp16", (1, 2)), list[Operation](), np.zeros((1, 2), np.float32)
    before = "x"
    for place in range(40):
        data = np.random.default_rng([seed, place]).permutation(4).reshape(2, 2).astype(np.int8)
        weight, term, name = (f"{tag}_{part}{place}" for part in ("weight", "term", "sum"))
        held = {"quantized_data": data, "zero_point": np.int8(0), "scale": np.float16(1), "axis": 0}
        matrix = (Value(weight, TensorType("fp16", (2, 2))),)
        expanded = {key: constant(value) for key, value in held.items()}
        operations += [
            Operation("constexpr_affine_dequantize", weight, {}, expanded, matrix),
            _step("linear", Value(term, row), x="x", weight=weight, bias=np.zeros(2, np.float16)),
            _step("add", Value(name, row), x=before, y=term),
        ]
        before, total = name, total + data.sum(1)
    return Block((), tuple(operations), (before,)), total + 1


def test_constants_that_nested_blocks_expand_are_never_mixed_up() -> None:
    """A matrix of one block is gone when the next is compiled, and its place in memory is taken again."""
    x, pred = Value("x", TensorType("fp16", (1, 2))), Value("p", BOOL)
    (one, of_one), (other, of_other) = _summed("one", 1), _summed("other", 2)
    made = Operation("cond", "y", {"pred": ("p",)}, {}, (Value("y", x.type),), (one, other))
    function = Function("main", 17, (x, pred), Block((x, pred), (made,), ("y",)))
    for _ in range(10):
        plan = compile_function(function, "fp16")
        for holds, wanted in ((True, of_one), (False, of_other)):
            (found,) = plan.run((torch.ones(1, 2).half(), torch.tensor(holds)))
            np.testing.assert_array_equal(found.numpy(), wanted)


def test_classify_gives_every_half_as_it_is(run_operation: RunOperation) -> None:
    labels = {"classes": ["a", "b", "c", "d"]}
    label, probabilities = run_operation(
        "classify", {"probabilities": EXTREMES}, labels, ("string", "string")
    )
    assert label == "c"
    assert list(probabilities.values()) == EXTREMES.tolist()
