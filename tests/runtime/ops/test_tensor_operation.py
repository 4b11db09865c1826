import numpy as np
import pytest
from numpy.typing import NDArray

from tests.runtime.conftest import RunOperation


@pytest.fixture
def x(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal((3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("mode", "numpy_mode"), [("constant", "constant"), ("reflect", "reflect"), ("replicate", "edge")]
)
def test_pad_the_last_axes(
    mode: str, numpy_mode: str, x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    (found,) = run_operation("pad", {"x": x}, {"pad": [2, 1, 3, 0], "mode": mode, "constant_val": 0.0})
    np.testing.assert_array_equal(found, np.pad(x, ((0, 0), (2, 1), (3, 0)), numpy_mode))


def test_topk_is_stable_and_takes_all_for_minus_one(run_operation: RunOperation) -> None:
    x = np.array([[1, 3, 3, 2]], np.float32)
    values, indices = run_operation("topk", {"x": x}, {"k": 3}, ("fp32", "int32"))
    assert (values.tolist(), indices.tolist()) == ([[3, 3, 2]], [[1, 2, 3]])
    values, indices = run_operation("topk", {"x": x}, {"k": -1, "ascending": True}, ("fp32", "int32"))
    assert (values.tolist(), indices.tolist()) == ([[1, 2, 3, 3]], [[0, 3, 1, 2]])


def test_argsort_keeps_the_order_of_equals(run_operation: RunOperation) -> None:
    x = np.array([[1, 3, 3, 2]], np.float32)
    (down,) = run_operation("argsort", {"x": x}, {"axis": 1}, ("int32",))
    (up,) = run_operation("argsort", {"x": x[:, ::-1].copy()}, {"axis": 1, "ascending": True}, ("int32",))
    assert (down.tolist(), up.tolist()) == ([[1, 2, 3, 0]], [[3, 0, 1, 2]])


def test_shapes_and_repetitions(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    (same,) = run_operation("identity", {"x": x})
    np.testing.assert_array_equal(same, x)
    (shape,) = run_operation("shape", {"x": x}, outputs=("int32",))
    assert shape.tolist() == [3, 4, 5]
    (flat,) = run_operation("flatten2d", {"x": x}, {"axis": -1})
    np.testing.assert_array_equal(flat, x.reshape(12, 5))
    (tiled,) = run_operation("tile", {"x": x}, {"reps": np.array([2, 1, 3], np.int32)})
    np.testing.assert_array_equal(tiled, np.tile(x, (2, 1, 3)))
    (stacked,) = run_operation("stack", {"values": (x, -x)}, {"axis": -1})
    np.testing.assert_array_equal(stacked, np.stack((x, -x), -1))


def test_places_that_are_not_zero_come_row_by_row(run_operation: RunOperation) -> None:
    x = np.array([[0, 2, 0], [-1, 0, np.nan]], np.float32)
    (found,) = run_operation("non_zero", {"x": x}, outputs=("int32",))
    assert found.tolist() == [[0, 1], [1, 0], [1, 2]]


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_cumsum(exclusive: bool, reverse: bool, x: NDArray[np.float32], run_operation: RunOperation) -> None:
    (found,) = run_operation("cumsum", {"x": x}, {"axis": 1, "exclusive": exclusive, "reverse": reverse})
    line = x[:, ::-1] if reverse else x
    total = np.cumsum(line, 1) - (line if exclusive else 0)
    np.testing.assert_allclose(found, total[:, ::-1] if reverse else total, rtol=1e-5, atol=1e-6)


def test_one_hot_outside_of_the_vector_is_off_throughout(run_operation: RunOperation) -> None:
    indices = np.array([1, -1, 7], np.int32)
    constants = {"one_hot_vector_size": 3, "on_value": 5, "off_value": 2}
    (found,) = run_operation("one_hot", {"indices": indices}, constants, ("int32",))
    assert found.tolist() == [[2, 5, 2], [2, 2, 2], [2, 2, 2]]


def test_band_part_keeps_diagonals(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    (found,) = run_operation("band_part", {"x": x}, {"lower": 1, "upper": 2})
    np.testing.assert_array_equal(found, np.triu(np.tril(x, 2), -1))


def test_concat_of_scalars_and_interleaved(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    scalars = (np.array(1, np.int32), np.array(2, np.int32))
    (joined,) = run_operation("concat", {"values": scalars}, {"axis": 0}, ("int32",))
    assert joined.tolist() == [1, 2]
    (mixed,) = run_operation("concat", {"values": (x, -x)}, {"axis": -1, "interleave": True})
    np.testing.assert_array_equal(mixed[..., ::2], x)
    np.testing.assert_array_equal(mixed[..., 1::2], -x)


def test_split_by_count_and_by_sizes(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    first, second = run_operation("split", {"x": x}, {"axis": 1, "num_splits": 2}, ("fp32", "fp32"))
    np.testing.assert_array_equal(np.concatenate((first, second), 1), x)
    first, second = run_operation("split", {"x": x}, {"axis": 2, "split_sizes": [1, 4]}, ("fp32", "fp32"))
    assert (first.shape, second.shape) == ((3, 4, 1), (3, 4, 4))


def test_fill_and_range_keep_the_type_of_their_numbers(run_operation: RunOperation) -> None:
    (filled,) = run_operation("fill", {"shape": np.array([2, 1], np.int32)}, {"value": 7}, ("int32",))
    assert filled.tolist() == [[7], [7]]
    (alike,) = run_operation("fill_like", {"ref_tensor": filled}, {"value": -3}, ("int32",))
    assert alike.tolist() == [[-3], [-3]]
    (places,) = run_operation("range_1d", {"end": np.array(7, np.int32)}, {"start": 1, "step": 3}, ("int32",))
    assert places.tolist() == [1, 4]


def test_non_maximum_suppression_keeps_the_best_of_overlapping_boxes(run_operation: RunOperation) -> None:
    boxes = np.array([[[0, 0, 2, 2], [0.1, 0, 2, 2], [5, 5, 1, 1]]], np.float32).swapaxes(1, 2).copy()
    scores = np.array([[[0.5, 0.9, 0.3]]], np.float32)
    kept, found, indices = run_operation(
        "non_maximum_suppression",
        {"boxes": boxes, "scores": scores},
        {"iou_threshold": 0.5, "max_boxes": 3},
        ("fp32", "fp32", "int32"),
    )
    assert indices.tolist() == [[1, 2, -1]]
    np.testing.assert_array_equal(kept[0, :, :2], boxes[0][:, [1, 2]])
    np.testing.assert_array_equal(found[0, 0, :2], scores[0, 0, [1, 2]])


def test_boxes_below_the_score_are_left_out_before_ios17(run_operation: RunOperation) -> None:
    values = {
        "boxes": np.array([[[0, 0, 1, 1], [3, 3, 1, 1], [6, 6, 1, 1]]], np.float32),
        "scores": np.array([[[0.5], [0.9], [0.3]]], np.float32),
    }
    options = {"iou_threshold": 0.5, "score_threshold": 0.4, "max_boxes": 3}
    outputs = ("fp32", "fp32", "int32", "int32")
    *_, indices, count = run_operation("non_maximum_suppression", values, options, outputs, opset=16)
    assert (indices.tolist(), count.tolist()) == ([[1, 0, -1]], [2])


def test_classes_suppress_separately_if_required(run_operation: RunOperation) -> None:
    boxes = np.array([[[0, 0.1], [0, 0], [2, 2], [2, 2]]], np.float32)
    scores = np.array([[[0.9, 0.1], [0.1, 0.8]]], np.float32)
    options = {"iou_threshold": 0.5, "max_boxes": 2, "per_class_suppression": True}
    *_, indices = run_operation(
        "non_maximum_suppression", {"boxes": boxes, "scores": scores}, options, ("fp32", "fp32", "int32")
    )
    assert indices.tolist() == [[0, 1]]
