import numpy as np

from tests.runtime.conftest import RunOperation


def test_quantize_clips_and_dequantize_comes_back(run_operation: RunOperation) -> None:
    x = np.array([[-100.0, 0.26, 100.0], [0.5, 1.5, -0.5]], np.float32)
    constants = {
        "scale": np.array([0.5, 1.0], np.float32),
        "zero_point": np.array([1, 0], np.int8),
        "axis": 0,
    }
    (steps,) = run_operation("quantize", {"input": x}, {**constants, "output_dtype": "int8"}, ("int8",))
    assert steps.tolist() == [[-128, 2, 127], [0, 2, 0]]
    (back,) = run_operation("dequantize", {"input": steps}, constants)
    np.testing.assert_allclose(back, [[-64.5, 0.5, 63], [0, 2, 0]])
