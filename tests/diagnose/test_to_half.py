import numpy as np
import pytest

from coreml_gate.mil.ir import Constant, TensorType
from coreml_gate.mil.to_half import HalfConstants, narrowed
from coreml_gate.runtime.model import Model, load
from tests.diagnose.conftest import DEEP, RMS, MakeBench

LOOP = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.gru = nn.GRU(4, 4, batch_first=True)
    def forward(self, x):
        return self.gru(x)[0].sum(1)

def samples():
    torch.manual_seed(1)
    return [torch.randn(1, 5, 4)]
"""


@pytest.mark.parametrize(
    ("text", "options"),
    [(RMS, {}), (DEEP, {"conversion": "trace"}), (LOOP, {}), (RMS, {"keep_fp32": ("*/pow",)})],
)
def test_the_narrowed_twin_computes_what_the_converters_package_does(
    bench: MakeBench, text: str, options: dict[str, object]
) -> None:
    case = bench(text, **options).case
    twin = case.twin
    program = narrowed(twin.function(), case.half, HalfConstants())
    model = Model(twin, program, twin.interfaces[twin.default_function], "fp16")
    for inputs in case.inputs:
        np.testing.assert_array_equal(model.predict(inputs)["y"], load(case.shipped).predict(inputs)["y"])


def test_nothing_in_half_is_the_twin_itself(bench: MakeBench) -> None:
    case = bench(RMS).case
    program = narrowed(case.twin.function(), frozenset(), HalfConstants())
    twin = case.twin.function().block.operations
    assert [(item.type, item.name, item.outputs) for item in program.block.operations] == [
        (item.type, item.name, item.outputs) for item in twin
    ]


def test_a_constant_that_would_vanish_is_raised_and_one_that_overflows_is_not_saved() -> None:
    values = np.array([1e-12, -1e-12, 0, 1e9, 0.1], np.float32)
    half = HalfConstants().of(Constant(TensorType("fp32", (5,)), values)).array
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, [5.96e-8, -5.96e-8, 0, np.inf, np.float16(0.1)], rtol=1e-3)
