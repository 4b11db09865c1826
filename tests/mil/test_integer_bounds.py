"""Sizes and positions have bounds that the wiring tells; everything else has none."""

import math

import pytest

from coreml_gate.mil.index import Index
from coreml_gate.mil.integer_bounds import IntegerBounds
from coreml_gate.mil.ir import Feature, Function, Operation, Value
from tests.mil.programs import const, function, operation, tensor

X = tensor("x", 1, None, 512)
IDS = tensor("ids", 4, dtype="int32")
UP_TO_40 = Feature("x", "multiarray", "fp16", (1, 8, 512), ranges=((1, 1), (1, 40), (512, 512)))


def program(*operations: Operation, x: Value = X) -> Function:
    return function((x, IDS), *operations, outputs=(operations[-1].name,))


def integer(kind: str, name: str, **inputs: str) -> Operation:
    return operation(kind, tensor(name, 1, dtype="int32"), **inputs)


SIZE = (
    operation("shape", tensor("sizes", 3, dtype="int32"), x="x"),
    const("at", [1]),
    integer("gather", "size", x="sizes", indices="at"),
)


def bound(made: Function, name: str, *features: Feature) -> float:
    return IntegerBounds(Index(made), features).greatest(name)


def test_a_size_is_no_greater_than_the_interface_allows() -> None:
    assert bound(program(*SIZE), "size", UP_TO_40) == 512
    narrow = tensor("x", 1, None)
    assert bound(program(*SIZE, x=narrow), "size", UP_TO_40) == 40
    assert bound(program(*SIZE, x=tensor("x", 2, 7)), "size") == 7


def test_an_open_range_has_no_bound_and_enumerated_shapes_have_their_greatest() -> None:
    endless = Feature("x", "multiarray", "fp16", (1, 8), ranges=((1, 1), (1, None)))
    listed = Feature("x", "multiarray", "fp16", (1, 8), shapes=((1, 8), (1, 96)))
    made = program(*SIZE, x=tensor("x", 1, None))

    assert bound(made, "size", endless) == math.inf
    assert bound(made, "size", listed) == 96
    assert bound(made, "size") == math.inf


@pytest.mark.parametrize(
    ("kind", "expected"), [("add", 47), ("sub", 47), ("mul", 280), ("mod", 7), ("floor_div", 40)]
)
def test_arithmetic_on_sizes_is_bounded(kind: str, expected: float) -> None:
    made = program(
        *SIZE, const("seven", [7]), integer(kind, "y", x="size", y="seven"), x=tensor("x", 1, None)
    )

    assert bound(made, "y", UP_TO_40) == expected


def test_inputs_have_no_bound_whatever_hands_them_on() -> None:
    made = program(const("at", [0]), integer("gather", "y", x="ids", indices="at"))

    assert bound(made, "y", UP_TO_40) == math.inf


def test_a_chosen_position_is_bounded_by_the_axis_and_not_by_what_is_chosen() -> None:
    made = program(integer("reduce_argmax", "y", x="x"))

    assert bound(made, "y", UP_TO_40) == 512


def test_a_chain_that_never_ends_has_no_bound() -> None:
    steps = [integer("add", f"step{n}", x=f"step{n - 1}" if n else "size", y="at") for n in range(5000)]

    assert bound(program(*SIZE, *steps), "step4999", UP_TO_40) == math.inf
