from typing import Any

import numpy as np
import pytest

DATA = np.arange(6, dtype=np.float32).reshape(2, 3)
ROW = np.ones((1, 3), np.float32)


@pytest.mark.parametrize(
    ("operation", "values", "updates"),
    [
        ("gather", "x", None),
        ("gather_along_axis", "x", None),
        ("gather_nd", "x", None),
        ("scatter", "data", ROW),
        ("scatter_along_axis", "data", ROW),
        ("scatter_nd", "data", ROW),
    ],
)
@pytest.mark.parametrize("index", [-1, 2])
def test_asked_to_validate_an_operation_refuses_negative_and_large_indices(
    operation: str, values: str, updates: Any, index: int, run_operation: Any
) -> None:
    shape = (1, 3) if operation.endswith("along_axis") else (1, 1) if operation.endswith("nd") else (1,)
    inputs = {values: DATA, "indices": np.full(shape, index, np.int32)}
    inputs |= {} if updates is None else {"updates": updates}
    with pytest.raises(Exception, match=rf"\({operation}\): index {index} lies outside of 0 to 1"):
        run_operation(operation, inputs, {"validate_indices": True}, opset=17)


@pytest.mark.parametrize(("operation", "index"), [("gather", 1), ("gather_nd", [1])])
def test_a_vector_and_one_index_give_a_scalar(operation: str, index: Any, run_operation: Any) -> None:
    (found,) = run_operation(operation, {"x": DATA[1], "indices": np.array(index, np.int32)})
    assert (found.shape, found.item()) == ((), 4)


def test_unasked_a_negative_index_counts_from_the_end(run_operation: Any) -> None:
    inputs = {"x": DATA, "indices": np.array([-1], np.int32)}
    (found,) = run_operation("gather", inputs, {"validate_indices": False}, opset=17)
    np.testing.assert_array_equal(found, DATA[-1:])
