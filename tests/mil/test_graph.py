import numpy as np
import pytest

from coreml_gate.errors import PackageError
from coreml_gate.mil.graph import Live, captured, histogram, last_uses, peak
from coreml_gate.mil.ir import Block, Constant, Function, ListType, Operation, StateType, TensorType, Value
from tests.mil.programs import function, tensor


def operation(kind: str, output: Value, *reads: str, blocks: tuple[Block, ...] = ()) -> Operation:
    names = ("x", "y", "z")
    inputs = {name: (read,) for name, read in zip(names, reads, strict=False)}
    return Operation(kind, output.name, inputs, {}, (output,), blocks)


RESIDUAL = function(
    (tensor("x", 10),),
    operation("relu", tensor("a", 10), "x"),
    operation("exp", tensor("b", 10), "a"),
    operation("add", tensor("c", 10), "b", "a"),
    outputs=("c",),
)


def test_a_value_dies_at_its_last_reader_and_an_output_never() -> None:
    assert last_uses(RESIDUAL.block) == (("x",), (), ("b", "a"))


def test_an_unread_result_dies_at_once() -> None:
    block = Block((tensor("x", 1),), (operation("relu", tensor("a", 1), "x"),), ("x",))
    assert last_uses(block) == (("a",),)


def test_a_nested_block_keeps_what_it_captures() -> None:
    inner = Block((tensor("i", 1),), (operation("add", tensor("s", 1), "i", "a"),), ("s", "b"))
    loop = operation("while_loop", tensor("r", 1), "x", blocks=(inner,))
    assert captured(loop) == {"a", "b"}
    block = Block(
        (tensor("x", 1), tensor("a", 1), tensor("b", 1)),
        (operation("relu", tensor("q", 1), "a"), loop),
        ("r",),
    )
    assert last_uses(block) == (("q",), ("x", "a", "b"))


def test_peak_counts_operands_and_results_at_the_worst_operation() -> None:
    found = peak(RESIDUAL)
    assert (found.bytes, found.operation) == (80, "c")
    assert found.live == (Live("a", 20), Live("b", 20), Live("c", 20), Live("x", 20))


def test_an_input_is_the_callers_and_stays_alive() -> None:
    chain = function(
        (tensor("x", 50),),
        operation("reduce_sum", tensor("a", 10), "x"),
        operation("tile", tensor("b", 40), "a"),
        operation("exp", tensor("c", 40), "b"),
        outputs=("c",),
    )
    assert (peak(chain).bytes, peak(chain).operation) == (100 + 80 + 80, "c")


def test_a_view_shares_its_operands_storage_and_keeps_it_alive() -> None:
    viewed = function(
        (tensor("x", 10),),
        operation("reshape", tensor("a", 2, 5), "x"),
        operation("exp", tensor("b", 2, 5), "a"),
        outputs=("b",),
    )
    copied = function(
        (tensor("x", 10),),
        operation("transpose", tensor("a", 2, 5), "x"),
        operation("exp", tensor("b", 2, 5), "a"),
        operation("exp", tensor("c", 2, 5), "b"),
        outputs=("c",),
    )
    assert peak(viewed).bytes == 40
    assert peak(viewed).live == (Live("b", 20), Live("x", 20))
    assert peak(copied).bytes == 60


def test_constants_and_what_follows_from_them_alone_are_no_activations() -> None:
    made = function(
        (tensor("x", 4),),
        operation("const", tensor("w", 1000)),
        operation("constexpr_cast", tensor("wide", 1000, dtype="fp32"), "w"),
        operation("mul", tensor("y", 4), "x", "wide"),
        outputs=("y",),
    )
    assert peak(made).bytes == 16
    assert histogram(made) == {"mul": 1}


def test_a_nested_block_counts_on_top_of_what_is_alive_around_it() -> None:
    inner = Block((), (operation("exp", tensor("i", 100), "x"),), ("i",))
    outer = function(
        (tensor("x", 100),), operation("cond", tensor("r", 100), "x", blocks=(inner,)), outputs=("r",)
    )
    assert (peak(outer).bytes, peak(outer).operation) == (600, "i")


def test_an_open_dimension_needs_the_shapes_of_a_run() -> None:
    open_shape = function(
        (tensor("x", None, 4),), operation("relu", tensor("a", None, 4), "x"), outputs=("a",)
    )
    with pytest.raises(
        PackageError, match=r"value `x` has the open shape fp16\[\?, 4\].*\nHint: give the shapes"
    ):
        peak(open_shape)
    assert peak(open_shape, {"x": (3, 4), "a": (3, 4)}).bytes == 48


def test_lists_count_their_elements_and_states_nothing() -> None:
    many = Value("many", ListType(TensorType("fp32", (2,)), 5))
    memory = Value("memory", StateType(TensorType("fp16", (1000,))))
    found = peak(Function("main", 18, (memory, many), Block((memory, many), (), ("many",))))
    assert (found.bytes, found.operation) == (40, "the inputs")


def test_packed_types_round_up_to_bytes() -> None:
    assert peak(function((tensor("x", 3, dtype="int4"),), outputs=("x",))).bytes == 2


def test_constant_arguments_are_no_reads() -> None:
    held = Constant(TensorType("fp16", ()), np.zeros(()))
    assert list(Operation("add", "a", {"x": ("v",), "y": (held,)}, {}, ()).reads()) == ["v"]
