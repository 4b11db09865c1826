from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from coreml_gate.runtime.ops.image_resizing import upsample_bilinear
from tests.runtime.conftest import RunOperation


@pytest.fixture
def x(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal((2, 3, 4, 6)).astype(np.float32)


@pytest.mark.parametrize(
    ("mode", "size", "wanted"),
    [
        ("STRICT_ALIGN_CORNERS", 5, [0, 0.25, 0.5, 0.75, 1]),
        ("UNALIGN_CORNERS", 5, [0, 0.1, 0.5, 0.9, 1]),
        ("DEFAULT", 5, [0, 0.4, 0.8, 1, 1]),
        ("OFFSET_CORNERS", 5, [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("ALIGN_CORNERS", 1, [0.5]),
    ],
)
def test_sampling_modes_have_the_grids_of_the_specification(
    mode: str, size: int, wanted: Any, run_operation: RunOperation
) -> None:
    """The examples are those of MIL's ``resize_bilinear``, which interpolate the interval [0, 1]."""
    ramp = np.array([[[0, 1]]], np.float32)
    constants = {"target_size_height": 1, "target_size_width": size, "sampling_mode": mode}
    (found,) = run_operation("resize_bilinear", {"x": ramp}, constants)
    np.testing.assert_allclose(found[0, 0], wanted, atol=1e-6)


@pytest.mark.parametrize("align_corners", [False, True])
def test_upsample_bilinear_equals_torch(
    align_corners: bool, x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    wanted = functional.interpolate(
        torch.from_numpy(x), (10, 9), mode="bilinear", align_corners=align_corners
    )
    constants = {"scale_factor_height": 2.5, "scale_factor_width": 1.5, "align_corners": align_corners}
    (found,) = run_operation("upsample_bilinear", {"x": x}, constants)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_an_image_with_its_channels_last_keeps_them_there(x: NDArray[np.float32]) -> None:
    last = torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
    found = upsample_bilinear(last, 2, 3, align_corners=False)
    assert found.is_contiguous(memory_format=torch.channels_last)
    wanted = upsample_bilinear(torch.from_numpy(x), 2, 3, align_corners=False)
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=0, atol=1e-6)


def test_nearest_repeats_pixels(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    constants = {"scale_factor_height": 2, "scale_factor_width": 3}
    (found,) = run_operation("upsample_nearest_neighbor", {"x": x}, constants)
    np.testing.assert_array_equal(found, x.repeat(2, 2).repeat(3, 3))


def test_resize_to_the_nearest_takes_every_second_pixel(
    x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    constants = {"target_size_height": 8, "target_size_width": 3}
    (found,) = run_operation("resize_nearest_neighbor", {"x": x}, constants)
    np.testing.assert_array_equal(found, x.repeat(2, 2)[..., ::2])


def test_resize_keeps_the_size_where_the_shape_is_zero(
    x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    constants = {"shape": [1, 8, 0], "resized_dims": 2, "sampling_mode": "UNALIGN_CORNERS"}
    (found,) = run_operation("resize", {"x": x}, constants)
    wanted = functional.interpolate(torch.from_numpy(x), (8, 6), mode="bilinear")
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    ("padding", "torch_padding"), [("constant", "zeros"), ("border", "border"), ("reflect", "reflection")]
)
def test_resample_equals_grid_sample(
    align_corners: bool,
    padding: str,
    torch_padding: str,
    x: NDArray[np.float32],
    run_operation: RunOperation,
    rng: np.random.Generator,
) -> None:
    grid = rng.uniform(-1.4, 1.4, (2, 5, 7, 2)).astype(np.float32)
    wanted = functional.grid_sample(
        torch.from_numpy(x), torch.from_numpy(grid), "bilinear", torch_padding, align_corners
    )
    # torch reflects at the pixel's centre with align_corners and at its edge without; MIL names the two.
    named = padding if padding != "reflect" else "reflection" if align_corners else "symmetric"
    constants = {"sampling_mode": "bilinear", "padding_mode": named, "padding_value": 0.0,
                 "coordinates_mode": "normalized_minus_one_to_one",
                 "align_corners": align_corners}  # fmt: skip
    (found,) = run_operation("resample", {"x": x, "coordinates": grid}, constants)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_resample_reads_the_padding_value_far_outside(
    x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    outside = np.full((2, 1, 1, 2), 99, np.float32)
    constants = {"sampling_mode": "nearest", "padding_mode": "constant", "padding_value": 7.0,
                 "coordinates_mode": "unnormalized", "align_corners": True}  # fmt: skip
    (found,) = run_operation("resample", {"x": x, "coordinates": outside}, constants)
    np.testing.assert_array_equal(found, np.full((2, 3, 1, 1), 7))


@pytest.mark.parametrize(("padding", "torch_padding"), [("constant", "zeros"), ("border", "border")])
def test_resample_takes_the_even_pixel_of_two_that_are_as_near(
    padding: str, torch_padding: str, run_operation: RunOperation
) -> None:
    x = np.arange(1, 9, dtype=np.float32).reshape(1, 1, 1, 8)
    places = np.array([-1, -0.5, 0.5, 1.5, 2.5, 6.5, 7.5], np.float32)
    coordinates = np.stack([places, np.zeros_like(places)], -1)[None, None]
    constants = {"sampling_mode": "nearest", "padding_mode": padding, "padding_value": 0.0,
                 "coordinates_mode": "unnormalized", "align_corners": False}  # fmt: skip
    (found,) = run_operation("resample", {"x": x, "coordinates": coordinates}, constants)
    grid = torch.from_numpy((coordinates + 0.5) / np.array([8, 1], np.float32) * 2 - 1)
    wanted = functional.grid_sample(torch.from_numpy(x), grid, "nearest", torch_padding, align_corners=False)
    assert found.tolist() == wanted.tolist()


def test_affine_identity_gives_the_image(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    matrix = np.array([[1, 0, 0, 0, 1, 0]], np.float32)
    constants = {"output_height": 4, "output_width": 6, "sampling_mode": "bilinear",
                 "padding_mode": "constant", "padding_value": 0.0,
                 "coordinates_mode": "normalized_minus_one_to_one", "align_corners": True}  # fmt: skip
    (found,) = run_operation("affine", {"x": x, "transform_matrix": matrix}, constants)
    np.testing.assert_allclose(found, x, atol=1e-5)


def test_crop_resize_reads_boxes_by_image_and_pads_outside(
    x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    boxes = np.array([[1, 2, 3, 5], [0, 0, 3, 7]], np.float32)
    constants = {"box_indices": np.array([1, 0], np.int32), "target_height": 3, "target_width": 4,
                 "sampling_mode": "STRICT_ALIGN_CORNERS", "pad_value": 9.0}  # fmt: skip
    (found,) = run_operation("crop_resize", {"x": x, "boxes": boxes}, constants)
    np.testing.assert_allclose(found[0], x[1, :, 1:4, 2:6], atol=1e-5)
    assert (found[1, :, :, -1] == 9).all()


def test_crop_resize_of_old_gives_every_image_each_box(
    x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    roi = np.array([1, 2, 3, 5], np.float32).reshape(1, 1, 4, 1, 1)
    constants = {"target_height": 3, "target_width": 4, "sampling_mode": "STRICT_ALIGN_CORNERS"}
    (found,) = run_operation("crop_resize", {"x": x, "roi": roi}, constants, opset=16)
    np.testing.assert_allclose(found[0], x[:, :, 1:4, 2:6], atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "box", "rows"),
    [
        ("ALIGN_CORNERS", (2, 1, 1, 0), (2, 1)),
        ("UNALIGN_CORNERS", (3, 3, 0, 0), (2.5, 0.5)),
    ],
)
def test_a_box_that_ends_before_it_starts_is_walked_backward(
    mode: str, box: tuple[float, ...], rows: tuple[float, float], run_operation: RunOperation
) -> None:
    image = np.tile(np.arange(4, dtype=np.float32)[:, None], (1, 4))[None, None]
    constants = {"target_height": 2, "target_width": 2, "sampling_mode": mode}
    (found,) = run_operation("crop_resize", {"x": image, "boxes": np.array([box], np.float32)}, constants)
    np.testing.assert_allclose(found[0, 0], np.tile(np.array(rows)[:, None], (1, 2)))


def test_before_ios_16_the_image_is_mirrored_beyond_its_outermost_pixels(run_operation: RunOperation) -> None:
    image = np.arange(4, dtype=np.float32)[None, None, :, None] * np.ones(4, np.float32)
    roi = np.array([2, 0, 5, 3], np.float32).reshape(1, 1, 4, 1, 1)
    constants = {"target_height": 4, "target_width": 4, "sampling_mode": "ALIGN_CORNERS"}
    (old,) = run_operation("crop_resize", {"x": image, "roi": roi}, constants, opset=15)
    (new,) = run_operation("crop_resize", {"x": image, "roi": roi}, constants, opset=16)
    np.testing.assert_array_equal(old[0, 0, 0, :, 0], [2, 3, 2, 1])
    np.testing.assert_array_equal(new[0, 0, 0, :, 0], [2, 3, 0, 0])


def test_crop(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    (found,) = run_operation("crop", {"x": x}, {"crop_height": [1, 0], "crop_width": [2, 1]})
    np.testing.assert_array_equal(found, x[:, :, 1:, 2:-1])
