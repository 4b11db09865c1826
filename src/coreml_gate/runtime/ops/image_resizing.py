"""Resizing and resampling of the last two axes: every mode is a grid of positions, then interpolation."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.registry import EXACT, ROUND, Ints, operation

_IMAGE_RANK = 4


def _grid(start: Tensor, stop: Tensor, count: int, mode: str) -> Tensor:
    """The positions of ``count`` samples in the interval ``start`` to ``stop`` (inclusive), along a new axis.

    The modes are those of ``resize_bilinear``; an axis of ``n`` elements is the interval 0 to ``n - 1``. An
    interval that ends before it starts runs backward, as coremltools' tests of ``crop_resize`` expect.
    """
    places = torch.arange(count, dtype=torch.float32)
    size = (stop - start).abs() + 1
    steps = max(count - 1, 1)
    if mode == "ALIGN_CORNERS" and count == 1:
        return ((start + stop) / 2)[..., None]
    if mode in {"STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"}:
        offset, spacing = torch.zeros_like(start), (size - 1) / steps
    elif mode == "DEFAULT":
        offset, spacing = torch.zeros_like(start), (size - size / count) / steps
    elif mode == "OFFSET_CORNERS":
        spacing = (size - 1).clamp(min=1) / count
        offset = spacing / 2
    else:  # UNALIGN_CORNERS
        spacing = size / count
        offset = spacing / 2 - 0.5
    direction = torch.where(stop < start, -1.0, 1.0)[..., None]
    return start[..., None] + direction * (offset[..., None] + places * spacing[..., None])


def _axis_grid(size: int, count: int, mode: str) -> Tensor:
    return _grid(torch.tensor(0.0), torch.tensor(size - 1.0), count, mode).clamp(0, size - 1)


def _linear(x: Tensor, axis: int, grid: Tensor) -> Tensor:
    low = grid.floor().long().clamp(0, x.shape[axis] - 1)
    high = (low + 1).clamp(max=x.shape[axis] - 1)
    share = (grid - low).reshape(-1, *(1,) * (-axis - 1))
    return x.index_select(axis, low) * (1 - share) + x.index_select(axis, high) * share


def _nearest(x: Tensor, axis: int, grid: Tensor) -> Tensor:
    return x.index_select(axis, (grid + 0.5).floor().long().clamp(0, x.shape[axis] - 1))


def _bilinear(x: Tensor, height: int, width: int, mode: str) -> Tensor:
    rows = _linear(x, -2, _axis_grid(x.shape[-2], height, mode))
    return _linear(rows, -1, _axis_grid(x.shape[-1], width, mode))


def _interpolate(x: Tensor, height: int, width: int, **options: object) -> Tensor:
    """Call torch's kernel, which needs exactly two axes before the spatial ones and keeps channels last."""
    if x.ndim == _IMAGE_RANK:
        return functional.interpolate(x, (height, width), **options)  # type: ignore[arg-type]
    image = x.reshape(1, -1, *x.shape[-2:])
    return functional.interpolate(image, (height, width), **options).reshape(*x.shape[:-2], height, width)  # type: ignore[arg-type]


@operation(ROUND)
def affine_ios15(
    x: Tensor,
    transform_matrix: Tensor,
    output_height: int,
    output_width: int,
    sampling_mode: str,
    padding_mode: str,
    padding_value: float,
    coordinates_mode: str,
    align_corners: bool,
) -> Tensor:
    matrix = transform_matrix.reshape(-1, 2, 3).expand(x.shape[0], 2, 3)
    size = [x.shape[0], x.shape[1], output_height, output_width]
    grid = functional.affine_grid(matrix, size, align_corners)
    return resample_ios15(
        x, grid, sampling_mode, padding_mode, padding_value, coordinates_mode, align_corners
    )


@operation(EXACT)
def crop(x: Tensor, crop_height: Ints, crop_width: Ints) -> Tensor:
    (top, bottom), (left, right) = crop_height, crop_width
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


@operation(ROUND)
def crop_resize(
    x: Tensor,
    roi: Tensor,
    target_height: int = 1,
    target_width: int = 1,
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
    box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST",
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    """Before iOS 16 the values outside the image are undocumented; here they mirror it at its outermost
    pixels.

    This satisfies Apple's only test (``iOS15/test_image_resizing.py``, a box from 2 back to 1); the rule
    ``undefined-crop`` names such boxes.
    """
    boxes, which = _boxes(x, roi)
    places = _Places(target_height, target_width, sampling_mode)
    rows, columns = _grids(x, boxes, places, normalized_coordinates, spatial_scale, box_coordinate_mode)
    height, width = x.shape[-2:]
    mirrored = _fold(columns, width, "reflection"), _fold(rows, height, "reflection")
    return _by_box(_sample(x[which], *mirrored, bilinear=True), roi)


@operation(ROUND)
def crop_resize_ios16(
    x: Tensor,
    roi: Tensor,
    target_height: int = 1,
    target_width: int = 1,
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
    box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST",
    sampling_mode: str = "DEFAULT",
    pad_value: float = 0.0,
) -> Tensor:
    boxes, which = _boxes(x, roi)
    places = _Places(target_height, target_width, sampling_mode)
    grids = _grids(x, boxes, places, normalized_coordinates, spatial_scale, box_coordinate_mode)
    return _by_box(_padded_sample(x[which], *grids, pad_value), roi)


@operation(ROUND)
def crop_resize_ios17(
    x: Tensor,
    boxes: Tensor,
    box_indices: Tensor | None = None,
    target_height: int = 1,
    target_width: int = 1,
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
    box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST",
    sampling_mode: str = "DEFAULT",
    pad_value: float = 0.0,
) -> Tensor:
    which = torch.arange(len(boxes)) if box_indices is None else box_indices.long()
    places = _Places(target_height, target_width, sampling_mode)
    grids = _grids(x, boxes, places, normalized_coordinates, spatial_scale, box_coordinate_mode)
    return _padded_sample(x[which], *grids, pad_value)


@dataclass(frozen=True, slots=True)
class _Places:
    """The number of samples of a box along both axes, and their spacing."""

    height: int
    width: int
    mode: str


def _boxes(x: Tensor, roi: Tensor) -> tuple[Tensor, Tensor]:
    """The corners of each box for each image, and the image that it is cut out of."""
    boxes = roi.reshape(roi.shape[0], -1)
    images = x.shape[0]
    if boxes.shape[1] > _IMAGE_RANK:
        return boxes[:, 1:], boxes[:, 0].long()
    return boxes.repeat_interleave(images, 0), torch.arange(images).repeat(len(boxes))


def _by_box(crops: Tensor, roi: Tensor) -> Tensor:
    return crops.reshape(len(roi), -1, *crops.shape[1:])


def _grids(
    x: Tensor, boxes: Tensor, places: _Places, normalized: bool, scale: float, mode: str
) -> tuple[Tensor, Tensor]:
    """Rows and columns, in pixels, of each sample of each box: (boxes, height, width)."""
    height, width = x.shape[-2:]
    top, left, bottom, right = _corners(boxes.float() * scale, mode)
    if normalized:
        top, bottom = top * (height - 1), bottom * (height - 1)
        left, right = left * (width - 1), right * (width - 1)
    rows = _grid(top, bottom, places.height, places.mode)[:, :, None].expand(-1, -1, places.width)
    columns = _grid(left, right, places.width, places.mode)[:, None, :].expand(-1, places.height, -1)
    return rows, columns


def _padded_sample(x: Tensor, rows: Tensor, columns: Tensor, pad_value: float) -> Tensor:
    height, width = x.shape[-2:]
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    crops = _sample(x, columns.clamp(0, width - 1), rows.clamp(0, height - 1), bilinear=True)
    return torch.where(inside[:, None], crops, pad_value)


def _corners(boxes: Tensor, mode: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Top, left, bottom and right, whatever the convention of the boxes."""
    a, b, c, d = boxes.unbind(1)
    if mode.endswith("WIDTH_FIRST"):
        a, b, c, d = b, a, d, c
    return (a - c / 2, b - d / 2, a + c / 2, b + d / 2) if mode.startswith("CENTER") else (a, b, c, d)


@operation(ROUND)
def resample_ios15(
    x: Tensor,
    coordinates: Tensor,
    sampling_mode: str,
    padding_mode: str,
    padding_value: float,
    coordinates_mode: str,
    align_corners: bool,
) -> Tensor:
    """Coordinates are (x, y) pairs; positions outside the image read the values of the padding mode."""
    height, width = x.shape[-2:]
    across, down = coordinates.float().unbind(-1)
    across = _pixels(across, width, coordinates_mode, align_corners)
    down = _pixels(down, height, coordinates_mode, align_corners)
    bilinear = sampling_mode.lower() == "bilinear"
    if padding_mode == "constant":
        if (
            not bilinear
        ):  # before the frame shifts positions by one, so that ties go to the image's even positions
            across, down = across.round(), down.round()
        framed = functional.pad(x, (1, 1, 1, 1), value=padding_value)
        across, down = (across + 1).clamp(0, width + 1), (down + 1).clamp(0, height + 1)
        return _sample(framed, across, down, bilinear=bilinear)
    return _sample(
        x, _fold(across, width, padding_mode), _fold(down, height, padding_mode), bilinear=bilinear
    )


def _pixels(places: Tensor, size: int, mode: str, align_corners: bool) -> Tensor:
    if mode == "unnormalized":
        return places
    unit = places if mode == "normalized_zero_to_one" else (places + 1) / 2
    return unit * (size - 1) if align_corners else unit * size - 0.5


def _fold(places: Tensor, size: int, mode: str) -> Tensor:
    """Move positions into the image; ``reflection`` mirrors at the edge pixel, ``symmetric`` beside it."""
    if mode == "border":
        return places.clamp(0, size - 1)
    edge = 0.0 if mode == "reflection" else 0.5
    length = size - 1 + 2 * edge
    if length == 0:
        return torch.zeros_like(places)
    from_edge = (places + edge).abs().remainder(2 * length)
    return (torch.minimum(from_edge, 2 * length - from_edge) - edge).clamp(0, size - 1)


def _sample(x: Tensor, across: Tensor, down: Tensor, *, bilinear: bool) -> Tensor:
    """Values at pixel positions inside each image of a batch, interpolated or from the nearest pixel."""
    height, width = x.shape[-2:]
    batch = torch.arange(x.shape[0])[:, None, None]

    def read(rows: Tensor, columns: Tensor) -> Tensor:
        picked = x[batch, :, rows.long().clamp(0, height - 1), columns.long().clamp(0, width - 1)]
        return picked.movedim(-1, 1)

    if not bilinear:
        return read(down.round(), across.round())
    top, left = down.floor(), across.floor()
    low, side = (down - top)[:, None], (across - left)[:, None]
    upper = read(top, left) * (1 - side) + read(top, left + 1) * side
    lower = read(top + 1, left) * (1 - side) + read(top + 1, left + 1) * side
    return upper * (1 - low) + lower * low


@operation(ROUND)
def resize_ios17(
    x: Tensor,
    shape: Ints,
    resized_dims: int,
    interpolation_mode: str = "LINEAR",
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    """A 0 in ``shape`` keeps the size that ``x`` has there, counted from the end."""
    dtype = x.dtype
    for axis in range(-resized_dims, 0):
        count = x.shape[axis] if shape[axis] == 0 else shape[axis]
        grid = _axis_grid(x.shape[axis], count, sampling_mode)
        x = _linear(x, axis, grid) if interpolation_mode == "LINEAR" else _nearest(x, axis, grid)
    return x if dtype.is_floating_point else x.to(dtype)


@operation(ROUND)
def resize_bilinear(
    x: Tensor, target_size_height: int = 1, target_size_width: int = 1, sampling_mode: str = "DEFAULT"
) -> Tensor:
    return _bilinear(x, target_size_height, target_size_width, sampling_mode)


@operation(EXACT)
def resize_nearest_neighbor(x: Tensor, target_size_height: int, target_size_width: int) -> Tensor:
    return _interpolate(x, target_size_height, target_size_width, mode="nearest")


@operation(ROUND)
def upsample_bilinear(
    x: Tensor,
    scale_factor_height: float = 1,
    scale_factor_width: float = 1,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    """If ``half_pixel_centers`` is not given, it is the opposite of ``align_corners``."""
    height, width = int(x.shape[-2] * scale_factor_height), int(x.shape[-1] * scale_factor_width)
    if align_corners or half_pixel_centers is not False:
        return _interpolate(x, height, width, mode="bilinear", align_corners=align_corners)
    return _bilinear(x, height, width, "DEFAULT")


@operation(EXACT)
def upsample_nearest_neighbor(
    x: Tensor, scale_factor_height: float = 1, scale_factor_width: float = 1
) -> Tensor:
    height, width = int(x.shape[-2] * scale_factor_height), int(x.shape[-1] * scale_factor_width)
    return _interpolate(x, height, width, mode="nearest")
