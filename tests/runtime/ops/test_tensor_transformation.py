from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from coreml_gate.errors import PackageError
from tests.runtime.conftest import RunOperation


@pytest.fixture
def x(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal((3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("options", "index"),
    [
        ({"begin": [0, 1, 0], "end": [3, 4, 5], "stride": [2, 1, 3]}, np.s_[::2, 1:4, ::3]),
        ({"begin": [-1, 0, 4], "end": [0, 4, 0], "stride": [-1, 1, -2]}, np.s_[-1:0:-1, :, 4:0:-2]),
        (
            {"begin": [9, 1, 2], "end": [9, -1, 9], "begin_mask": [True, False, False],
             "end_mask": [True, False, False]},
            np.s_[:, 1:-1, 2:9],
        ),
        ({"begin": [1, 0, -2], "end": [0, 4, 0], "squeeze_mask": [True, False, True]}, np.s_[1, :, -2]),
        (
            {"begin": [0, 0, 0], "end": [3, 4, 0], "stride": [1, 1, -1], "begin_mask": [False, False, True],
             "end_mask": [False, False, True]},
            np.s_[:, :, ::-1],
        ),
    ],
)  # fmt: skip
def test_slices_are_numpys(
    options: dict[str, Any], index: Any, x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    (found,) = run_operation("slice_by_index", {"x": x}, options)
    np.testing.assert_array_equal(found, x[index])
    update = np.random.default_rng(1).standard_normal(x[index].shape).astype(np.float32)
    wanted = x.copy()
    wanted[index] = update
    (written,) = run_operation("slice_update", {"x": x, "update": update}, options)
    np.testing.assert_array_equal(written, wanted)


def test_one_place_before_an_axis_is_its_first_and_one_behind_it_an_error(
    run_operation: RunOperation,
) -> None:
    x = np.array([4, 5, 6], np.float32)
    (found,) = run_operation("slice_by_index", {"x": x}, {"begin": [-4], "end": [0], "squeeze_mask": [True]})
    assert found == 4
    with pytest.raises(PackageError, match="the index 3 lies outside of an axis of 3"):
        run_operation("slice_by_index", {"x": x}, {"begin": [3], "end": [4], "squeeze_mask": [True]})


def test_slice_by_size_takes_the_rest_for_minus_one(
    x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    (found,) = run_operation("slice_by_size", {"x": x}, {"begin": [1, -3, 0], "size": [1, 2, -1]})
    np.testing.assert_array_equal(found, x[1:2, 1:3])


@pytest.mark.parametrize(
    ("opset", "shape", "wanted"),
    [
        (16, [0, -1], None),
        (16, [0, 2, -1], (3, 2, 10)),
        (17, [1, 0, -1, 0], (1, 3, 4, 5)),
        (17, [-1, 0], (12, 5)),
    ],
)
def test_zeros_in_a_shape_inherit(
    opset: int, shape: Any, wanted: Any, x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    (found,) = run_operation("reshape", {"x": x}, {"shape": shape}, opset=opset)
    assert found.shape == (wanted or (3, 20))
    np.testing.assert_array_equal(found.ravel(), x.ravel())


def test_reshape_like_collects_axes_of_its_references(
    x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    references = (np.zeros((5, 9), np.float32), np.zeros((7, 4, 3), np.float32))
    constants = {"begins": (0, 1), "ends": (1, 0), "end_masks": (False, True)}
    (found,) = run_operation("reshape_like", {"x": x, "ref_tensors": references}, constants)
    assert found.shape == (5, 4, 3)


def test_reverse_sequence_reverses_the_first_elements_only(
    x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    lengths = np.array([2, 4, 0], np.int32)
    (found,) = run_operation(
        "reverse_sequence", {"x": x, "lengths": lengths}, {"seq_axis": 1, "batch_axis": 0}
    )
    wanted = x.copy()
    for row, length in enumerate(lengths):
        wanted[row, :length] = x[row, :length][::-1]
    np.testing.assert_array_equal(found, wanted)


def test_sliding_windows(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    (found,) = run_operation("sliding_windows", {"x": x}, {"axis": 1, "size": 2, "stride": 2})
    np.testing.assert_array_equal(found, np.stack([x[:, 0:2], x[:, 2:4]], 1))


def test_depth_to_space_and_back(run_operation: RunOperation, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 8, 3, 4)).astype(np.float32)
    (space,) = run_operation("depth_to_space", {"x": x}, {"block_size": 2})
    assert space.shape == (2, 2, 6, 8)
    np.testing.assert_array_equal(space[0, 0, :2, :2].ravel(), x[0, [0, 2, 4, 6], 0, 0])
    (depth,) = run_operation("space_to_depth", {"x": space}, {"block_size": 2})
    np.testing.assert_array_equal(depth, x)


def test_pixel_shuffle_orders_channels_as_torch(
    run_operation: RunOperation, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((1, 8, 3, 4)).astype(np.float32)
    (found,) = run_operation("pixel_shuffle", {"x": x}, {"upscale_factor": 2})
    np.testing.assert_array_equal(found, torch.pixel_shuffle(torch.from_numpy(x), 2))
    (back,) = run_operation("pixel_unshuffle", {"x": found}, {"downscale_factor": 2})
    np.testing.assert_array_equal(back, x)


def test_space_to_batch_takes_every_second_place_and_comes_back(
    run_operation: RunOperation, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((1, 2, 3, 4)).astype(np.float32)
    options = {"block_shape": [2, 2]}
    (batch,) = run_operation(
        "space_to_batch", {"x": x}, {**options, "paddings": np.array([[1, 0], [0, 0]], np.int32)}
    )
    padded = np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 0)))
    np.testing.assert_array_equal(batch[1], padded[0, :, ::2, 1::2])
    (back,) = run_operation(
        "batch_to_space", {"x": batch}, {**options, "crops": np.array([[1, 0], [0, 0]], np.int32)}
    )
    np.testing.assert_array_equal(back, x)


def test_expand_and_squeeze_count_axes_of_the_result_and_of_the_operand(
    x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    (wide,) = run_operation("expand_dims", {"x": x}, {"axes": [0, -1]})
    assert wide.shape == (1, 3, 4, 5, 1)
    (narrow,) = run_operation("squeeze", {"x": wide}, {"axes": [-1]})
    assert narrow.shape == (1, 3, 4, 5)
    (all_gone,) = run_operation("squeeze", {"x": wide})
    assert all_gone.shape == x.shape


def test_transpose_and_reverse(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    (turned,) = run_operation("transpose", {"x": x}, {"perm": [2, 0, 1]})
    np.testing.assert_array_equal(turned, x.transpose(2, 0, 1))
    (some,) = run_operation("reverse", {"x": x}, {"axes": [0, -1]})
    np.testing.assert_array_equal(some, x[::-1, :, ::-1])
    (every,) = run_operation("reverse", {"x": x})
    np.testing.assert_array_equal(every, x[::-1, ::-1, ::-1])
