import numpy as np
import pytest
import torch
from coremltools.converters.mil.mil.ops.defs._utils import spatial_dimensions_out_shape
from numpy.typing import NDArray
from torch.nn import functional

from tests.runtime.conftest import RunOperation


@pytest.fixture
def x(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal((2, 3, 7, 9)).astype(np.float32)


@pytest.mark.parametrize("excluded", [False, True])
def test_average_counts_padding_unless_excluded(
    x: NDArray[np.float32], excluded: bool, run_operation: RunOperation
) -> None:
    wanted = functional.avg_pool2d(torch.from_numpy(x), (3, 2), (2, 2), (1, 1), False, not excluded)
    options = {"kernel_sizes": [3, 2], "strides": [2, 2], "pad_type": "custom", "pad": [1, 1, 1, 1]}
    (found,) = run_operation("avg_pool", {"x": x}, {**options, "exclude_padding_from_average": excluded})
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_ceil_mode_without_the_padding_is_torchs(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    wanted = functional.avg_pool2d(torch.from_numpy(x), (3, 2), (2, 2), (1, 1), True, False)
    options = {"kernel_sizes": [3, 2], "strides": [2, 2], "pad_type": "custom", "pad": [1, 1, 1, 1]}
    (found,) = run_operation(
        "avg_pool", {"x": x}, {**options, "ceil_mode": True, "exclude_padding_from_average": True}
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("size", range(4, 12))
@pytest.mark.parametrize(("kernel", "stride", "pad"), [(3, 2, 1), (2, 3, 0), (1, 2, 0), (3, 3, 1), (5, 4, 2)])
def test_ceil_mode_has_the_windows_that_coremltools_declares(
    size: int, kernel: int, stride: int, pad: int, run_operation: RunOperation
) -> None:
    custom = np.array([pad, pad])
    (windows,) = spatial_dimensions_out_shape("custom", (size,), (kernel,), (stride,), None, custom, True)
    options = {"kernel_sizes": [kernel], "strides": [stride], "pad_type": "custom", "pad": [pad, pad]}
    x = np.arange(size, dtype=np.float32).reshape(1, 1, size)
    for name in ("max_pool", "avg_pool", "l2_pool"):
        (found,) = run_operation(name, {"x": x}, {**options, "ceil_mode": True})
        assert found.shape == (1, 1, windows)


def test_uneven_padding_counts_as_zeros_or_not_at_all(
    x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    options = {"kernel_sizes": [2, 2], "strides": [2, 2], "pad_type": "custom", "pad": [0, 1, 0, 1]}
    (counted,) = run_operation("avg_pool", {"x": x}, options)
    (excluded,) = run_operation("avg_pool", {"x": x}, {**options, "exclude_padding_from_average": True})
    corner = x[..., -1, -1]
    np.testing.assert_allclose(counted[..., -1, -1], corner / 4, rtol=1e-6)
    np.testing.assert_allclose(excluded[..., -1, -1], corner, rtol=1e-6)


def test_max_ignores_padding_even_when_everything_is_negative(run_operation: RunOperation) -> None:
    x = -np.ones((1, 1, 3, 3), np.float32)
    options = {"kernel_sizes": [2, 2], "strides": [2, 2], "pad_type": "custom", "pad": [1, 0, 0, 1]}
    (found,) = run_operation("max_pool", {"x": x}, options)
    np.testing.assert_array_equal(found, -np.ones((1, 1, 2, 2)))


def test_l2_pool_is_the_root_of_the_sum_of_squares(
    x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    (found,) = run_operation("l2_pool", {"x": x}, {"kernel_sizes": [7, 9], "pad_type": "valid"})
    np.testing.assert_allclose(found[..., 0, 0], np.sqrt((x**2).sum((2, 3))), rtol=1e-5)


@pytest.mark.parametrize("excluded", [False, True])
def test_a_window_far_beyond_its_axis_is_not_padded(excluded: bool, run_operation: RunOperation) -> None:
    """Padded, these would be 67 GB each."""
    x = np.random.default_rng(3).standard_normal((1, 4, 3, 5)).astype(np.float32)
    size = 2**16
    pool = {"kernel_sizes": [size, size], "strides": [size, size], "pad_type": "valid", "ceil_mode": True}
    (mean,) = run_operation("avg_pool", {"x": x}, {**pool, "exclude_padding_from_average": excluded})
    wanted = x.sum((2, 3), keepdims=True) / (15 if excluded else size**2)
    np.testing.assert_allclose(mean, wanted, rtol=1e-5)
    (greatest,) = run_operation("max_pool", {"x": x}, pool)
    np.testing.assert_array_equal(greatest, x.max((2, 3), keepdims=True))
    (root,) = run_operation("l2_pool", {"x": x}, pool)
    np.testing.assert_allclose(root, np.sqrt((x**2).sum((2, 3), keepdims=True)), rtol=1e-5)
