"""The quick check of constants says of every operation what coremltools' own says."""

import numpy as np
import pytest
from coremltools.converters.mil import Builder
from coremltools.converters.mil.mil import Program
from coremltools.converters.mil.mil.passes.defs.quantization import FP16ComputePrecision

from coreml_gate.arrays import Array
from coreml_gate.conversion.quick import quick_conversion
from coreml_gate.untyped import CoreMlObject

INF, NAN = np.inf, np.nan


def program(*constants: Array) -> Program:
    """A sum with each of the constants, and all of them joined, which is one input with several values."""

    @Builder.program(input_specs=[Builder.TensorSpec((3,))])
    def built(x: CoreMlObject) -> CoreMlObject:
        sums = [Builder.add(x=x, y=constant) for constant in constants]
        values = [Builder.const(val=constant) for constant in constants if constant.ndim]
        return Builder.concat(values=[x, *values, *sums], axis=0)

    return built


def answers(made: Program) -> list[bool]:
    operations = (each for each in made.functions["main"].operations if each.op_type in {"add", "concat"})
    return [FP16ComputePrecision.fp16_overflow(each) for each in operations]


@pytest.mark.parametrize(
    ("constant", "overflows"),
    [
        ([0.5, -65504.0, 65504.0], False),
        ([0.5, 65505.0, 1.0], True),
        ([0.5, -70000.0, 1.0], True),
        ([0.0, -INF, 1.0], False),
        ([0.0, INF, -7e4], True),
        ([0.0, -1e38, 3e38], False),
        ([NAN, 1.0, 2.0], False),
        ([NAN, 1.0, 7e4], True),
    ],
)
def test_it_says_what_coremltools_says(constant: list[float], overflows: bool) -> None:
    made = program(np.array(constant, np.float32), np.float32(constant[0]))
    own = answers(made)
    assert own == [overflows, False, overflows]
    with quick_conversion():
        assert answers(made) == own
    assert answers(made) == own


def test_coremltools_looks_no_further_where_all_constants_are_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: CoreMlObject) -> bool:
        raise AssertionError

    made = program(np.array([1.0, 2.0, 3.0], np.float32))
    monkeypatch.setattr(FP16ComputePrecision, "fp16_overflow", staticmethod(refuse))
    with quick_conversion():
        assert answers(made) == [False, False]
    assert FP16ComputePrecision.fp16_overflow is refuse
