"""Where Core ML computes otherwise than torch, numpy or MIL's text: values that people published."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.runtime.conftest import RunOperation


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_mod_has_the_sign_of_the_dividend(dtype: Any, run_operation: RunOperation) -> None:
    """apple/coremltools#2778, kasper0406/stablehlo-coreml#70."""
    values = {"x": np.array([-7, 7, -7, 7], dtype), "y": np.array([3, -3, -3, 3], dtype)}
    (found,) = run_operation("mod", values, outputs=({np.int32: "int32", np.float32: "fp32"}[dtype],))
    assert_array_equal(found, [-1, 1, -1, 1])


@pytest.mark.parametrize("mode", ["fp32", "fp16"])
def test_a_power_of_the_constant_2_is_a_square(mode: str, run_operation: RunOperation) -> None:
    """apple/coremltools#2628, #2742: other bases, and a base that is computed, are right."""
    y = np.array([-2, 0, 1, 3, 5], np.float16)
    (two,) = run_operation("pow", {"y": y}, {"x": np.float16(2)}, ("fp16",), mode)
    (three,) = run_operation("pow", {"y": y}, {"x": np.float16(3)}, ("fp16",), mode)
    (computed,) = run_operation("pow", {"x": np.full(5, 2, np.float16), "y": y}, {}, ("fp16",), mode)
    assert_array_equal(two, [4, 0, 1, 9, 25])
    assert_allclose(three, [1 / 9, 1, 3, 27, 243], rtol=1e-3)
    assert_array_equal(computed, [0.25, 1, 2, 8, 32])


def test_uint16_wraps(run_operation: RunOperation) -> None:
    """apple/coremltools#2626: int32 through uint16."""
    x = np.array([0, 4, -12, -21, 65540], np.int32)
    (found,) = run_operation("cast", {"x": x}, {"dtype": "uint16"}, ("uint16",))
    assert_array_equal(found, [0, 4, 65524, 65515, 4])


INTEGERS = {
    "abs": ({"x": np.array([-2147483646, 0, 16777217], np.int32)}, [2147483647, 0, 16777216]),
    "mul": (
        {"x": np.array([2147483646, 0, 5], np.int32), "y": np.array([-1, -1, -1], np.int32)},
        [-2147483648, 0, -5],
    ),
    "select": (
        {
            "cond": np.array([True, False]),
            "a": np.array([16777217, 1], np.int32),
            "b": np.array([0, -2147483647], np.int32),
        },
        [16777216, -2147483648],
    ),
    "sub": (
        {"x": np.array([2147483646, 16777217], np.int32), "y": np.array([1, 0], np.int32)},
        [2147483645, 16777217],
    ),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_come_through_float32_except_in_sums(name: str, run_operation: RunOperation) -> None:
    """abs_gpu and neg_npu in Chromium's baselines, rustnn/rustnn#183, #235 (sub is exact)."""
    values, wanted = INTEGERS[name]
    (found,) = run_operation(name, values, {}, ("int32",))
    assert found.dtype == np.int32
    assert_array_equal(found, wanted)


def test_an_average_that_leaves_the_input_is_over_the_whole_kernel(run_operation: RunOperation) -> None:
    """apple/coremltools#2844, #2772 (CPU_ONLY): torch's edge is twice as large, its corner four times."""
    options = {"kernel_sizes": [2, 2], "strides": [3, 3], "pad_type": "custom", "pad": [0] * 4}
    x = np.arange(49, dtype=np.float32).reshape(1, 1, 7, 7)
    (found,) = run_operation("avg_pool", {"x": x}, {**options, "ceil_mode": True})
    assert_array_equal(found[0, 0], [[4, 7, 4.75], [25, 28, 15.25], [21.25, 22.75, 12]])


def test_a_window_wholly_outside_is_empty(run_operation: RunOperation) -> None:
    """MIL declares it (rdar 80050546); its value on Core ML was never published."""
    options = {"kernel_sizes": [1], "strides": [2], "pad_type": "custom", "pad": [0, 0], "ceil_mode": True}
    x = np.arange(1, 11, dtype=np.float32).reshape(1, 1, 10)
    (largest,) = run_operation("max_pool", {"x": x}, options)
    (mean,) = run_operation("avg_pool", {"x": x}, options)
    assert_array_equal(largest[0, 0], [1, 3, 5, 7, 9, -np.inf])
    assert_array_equal(mean[0, 0], [1, 3, 5, 7, 9, 0])


def test_the_inverse_of_a_half_has_8_bits(run_operation: RunOperation) -> None:
    """reciprocal_cpu in Chromium's baselines (macOS 14, arm64) gives 0.216796875; in float32 it passes."""
    x = np.array([4.62109375, 0, -np.inf, np.inf, 60000, 1], np.float16)
    (half,) = run_operation("inverse", {"x": x}, {"epsilon": np.float32(0)}, ("fp16",))
    (wide,) = run_operation("inverse", {"x": x.astype(np.float32)}, {"epsilon": np.float32(0)})
    assert half[0] == 0.216796875
    assert_array_equal(half[1:4], [np.inf, 0, 0])
    assert_allclose(half[4:], [1 / 60000, 1], rtol=2**-8)
    assert_allclose(wide[[0, 4, 5]], 1 / x[[0, 4, 5]].astype(np.float32), rtol=1e-6)


def test_the_squares_of_an_l2_pool_are_added_in_half(run_operation: RunOperation) -> None:
    """l2Pool2d in Chromium's baselines (macOS 14, arm64, cpu): inf where the root is 289."""
    x = np.full((1, 1, 5, 5), 58, np.float16)
    options = {"kernel_sizes": [5, 5], "pad_type": "valid"}
    (half,) = run_operation("l2_pool", {"x": x}, options, ("fp16",))
    (wide,) = run_operation("l2_pool", {"x": x}, options, ("fp16",), "fp32")
    assert half == np.inf
    assert wide == 290


# test_nms_corner_case_iou_equal_threshold of coremltools 9.0: corners and scores; the first box is flat.
CORNERS = np.array([[3, 2, 3, 0], [0, 0, 2, 2], [1, 3, 2, 1], [0, 2, 1, 3], [1, 1, 2, 3]], np.float32)
BOXES = np.hstack([(CORNERS[:, :2] + CORNERS[:, 2:]) / 2, CORNERS[:, 2:] - CORNERS[:, :2]])
SCORES = np.array([3, 2, 0, 1, 4], np.float32)


@pytest.mark.parametrize(
    ("opset", "dtype", "wanted"),
    [
        (16, np.float32, [4, 0, 1, 3, 2]),
        (16, np.float16, [4, 0, 3, 2]),
        (17, np.float32, [4, 0, 3, 2]),
        (17, np.float16, [4, 0, 3, 2]),
    ],
)
def test_an_overlap_of_just_the_limit_suppresses_from_ios17_on(
    opset: int, dtype: Any, wanted: list[int], run_operation: RunOperation
) -> None:
    boxes, scores = BOXES[None].astype(dtype), SCORES[None, :, None].astype(dtype)
    name = {np.float32: "fp32", np.float16: "fp16"}[dtype]
    options: dict[str, Any] = {"iou_threshold": dtype(0.2), "max_boxes": 5}
    outputs = (name, name, "int32")
    if opset == 17:
        boxes, scores = boxes.swapaxes(1, 2).copy(), scores.swapaxes(1, 2).copy()
    else:
        options, outputs = {**options, "score_threshold": dtype(-10)}, (*outputs, "int32")
    found = run_operation(
        "non_maximum_suppression", {"boxes": boxes, "scores": scores}, options, outputs, opset=opset
    )
    assert found[2].tolist() == [wanted + [-1] * (5 - len(wanted))]


@pytest.mark.parametrize(("ascending", "wanted"), [(True, [1, 3, 2, 0]), (False, [0, 2, 1, 3])])
def test_nan_is_the_least_in_argsort(ascending: bool, wanted: list[int], run_operation: RunOperation) -> None:
    """kasper0406/stablehlo-coreml, test_sort: Core ML puts it first, where others put it last."""
    x = np.array([3, np.nan, 1, -np.inf], np.float16)
    (found,) = run_operation("argsort", {"x": x}, {"axis": 0, "ascending": ascending}, ("int32",))
    assert found.tolist() == wanted


def test_boxes_apart_stay_where_the_limit_is_0(run_operation: RunOperation) -> None:
    """test_nms of coremltools 9.0 runs with a limit of 0."""
    boxes = np.array([[[0, 9, 0.5], [0, 9, 0], [2, 2, 2], [2, 2, 2]]], np.float32)
    scores = np.array([[[3, 2, 1]]], np.float32)
    found = run_operation(
        "non_maximum_suppression",
        {"boxes": boxes, "scores": scores},
        {"iou_threshold": np.float32(0), "max_boxes": 3},
        ("fp32", "fp32", "int32"),
    )
    assert found[2].tolist() == [[0, 1, -1]]
