"""Literal expectations of coremltools' tests on images: boxes, resampling, the nearest neighbour."""

from typing import Final

import numpy as np

from tests.core_ml_values.published import Answer, half, operation
from tests.core_ml_values.tests_of_coremltools import apple_test

_GRID: Final = half(*range(1, 17)).reshape(1, 1, 4, 4)
_PIXELS: Final = half(11, 22, 33, 44).reshape(1, 1, 2, 2)
_THREE: Final = half(0.1, 0.3, 1.3, 1.0, 0.5, 1.8, 1.0, 0.3, 0.0, 0.4, 0.6, 0.7).reshape(3, 4)


def _cut(pad: float, opset: int) -> Answer:
    """Three boxes, of which the first leaves the image and the second ends before it starts."""
    box = (
        {"boxes": _THREE, "box_indices": np.zeros(3, np.int32)}
        if opset == 17
        else {"roi": np.hstack([np.zeros((3, 1), np.float16), _THREE]).reshape(3, 1, 5, 1, 1)}
    )
    return operation(
        "crop_resize",
        opset=opset,
        x=_GRID,
        target_height=2,
        target_width=2,
        normalized_coordinates=True,
        box_coordinate_mode="CORNERS_HEIGHT_FIRST",
        sampling_mode="ALIGN_CORNERS",
        pad_value=np.float16(pad),
        **box,
    )


def _corners(pad: float) -> list[float]:
    return [3.1, 5.2, pad, pad, pad, 7.899, pad, 13.9, 2.2, 3.1, 9.4, 10.3]


_CUT: Final = (
    *(
        apple_test(
            "crop_resize",
            f"three boxes, {pad} outside, iOS {opset}",
            f"iOS{opset} test_image_resizing.py, test_builder_to_backend_ios{opset}",
            _corners(pad),
            _cut(pad, opset),
        )
        for pad, opset in ((0.0, 16), (1.0, 16), (10.0, 16), (10.0, 17))
    ),
    apple_test(
        "crop_resize",
        "one box in pixels, iOS 17",
        "iOS17 test_image_resizing.py, test_builder_to_backend_ios17",
        [6, 7, 10, 11],
        operation(
            "crop_resize",
            opset=17,
            x=_GRID,
            boxes=half(1, 1, 2, 2)[None],
            target_height=2,
            target_width=2,
            sampling_mode="ALIGN_CORNERS",
            pad_value=np.float16(10),
        ),
    ),
    apple_test(
        "crop_resize",
        "a box from 2 back to 1, iOS 15",
        "iOS15 test_image_resizing.py, TestCropResize",
        [3.5, 5.5, 11.5, 13.5],
        operation(
            "crop_resize",
            opset=15,
            x=_GRID,
            roi=half(2, 2, 1, 1).reshape(1, 1, 4, 1, 1),
            target_height=2,
            target_width=2,
            normalized_coordinates=True,
            sampling_mode="UNALIGN_CORNERS",
        ),
    ),
)


def _sampled(sampling: str, padding: str, mode: str, fill: float, *, aligned: bool) -> Answer:
    return operation(
        "resample",
        x=_PIXELS,
        coordinates=half(-1, -2, -3.7, -1, 0, 0, 3.5, 1.2).reshape(1, 2, 2, 2),
        sampling_mode=sampling,
        padding_mode=padding,
        padding_value=np.float16(fill),
        coordinates_mode=mode,
        align_corners=aligned,
    )


_TURN: Final = half(-1, -2, -3.7, -1, 3.5, 1.2)[None]
_RESAMPLE: Final = "iOS15 test_image_resizing.py, TestResample"
_SAMPLED: Final = (
    apple_test(
        "resample",
        "bilinear, constant, corners aligned",
        _RESAMPLE,
        [8.585, 6.17, 27.5, 6.17],
        _sampled("bilinear", "constant", "normalized_minus_one_to_one", 6.17, aligned=True),
        relative=4e-3,
    ),
    apple_test(
        "resample",
        "nearest, border, in pixels",
        _RESAMPLE,
        [11, 11, 11, 44],
        _sampled("nearest", "border", "unnormalized", -1, aligned=False),
    ),
    apple_test(
        "resample",
        "bilinear, reflection, from 0 to 1, corners aligned",
        _RESAMPLE,
        [22, 36.3, 11, 34.1],
        _sampled("bilinear", "reflection", "normalized_zero_to_one", -1, aligned=True),
        relative=4e-3,
    ),
    apple_test(
        "resample",
        "nearest, symmetric, from 0 to 1",
        _RESAMPLE,
        [22, 33, 11, 33],
        _sampled("nearest", "symmetric", "normalized_zero_to_one", -1, aligned=False),
    ),
    *(
        apple_test(
            "affine",
            f"to {height} by {width}",
            "iOS15 test_image_resizing.py, TestAffine",
            wanted,
            operation(
                "affine",
                x=_PIXELS,
                transform_matrix=_TURN,
                output_height=height,
                output_width=width,
                sampling_mode="bilinear",
                padding_mode="constant",
                padding_value=np.float16(0),
                coordinates_mode="normalized_minus_one_to_one",
                align_corners=True,
            ),
            relative=4e-3,
            within=1e-2,
        )
        for height, width, wanted in (
            (3, 3, [10.752501, 2.5025, 0, 1.9799997, 0, 0, 0, 0, 0]),
            (2, 5, [10.752501, 5.94, 2.5025, 0.44000006, 0, 0, 0, 0, 0, 0]),
        )
    ),
)

_FRACTIONAL: Final = "iOS15 test_image_resizing.py, TestUpsampleNearestNeighborFractionalScales"
_PAIR: Final = half(-6.174, 9.371).reshape(1, 1, 2, 1)
_REPEATED: Final = (
    *(
        apple_test(
            "upsample_nearest_neighbor",
            f"by {high} and {across}",
            _FRACTIONAL,
            wanted,
            operation(
                "upsample_nearest_neighbor",
                x=half(1.5, -2.5, 3.5).reshape(1, 1, 1, 3),
                scale_factor_height=np.float32(high),
                scale_factor_width=np.float32(across),
            ),
        )
        for high, across, wanted in (
            (3.17, 0.67, [1.5, -2.5, 1.5, -2.5, 1.5, -2.5]),
            (2.0, 1.12, [1.5, -2.5, 3.5, 1.5, -2.5, 3.5]),
        )
    ),
    apple_test(
        "resize",
        "the nearest of 2 by 1 for 3 by 2",
        "iOS17 test_image_resizing.py, test_resize_nearest_neighbor",
        [-6.174, -6.174, 9.371, 9.371, 9.371, 9.371],
        operation(
            "resize",
            opset=17,
            x=_PAIR,
            shape=[3, 2],
            resized_dims=2,
            interpolation_mode="NEAREST_NEIGHBOR",
            sampling_mode="DEFAULT",
        ),
    ),
    apple_test(
        "resize_nearest_neighbor",
        "2 by 1 to 2 by 3",
        "iOS14 test_image_resizing.py, TestResizeNearestNeighbor",
        [0.37, 0.37, 0.37, 6.17, 6.17, 6.17],
        operation(
            "resize_nearest_neighbor",
            x=half(0.37, 6.17).reshape(1, 1, 2, 1),
            target_size_height=2,
            target_size_width=3,
        ),
    ),
)

CASES: Final = (*_CUT, *_SAMPLED, *_REPEATED)
