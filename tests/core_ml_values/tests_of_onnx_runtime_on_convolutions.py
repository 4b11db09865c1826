"""Expectations of ONNX Runtime's tests of convolutions.

Its Core ML provider takes only a constant bias, so its tests with a bias given at run time are not here.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.core_ml_values.published import Answer, Published, operation, wide
from tests.core_ml_values.tests_of_onnx_runtime import microsoft_test

_CONV: Final = "ONNX Runtime, conv_op_test.cc"
_TRANSPOSED: Final = "ONNX Runtime, conv_transpose_op_test.cc"
_BASIC: Final = "ONNX Runtime, coreml_basic_test.cc"


def _counted(*shape: int) -> NDArray[np.float32]:
    """0, 1, 2 and so on."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def _ones(*shape: int) -> NDArray[np.float32]:
    return np.ones(shape, np.float32)


def _conv(kind: str, x: NDArray[Any], weight: NDArray[Any], options: dict[str, Any]) -> Answer:
    spatial = x.ndim - 2
    settings = {
        "strides": [1] * spatial,
        "dilations": [1] * spatial,
        "groups": 1,
        "pad_type": "custom",
        "pad": [0] * (2 * spatial),
        **options,
    }
    return operation(kind, x=x, weight=weight, **settings)


_SEVEN: Final = wide(
    *(-0.21559301, 0.46916878, 0.44267005, -0.45174667, -0.05216420, 0.29067183, 0.25101000)
).reshape(1, 1, 7)
_EIGHT: Final = wide(
    *(0.11094123, -0.00380322, 0.38961232, 0.33259106, 0.02794349, -0.08360505, -0.41004550, -0.09502679)
).reshape(1, 1, 8)
_TWO_OF_TWO: Final = wide(0.13225573, 0.09750444, 0.34698492, 0.47434300).reshape(2, 1, 2)
_TWO_KERNELS: Final = wide(
    *(0.43124849, -0.12559029, 0.44889551, -0.31006178, 0.13522828, -0.06791308, 0.22671670, -0.17391828),
    *(-0.31299442, -0.31545523, 0.06560016, 0.26565868, 0.41363758, 0.31231558, -0.37601823, -0.00570881),
    *(0.34922850, 0.45095211),
).reshape(2, 1, 3, 3)
_STRIPES: Final = wide(*([1, 0, 1, 0, 1] * 5)).reshape(1, 1, 5, 5)

_CONVOLVED: Final = tuple(
    microsoft_test("conv", what, f"{_CONV}, {test}", wanted, _conv("conv", x, weight, options))
    for test, what, x, weight, options, wanted in (
        (
            "Conv1D_1",
            "one weight along seven",
            _SEVEN,
            wide(0.24472862).reshape(1, 1, 1),
            {},
            [-0.05276178, 0.11481903, 0.10833403, -0.11055534, -0.01276607, 0.07113571, 0.06142933],
        ),
        (
            "Conv1D_2",
            "dilated by 2, padded by 2, stride 2",
            _EIGHT,
            _TWO_OF_TWO,
            {"strides": [2], "dilations": [2], "pad": [2, 2]},
            [
                *(0.01081726, 0.05266155, 0.05425308, -0.03628557, -0.05423087),
                *(0.05262420, 0.22330481, 0.14844440, -0.18480624, -0.14227961),
            ],
        ),
        (
            "Conv2D_1",
            "one pixel, padded by 1, 1 and 1, 2, stride 3 and 1",
            wide(-0.09103918, -0.32513630).reshape(2, 1, 1, 1),
            _TWO_KERNELS,
            {"strides": [3, 1], "pad": [1, 1, 1, 2]},
            [
                *(-0.01231107, 0.02822777, -0.02843295, -0.03765723),
                *(-0.04396762, 0.10081234, -0.10154513, -0.13448860),
            ],
        ),
        (
            "Conv2D_AutoPad1",
            "pad type same",
            _ones(1, 1, 5, 5),
            _counted(1, 1, 3, 3),
            {"pad_type": "same"},
            [*(24, 33, 33, 33, 20), *((27, 36, 36, 36, 21) * 3), *(12, 15, 15, 15, 8)],
        ),
        (
            "Conv2D_AutoPad2",
            "pad type same_lower",
            _STRIPES,
            _counted(1, 1, 3, 3),
            {"pad_type": "same_lower"},
            [*(11, 22, 11, 22, 11), *((12, 24, 12, 24, 12) * 3), *(5, 10, 5, 10, 5)],
        ),
        (
            "Conv_AutoPad_with_non_default_strides",
            "pad type same_lower, stride 2",
            _counted(1, 1, 5, 5),
            _ones(1, 1, 3, 3),
            {"pad_type": "same_lower", "strides": [2, 2]},
            [12, 27, 24, 63, 108, 81, 72, 117, 84],
        ),
        (
            "Conv2D_group",
            "two groups",
            _counted(1, 2, 3, 3),
            wide(1, 2).reshape(2, 1, 1, 1),
            {"groups": 2},
            [*range(9), *range(18, 36, 2)],
        ),
    )
)

_TEENS: Final = wide(11, 12, 21, 22).reshape(1, 1, 2, 2)
_NINE: Final = wide(3, 8, 1, 9, 5, 7, 3, 2, 6).reshape(1, 1, 3, 3)
_CORNERS: Final = wide(7, 2, 1, 9).reshape(1, 1, 2, 2)
_SPREAD: Final = tuple(
    microsoft_test(
        "conv_transpose", what, f"{_TRANSPOSED}, {test}", wanted, _conv("conv_transpose", x, weight, options)
    )
    for test, what, x, weight, options, wanted in (
        (
            "ConvTranspose_1D",
            "three to two rows of five",
            _counted(1, 1, 3),
            _ones(1, 2, 3),
            {},
            [0, 1, 3, 3, 2, 0, 1, 3, 3, 2],
        ),
        (
            "ConvTranspose_onnx",
            "one channel to two",
            _counted(1, 1, 3, 3),
            _counted(1, 2, 3, 3),
            {},
            [
                *(0, 0, 1, 4, 4, 0, 6, 20, 26, 20, 9, 36, 84, 84, 57, 36, 90, 164, 134, 80),
                *(36, 84, 145, 112, 64, 0, 9, 28, 31, 22, 27, 78, 155, 134, 83),
                *(90, 225, 408, 327, 192, 117, 270, 461, 350, 197, 90, 201, 334, 247, 136),
            ],
        ),
        (
            "ConvTranspose_onnx2",
            "two channels to three",
            _counted(1, 2, 3, 3),
            _counted(2, 3, 2, 2),
            {},
            [
                *(108, 237, 263, 145, 270, 592, 652, 358, 354, 772, 832, 454, 222, 481, 515, 279),
                *(144, 317, 359, 197, 366, 800, 892, 486, 498, 1076, 1168, 630, 306, 657, 707, 379),
                *(180, 397, 455, 249, 462, 1008, 1132, 614, 642, 1380, 1504, 806, 390, 833, 899, 479),
            ],
        ),
        (
            "ConvTranspose_onnx_group",
            "four groups of four to two",
            _counted(1, 16, 1, 1),
            _counted(16, 2, 1, 1),
            {"groups": 4},
            [28, 34, 252, 274, 732, 770, 1468, 1522],
        ),
        (
            "ConvTranspose_2D_Dilation_1",
            "dilated by 2",
            _TEENS,
            _ones(1, 1, 2, 2),
            {"dilations": [2, 2]},
            [11, 12, 11, 12, 21, 22, 21, 22] * 2,
        ),
        (
            "ConvTranspose_2D_Dilation_2",
            "dilated by 3",
            _TEENS,
            _ones(1, 1, 2, 2),
            {"dilations": [3, 3]},
            [
                *(11, 12, 0, 11, 12, 21, 22, 0, 21, 22, 0, 0, 0, 0, 0),
                *(11, 12, 0, 11, 12, 21, 22, 0, 21, 22),
            ],
        ),
        (
            "ConvTranspose_2D_Dilation_3",
            "3 by 3 dilated by 2",
            _NINE,
            _CORNERS,
            {"dilations": [2, 2]},
            [
                *(21, 56, 13, 16, 2, 63, 35, 67, 10, 14, 24, 22, 76, 76, 21),
                *(9, 5, 88, 45, 63, 3, 2, 33, 18, 54),
            ],
        ),
        (
            "ConvTranspose_2D_Dilation_4",
            "3 by 3 dilated by 3",
            _NINE,
            _CORNERS,
            {"dilations": [3, 3]},
            [
                *(21, 56, 7, 6, 16, 2, 63, 35, 49, 18, 10, 14, 21, 14, 42, 6, 4, 12),
                *(3, 8, 1, 27, 72, 9, 9, 5, 7, 81, 45, 63, 3, 2, 6, 27, 18, 54),
            ],
        ),
        (
            "ConvTranspose_2D_Dilation_Group_1",
            "two groups dilated by 2",
            wide(3, 8, 1, 9, 5, 7, 3, 2, 3, 7, 9, 1, 5, 2, 3, 9, 0, 2).reshape(1, 2, 3, 3),
            wide(9, 3, 1, 2, 3, 7, 0, 8).reshape(2, 1, 2, 2),
            {"dilations": [2, 2], "groups": 2},
            [
                *(27, 72, 18, 24, 3, 81, 45, 90, 15, 21, 30, 26, 43, 22, 11, 9, 5, 25, 10, 14, 3, 2, 9, 4, 6),
                *(
                    21,
                    27,
                    52,
                    63,
                    7,
                    15,
                    6,
                    44,
                    14,
                    21,
                    27,
                    0,
                    125,
                    72,
                    22,
                    0,
                    0,
                    40,
                    16,
                    24,
                    0,
                    0,
                    72,
                    0,
                    16,
                ),
            ],
        ),
        (
            "ConvTranspose_2D_NonDefaultStridesAndDilations",
            "stride 2, dilated by 3",
            wide(1, 2).reshape(1, 1, 1, 2),
            _ones(1, 1, 1, 4),
            {"strides": [1, 2], "dilations": [1, 3]},
            [1, 0, 2] * 4,
        ),
    )
)

_FUSED_X: Final = (_counted(1, 2, 4, 4) * np.float32(0.1)) - np.float32(1.5)
_FUSED_WEIGHT: Final = (_counted(3, 2, 2, 2) * np.float32(0.05)) - np.float32(0.4)


def _convolved() -> NDArray[np.float64]:
    """The same convolution, added up in double."""
    x, weight = _FUSED_X[0].astype(np.float64), _FUSED_WEIGHT.astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2), axis=(1, 2))
    return np.asarray(np.einsum("cijkl,ockl->oij", windows, weight))


_FUSED: Final = (
    microsoft_test(
        "conv",
        "2 by 2 over two channels",
        f"{_BASIC}, FusedConv tests before their activation",
        _convolved().reshape(-1),
        _conv("conv", _FUSED_X, _FUSED_WEIGHT, {}),
        within=1e-5,
    ),
)

CASES: Final[tuple[Published, ...]] = (*_CONVOLVED, *_SPREAD, *_FUSED)
