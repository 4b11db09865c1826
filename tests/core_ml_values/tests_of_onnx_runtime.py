"""Literal expectations of ONNX Runtime's tests, which Microsoft runs on Core ML's CPU as ML Programs.

The tolerance is that of ``OpTester`` in its ``checkers.cc``. Arrays are cut to the first image and channel.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from coreml_gate.runtime.precision import Mode
from tests.core_ml_values.published import Answer, Published, half, operation, wide

_SYSTEM: Final = "macOS, continuous integration"
_FLOAT: Final = {"within": 1e-5, "relative": 1e-4}
_HALF: Final = {"within": 2.5e-3, "relative": 1e-3}
_RESIZE: Final = "ONNX Runtime, resize_op_test.cc"
_GRID: Final = "ONNX Runtime, grid_sample_test.cc (microsoft/onnxruntime#21431)"
_GROUPS: Final = "ONNX Runtime, group_norm_op_test.cc (microsoft/onnxruntime#22480)"
_LAYERS: Final = "ONNX Runtime, layer_norm_op_test.cc (microsoft/onnxruntime#22480)"
_BASIC: Final = "ONNX Runtime, coreml_basic_test.cc"


def microsoft_test(
    kind: str, what: str, source: str, values: Any, answer: Answer, **tolerance: float
) -> Published:
    return Published(
        kind,
        what,
        "CPU",
        _SYSTEM,
        source,
        [float(value) for value in values],
        answer,
        evidence="test",
        **(tolerance or _FLOAT),
    )


_EIGHT: Final = wide(*range(1, 9)).reshape(1, 1, 2, 4)
_SQUARE: Final = wide(1, 3, 4, 8).reshape(1, 1, 2, 2)
_FOUR: Final = wide(1, 2, 3, 4).reshape(1, 1, 2, 2)
_SIXTEEN: Final = wide(*range(1, 17)).reshape(1, 1, 4, 4)
_COUNTED: Final = wide(*range(1, 13)).reshape(1, 1, 3, 4)

_RESIZED: Final = (
    microsoft_test(
        "upsample_bilinear",
        "half of 2 by 4",
        f"{_RESIZE}, LinearDownSampleTest_4DBilinear1",
        [3.5, 5.5],
        operation(
            "upsample_bilinear",
            x=_EIGHT,
            scale_factor_height=np.float32(0.5),
            scale_factor_width=np.float32(0.5),
            align_corners=False,
        ),
    ),
    microsoft_test(
        "resize_bilinear",
        "2 by 4 to 1 by 2, UNALIGN_CORNERS",
        f"{_RESIZE}, LinearDownSampleTest_4DBilinear1_WithSizes",
        [3.5, 5.5],
        operation(
            "resize_bilinear",
            x=_EIGHT,
            target_size_height=1,
            target_size_width=2,
            sampling_mode="UNALIGN_CORNERS",
        ),
    ),
    microsoft_test(
        "upsample_bilinear",
        "by 2 and 4 with corners aligned",
        f"{_RESIZE}, LinearUpSampleTest_2DBilinear_align_corners (its three-dimensional form)",
        [
            *(1, 1.2857143, 1.571428, 1.857142, 2.142857, 2.4285715, 2.714285, 3),
            *(2, 2.3809524, 2.761904, 3.142857, 3.523809, 3.9047618, 4.285714, 4.66666),
            *(3, 3.4761906, 3.952381, 4.428571, 4.904762, 5.3809524, 5.857143, 6.33333),
            *(4, 4.5714290, 5.142857, 5.714286, 6.285714, 6.8571430, 7.428571, 8),
        ],
        operation(
            "upsample_bilinear", x=_SQUARE, scale_factor_height=2, scale_factor_width=4, align_corners=True
        ),
    ),
    microsoft_test(
        "upsample_bilinear",
        "by 1",
        f"{_RESIZE}, LinearScalesNoOpTest",
        [1, 3, 4, 8],
        operation(
            "upsample_bilinear", x=_SQUARE, scale_factor_height=1, scale_factor_width=1, align_corners=False
        ),
    ),
    microsoft_test(
        "upsample_nearest_neighbor",
        "by 2",
        f"{_RESIZE}, NearestUpSample_Nearest2xOptimization_Scales",
        [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4],
        operation("upsample_nearest_neighbor", x=_FOUR, scale_factor_height=2, scale_factor_width=2),
    ),
    microsoft_test(
        "resize_nearest_neighbor",
        "2 by 2 to 4 by 4",
        f"{_RESIZE}, NearestUpSample_Nearest2xOptimization_Sizes",
        [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4],
        operation("resize_nearest_neighbor", x=_FOUR, target_size_height=4, target_size_width=4),
    ),
)


def _sampled(x: NDArray[Any], grid: NDArray[Any], padding: str, *, aligned: bool) -> Answer:
    return operation(
        "resample",
        x=x.reshape(1, 1, 3, 2),
        coordinates=grid.reshape(1, 3, 2, 2),
        sampling_mode="bilinear",
        padding_mode=padding,
        padding_value=np.float32(0),
        coordinates_mode="normalized_minus_one_to_one",
        align_corners=aligned,
    )


_ZEROS_X: Final = wide(0.185965, 0.133937, -0.763030, 0.733342, 1.932445, -0.582571)
_ZEROS_AT: Final = wide(
    *(-0.460252, 0.734353, -1.069308, 1.005361, 1.198595, -0.327629),
    *(0.474026, 1.196645, 0.361782, 0.469280, 0.440632, -0.490951),
)
_EDGES_X: Final = wide(-1.916003, 0.150784, -0.179898, 0.402727, -0.549764, 1.772484)
_EDGES_AT: Final = wide(
    *(-0.189838, -1.050410, -1.072351, -0.930754, -0.502573, 0.186642),
    *(-0.564332, -0.042774, -0.143740, 1.097448, -0.547044, 1.127440),
)
_BORDER_X: Final = wide(-0.050553, -0.825690, -0.616085, 0.337113, 0.370334, -0.105073)
_BORDER_AT: Final = wide(
    *(-0.330875, 0.589988, 0.011588, -1.144325, -1.038357, 0.435055),
    *(-1.053243, -0.957144, -0.715458, 1.143742, -0.341215, -0.494762),
)
_MIRROR_X: Final = wide(-0.599439, 0.317612, -0.294302, -0.530613, 0.754687, 0.092241)
_MIRROR_AT: Final = wide(
    *(0.853801, 0.833200, -0.477474, 0.131677, 0.571825, 0.858708),
    *(-1.120796, 1.194690, -0.301706, 0.488934, -0.745307, -0.923452),
)
_SAMPLED: Final = (
    microsoft_test(
        "resample",
        "zeros outside",
        f"{_GRID}, 20_4D_bilinear_zeros_no_align_corners",
        [1.646426, 0.409452, 0.132247, -0.106052, -0.009495, 0.270785],
        _sampled(_ZEROS_X, _ZEROS_AT, "constant", aligned=False),
    ),
    microsoft_test(
        "resample",
        "the border outside, corners aligned",
        f"{_GRID}, 20_4D_bilinear_border_align_corners",
        [-1.078787, -1.795786, -0.023270, -0.113413, 0.444460, -0.023826],
        _sampled(_EDGES_X, _EDGES_AT, "border", aligned=True),
    ),
    microsoft_test(
        "resample",
        "the border outside",
        f"{_GRID}, 20_4D_bilinear_border_no_align_corners",
        [0.204265, -0.447104, 0.027635, -0.050553, 0.370334, -0.248695],
        _sampled(_BORDER_X, _BORDER_AT, "border", aligned=False),
    ),
    microsoft_test(
        "resample",
        "mirrored, corners aligned",
        f"{_GRID}, 20_4D_bilinear_reflection_align_corners",
        [0.031577, -0.232574, 0.133168, 0.515460, 0.063332, -0.470541],
        _sampled(_MIRROR_X, _MIRROR_AT, "reflection", aligned=True),
    ),
)

_GROUPED_X: Final = (
    *(3.1513367, 9.283596, 1.4546119, 5.4617004, 8.519701, 1.2382338),
    *(1.7930176, 5.1099434, 7.9195533, 7.638727, 8.065445, 3.8082376),
)
_GROUPED: Final = (
    *(-0.56495477, 1.48930046, -1.13334329, 0.20899761, 1.46688162, -0.98600774),
    *(-0.79911913, 0.31824524, 0.57370438, 0.42193634, 0.6525492, -1.64818992),
)
_PAIRED_X: Final = (
    *(-1.1258, -1.1524, -0.2506, -0.4339, 0.8487, 0.6920, -0.3160, -2.1152, 0.3223, -1.2633, 0.3500, 0.3081),
    *(0.1198, 1.2377, 1.1168, -0.2473, -1.3527, -1.6959, 0.5667, 0.7935, 0.5988, -1.5551, -0.3414, 1.8530),
)
_PAIRED: Final = (
    *(-0.7590, -0.7848, 0.0914, -0.0867, 1.1595, 1.0073, 0.0278, -1.7203, 0.6480, -0.8926, 0.6749, 0.6343),
    *(0.0232, 0.9274, 0.8296, -0.2738, -1.1679, -1.4456, 0.3846, 0.5681, 0.4107, -1.3317, -0.3499, 1.4252),
)


def _normalized(x: NDArray[Any], epsilon: float) -> Answer:
    """One layer norm over the last two axes, as a group norm becomes one."""
    return operation("layer_norm", x=x, axes=[x.ndim - 2, x.ndim - 1], epsilon=x.dtype.type(epsilon))


_NORMALIZED: Final = tuple(
    case
    for name, make, tolerance, loose in (("halves", half, _HALF, 5e-3), ("float32", wide, _FLOAT, 1e-4))
    for case in (
        microsoft_test(
            "layer_norm",
            f"three groups of {name}",
            f"{_GROUPS}, InstanceNorm",
            _GROUPED,
            _normalized(make(*_GROUPED_X).reshape(1, 3, 1, 4), 0.3),
            **tolerance,
        ),
        microsoft_test(
            "layer_norm",
            f"two groups of {name}",
            f"{_GROUPS}, groupsizen",
            _PAIRED,
            _normalized(make(*_PAIRED_X).reshape(1, 2, 3, 4), 0.3),
            within=loose,
        ),
        microsoft_test(
            "layer_norm",
            f"one group of {name}",
            f"{_GROUPS}, LayerNorm17_opset",
            [-1.4638, -0.8783, -0.2928, 0.2928, 0.8783, 1.4638],
            _normalized(make(*range(1, 7)).reshape(1, 1, 2, 3), 1e-5),
            **tolerance,
        ),
        microsoft_test(
            "layer_norm",
            f"two rows of {name}",
            f"{_LAYERS}, LayerNorm17_opset",
            [-1.2247, 0, 1.2247, -1.2247, 0, 1.2247],
            operation(
                "layer_norm",
                x=make(*range(1, 7)).reshape(1, 2, 3),
                axes=[2],
                epsilon=make(1e-5)[0],
            ),
            **tolerance,
        ),
    )
)


def _quick_gelu(alpha: float, x: NDArray[Any]) -> Answer:
    """``x sigmoid(alpha x)``, each step an operation of its own as the provider writes it."""

    def answer(mode: Mode) -> NDArray[Any]:
        scaled = operation("mul", x=x, y=x.dtype.type(alpha))(mode).astype(x.dtype)
        gate = operation("sigmoid", x=scaled)(mode).astype(x.dtype)
        return operation("mul", x=x, y=gate)(mode)

    return answer


_GATED_X: Final = (-10.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 10.0, -5.0, 5.0, 2.0, 20.0)
_GATED: Final = tuple(float(x / (1 + np.exp(-1.5 * x))) for x in _GATED_X)
_HARD_X: Final = (-10.0, -7.0, -6.0, -5.0, -3.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 10.0, 0.5, -0.5)

_CLAIMED: Final = (
    microsoft_test(
        "sigmoid",
        "x sigmoid(1.5 x) in halves",
        f"{_BASIC}, QuickGeluTestFp16",
        _GATED,
        _quick_gelu(1.5, half(*_GATED_X)),
        within=2e-2,
    ),
    microsoft_test(
        "sigmoid",
        "x sigmoid(1.5 x) in float32",
        f"{_BASIC}, QuickGeluTest",
        _GATED,
        _quick_gelu(1.5, wide(*_GATED_X)),
        within=1e-5,
    ),
    microsoft_test(
        "sigmoid_hard",
        "alpha 0.1 and beta 0.6",
        f"{_BASIC}, HardSigmoidTest",
        [min(max(0.1 * x + 0.6, 0), 1) for x in _HARD_X],
        operation("sigmoid_hard", x=wide(*_HARD_X), alpha=np.float32(0.1), beta=np.float32(0.6)),
        within=1e-5,
    ),
    microsoft_test(
        "pad",
        "reflected by 1, 1 and 2, 1",
        f"{_BASIC}, PadReflectMLProgram",
        np.pad(_COUNTED, ((0, 0), (0, 0), (1, 1), (2, 1)), mode="reflect").reshape(-1),
        operation("pad", x=_COUNTED, pad=[1, 1, 2, 1], mode="reflect", constant_val=np.float32(0)),
    ),
    microsoft_test(
        "pad",
        "zeros before and behind the first axis",
        f"{_BASIC}, PadAllDimsMLProgram",
        [0] * 12 + list(range(1, 25)) + [0] * 12,
        operation(
            "pad",
            x=wide(*range(1, 25)).reshape(2, 3, 4),
            pad=[1, 1, 0, 0, 0, 0],
            mode="constant",
            constant_val=np.float32(0),
        ),
    ),
    microsoft_test(
        "linear",
        "3 by 4 with a bias",
        f"{_BASIC}, ExternalDataGemm",
        [3.81, 4.42, 5.03, 5.64, 8.31, 9.82, 11.33, 12.84],
        operation(
            "linear",
            x=wide(*range(1, 7)).reshape(2, 3),
            weight=(wide(*range(1, 13)).reshape(3, 4).T * np.float32(0.1)).copy(),
            bias=wide(0.01, 0.02, 0.03, 0.04),
        ),
        within=1e-5,
    ),
    microsoft_test(
        "gather_nd",
        "rows 0 and 2, constant indices",
        f"{_BASIC}, GatherND_MLProgram",
        [0, 1, 2, 6, 7, 8],
        operation(
            "gather_nd",
            x=wide(*range(12)).reshape(4, 3),
            indices=np.array([[0], [2]], np.int32),
            batch_dims=0,
            validate_indices=False,
        ),
    ),
    microsoft_test(
        "sin",
        "of six numbers",
        f"{_BASIC}, SinCos_MLProgram",
        np.sin([-2.0, -0.5, 0.0, 0.5, 1.0, 2.0]),
        operation("sin", x=wide(-2, -0.5, 0, 0.5, 1, 2)),
        within=1e-5,
    ),
    microsoft_test(
        "cos",
        "of six numbers",
        f"{_BASIC}, SinCos_MLProgram",
        np.cos([-2.0, -0.5, 0.0, 0.5, 1.0, 2.0]),
        operation("cos", x=wide(-2, -0.5, 0, 0.5, 1, 2)),
        within=1e-5,
    ),
    microsoft_test(
        "select",
        "of halves",
        f"{_BASIC}, WhereFloat16_MLProgram",
        [1, -2, 3, -4],
        operation(
            "select",
            "fp16",
            cond=np.array([True, False, True, False]),
            a=half(1, 2, 3, 4),
            b=half(-1, -2, -3, -4),
        ),
    ),
)

CASES: Final = (*_RESIZED, *_SAMPLED, *_NORMALIZED, *_CLAIMED)
