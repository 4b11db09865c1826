"""A precision check that fails has an operation, a line and a reason, also where none is bad alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from coreml_gate.diagnose.diagnosis import RepairRequest, diagnose
from coreml_gate.diagnose.hazards import Suspicion
from coreml_gate.diagnose.lost_precision import lost_precision
from coreml_gate.diagnose.operation_errors import Damage, OperationErrors
from coreml_gate.diagnose.ranges import Range
from coreml_gate.mil.ir import Function, Operation
from tests.diagnose.conftest import MakeBench
from tests.mil.programs import const, function, operation, tensor

SOURCE = """
class Net(nn.Module):
    def forward(self, x):
{body}

def samples():
    torch.manual_seed(1)
    return [torch.randn(2, 64) + 2]
"""


CLAMPED = """
        small = x * 1e-5
        return small / small.square().mean().clamp(min=1e-12).sqrt()"""
ADDED = """
        small = (x * 1e-4).square()
        return small / (small.mean() + 1e-10)"""
SCALED = """
        return (x * 1e-7).sum(-1, keepdim=True) * 1e6 * x"""
DIFFERENCE = """
        wide = torch.tanh(x) * 0.001 + 30
        return (wide - 30) * 1000"""
VARIANCE = """
        shifted = x * 0.01 + 5
        power = shifted.square().mean(-1, keepdim=True)
        return x * (power - shifted.mean(-1, keepdim=True).square()) * 1e4"""


@pytest.mark.parametrize(
    ("body", "kind", "operation_type", "line"),
    [
        (CLAMPED, "vanishing", "mul", 8),
        (ADDED, "vanishing", "mul", 7),
        (SCALED, "vanishing", "mul", 7),
        (DIFFERENCE, "cancellation", "sub", 8),
        (VARIANCE, "cancellation", "sub", 9),
    ],
)
def test_what_fails_is_named_first_with_its_line(
    bench: MakeBench, body: str, kind: str, operation_type: str, line: int
) -> None:
    made = bench(SOURCE.format(body=body))

    first = diagnose(made.case, made.ranges, RepairRequest()).hazards[0]

    assert (first.kind, first.operation_type, first.bites_in) == (kind, operation_type, "fp16")
    assert first.place == f"net.py:{line}"


def test_an_epsilon_that_changes_on_the_way_to_half_is_named(bench: MakeBench) -> None:
    made = bench(SOURCE.format(body=CLAMPED))

    found = {hazard.kind: hazard for hazard in diagnose(made.case, made.ranges, RepairRequest()).hazards}

    assert found["epsilon"].operation_type == "clip"
    assert found["epsilon"].place == "net.py:8"


def chain(*types: str, constant: Any = 1.0, second: str = "c") -> Function:
    """Operations one after the other, each with a constant as its second operand."""
    operations: list[Operation] = [const("c", np.float16(constant))]
    before = "x"
    for number, kind in enumerate(types):
        operations.append(operation(kind, tensor(f"{kind}{number}", 4), x=before, y=second))
        before = f"{kind}{number}"
    return function((tensor("x", 4),), *operations, outputs=(before,))


def errors(made: Function, **damage: Damage) -> OperationErrors:
    return OperationErrors(made, "fp16", dict(damage))


def located(made: OperationErrors, ranges: Mapping[str, Range] | None = None) -> Suspicion:
    (found,) = lost_precision(made, ranges or {})
    return found


def test_the_operation_at_which_the_error_grows_most_is_named_and_not_the_last_one() -> None:
    made = errors(
        chain("mul", "exp", "relu"),
        mul0=Damage(inherited=0.001),
        exp1=Damage(inherited=0.2),
        relu2=Damage(inherited=0.25),
    )

    assert located(made) == Suspicion("inherited", "exp1", 0.2, 0.001)


def test_a_difference_cancels() -> None:
    made = errors(chain("mul", "sub"), mul0=Damage(inherited=0.001), sub1=Damage(inherited=0.5))

    assert located(made) == Suspicion("cancellation", "sub1", 0.5, 0.001)


def test_values_without_digits_are_named_where_they_first_appear() -> None:
    made = errors(
        chain("mul", "relu", "real_div"),
        mul0=Damage(inherited=0.002, subnormal=0.9),
        relu1=Damage(inherited=0.002, subnormal=0.9),
        real_div2=Damage(inherited=0.7),
    )

    assert located(made).kind == "vanishing"
    assert located(made).operation == "mul0"


def test_an_error_that_no_operand_has_is_rounding() -> None:
    made = errors(chain("exp"), exp0=Damage(inherited=0.04))

    assert located(made) == Suspicion("rounding", "exp0", 0.04, 2.0**-11)


@pytest.mark.parametrize(
    ("dtype", "greatest", "expected"),
    [
        ("int32", 4860.0, Suspicion("whole-numbers", "add0", 4860.0, 2048.0)),
        ("int16", 29_200.0, Suspicion("whole-numbers", "add0", 29_200.0, 2048.0)),
        ("int32", 2000.0, Suspicion("inherited", "cast1", 0.9, 0.001)),
        ("bool", 4860.0, Suspicion("inherited", "cast1", 0.9, 0.001)),
    ],
)
def test_a_cast_to_integers_shows_what_its_maker_lost(
    dtype: str, greatest: float, expected: Suspicion
) -> None:
    made = function(
        (tensor("x", 4),),
        const("c", np.float16(1)),
        const("t", dtype),
        operation("add", tensor("add0", 4), x="x", y="c"),
        operation("cast", tensor("cast1", 4), x="add0", dtype="t"),
        outputs=("cast1",),
    )
    off = errors(made, add0=Damage(inherited=0.001), cast1=Damage(inherited=0.9))

    assert located(off, {"add0": Range(0.0, greatest)}) == expected


def test_without_an_error_there_is_nothing_to_name() -> None:
    assert lost_precision(errors(chain("exp"), exp0=Damage()), {}) == ()
