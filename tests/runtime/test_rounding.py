"""Does every operation round where its registration says, and nowhere else?

The wide result is that of the same program with every half widened to float32; numpy rounds it to half.
"""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from coreml_gate.mil.ir import Block, Function, ListType, Operation, StateType, TensorType, Value
from coreml_gate.runtime.compile import compile_function
from coreml_gate.runtime.ops import REGISTRY
from coreml_gate.runtime.ops.states import State
from coreml_gate.runtime.registry import Rounding
from tests.runtime import rounding_cases as tables
from tests.runtime.conftest import RunOperation, constant
from tests.runtime.rounding_cases import LARGEST, SMALLEST, SMALLEST_NORMAL, Case
from tests.runtime.ulps import ulps


def versions(rounding: Rounding) -> list[tuple[str, int]]:
    return [
        (name, since)
        for name, entries in sorted(REGISTRY.items())
        for since, entry in entries.items()
        if entry.rounding is rounding and name not in tables.ELSEWHERE
    ]


def both(run_operation: RunOperation, name: str, since: int, case: Case) -> list[tuple[Any, Any]]:
    """Each output in half precision and wide."""
    opset = max(since, 15)
    found, wide = (
        run_operation(name, case.values, case.constants, case.outputs, mode, opset)
        for mode in ("fp16", "fp32")
    )
    return list(zip(found, wide, strict=True))


def test_every_operation_that_moves_or_rounds_has_a_case() -> None:
    known = {(name, since) for name, entries in REGISTRY.items() for since in entries}
    for rounding, table in ((Rounding.EXACT, tables.EXACT), (Rounding.ROUND, tables.ROUND)):
        assert all(tables.cases(table, name, since) for name, since in versions(rounding))
        assert {key.partition("@")[0] for key in table} <= {name for name, _ in known}
    steps = {
        name
        for name, entries in REGISTRY.items()
        for entry in entries.values()
        if entry.rounding is Rounding.STEPWISE
    }
    assert steps == {"cond", "while_loop"}, "they run other operations; tests/runtime/test_model.py runs them"


@pytest.mark.parametrize(("name", "since"), versions(Rounding.EXACT))
def test_exact_gives_the_wide_result_itself(name: str, since: int, run_operation: RunOperation) -> None:
    for case in tables.cases(tables.EXACT, name, since):
        for found, wide in both(run_operation, name, since, case):
            assert found.size
            np.testing.assert_array_equal(found.astype(wide.dtype), wide)


@pytest.mark.parametrize(("name", "since"), versions(Rounding.ROUND))
def test_round_is_within_one_unit_of_the_wide_result(
    name: str, since: int, run_operation: RunOperation
) -> None:
    overflown = subnormal = False
    for case in tables.cases(tables.ROUND, name, since):
        for found, wide in both(run_operation, name, since, case):
            assert found.size
            if found.dtype != np.float16:
                np.testing.assert_array_equal(found, wide)
                continue
            _check_rounding(found, wide)
            finite = np.abs(wide[np.isfinite(wide)])
            overflown |= bool((finite >= LARGEST + 16).any())
            subnormal |= bool(((finite > SMALLEST) & (finite < SMALLEST_NORMAL)).any())
    assert overflown != (name in tables.BOUNDED)
    assert subnormal != (name in tables.NEVER_SUBNORMAL)


def _check_rounding(found: NDArray[np.float16], wide: NDArray[np.float32]) -> None:
    with np.errstate(over="ignore"):
        wanted = wide.astype(np.float16)
    assert ulps(found, wanted).max() <= 1
    np.testing.assert_array_equal(np.isinf(found), np.isinf(wanted), "overflow becomes infinite")
    assert not ((found == 0) & (np.abs(wide) > SMALLEST)).any(), "subnormals stay"


EXTREMES = np.array([SMALLEST, -SMALLEST, LARGEST, 0.1], np.float16)


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


def test_classify_gives_every_half_as_it_is(run_operation: RunOperation) -> None:
    labels = {"classes": ["a", "b", "c", "d"]}
    label, probabilities = run_operation(
        "classify", {"probabilities": EXTREMES}, labels, ("string", "string")
    )
    assert label == "c"
    assert list(probabilities.values()) == EXTREMES.tolist()
