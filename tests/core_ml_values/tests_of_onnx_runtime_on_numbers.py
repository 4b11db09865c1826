"""Expectations of ONNX Runtime's tests of pools, products, softmax, activations and reductions."""

from typing import Final

import numpy as np

from tests.core_ml_values.published import Published, half, operation, wide
from tests.core_ml_values.tests_of_onnx_runtime import microsoft_test

_POOL: Final = "ONNX Runtime, pool_op_test.cc"
_ACTIVATION: Final = "ONNX Runtime, activation_op_test.cc"
_REDUCTION: Final = "ONNX Runtime, reduction_ops_test.cc"
_ELEMENTWISE: Final = "ONNX Runtime, element_wise_ops_test.cc"

_POOLED: Final = (
    microsoft_test(
        "avg_pool",
        "2 by 2 padded by 1, the border counts",
        f"{_POOL}, AveragePool_IncludePadPixel",
        [
            *(0.0834, 0.3033, 0.3042, 0.0844, 0.2501, 0.5806, 0.5767, 0.2462),
            *(0.3585, 0.6897, 0.7144, 0.3832, 0.1919, 0.4124, 0.4419, 0.2213),
        ],
        operation(
            "avg_pool",
            x=wide(0.3337, 0.8794, 0.3375, 0.6666, 0.4426, 0.6474, 0.7675, 0.8823, 0.8852).reshape(
                1, 1, 3, 3
            ),
            kernel_sizes=[2, 2],
            strides=[1, 1],
            pad_type="custom",
            pad=[1, 1, 1, 1],
            exclude_padding_from_average=False,
            ceil_mode=False,
        ),
        within=1e-4,
    ),
)

_ROWS: Final = half(1, 2, 3, 4, -1, -2, -3, -4).reshape(2, 4)
_COLUMNS: Final = half(0.5, 2.1, 1.2, -0.3, -1.2, 0.2, 1.0, -2.1, 1.3, 4.1, 1.3, -8.1)
_GEMM: Final = "ONNX Runtime, gemm_test.cc"
_MULTIPLIED: Final = tuple(
    microsoft_test(
        "linear",
        what,
        f"{_GEMM}, {test}",
        half(*wanted),
        operation("linear", x=_ROWS, weight=np.ascontiguousarray(weight), bias=half(*bias)),
        within=5e-3,
        relative=1e-3,
    )
    for test, what, weight, bias, wanted in (
        (
            "GemmNoTrans_f16 (bias per column)",
            "halves with a bias per column",
            _COLUMNS.reshape(4, 3).T,
            (0.5, 2.1, 1.2),
            [19.8, 0.7, -25.7, -18.8, 3.5, 28.1],
        ),
        (
            "GemmNoTrans_f16 (scalar bias)",
            "halves with one bias",
            _COLUMNS.reshape(4, 3).T,
            (0.5, 0.5, 0.5),
            [19.8, -0.9, -26.4, -18.8, 1.9, 27.4],
        ),
        (
            "GemmTransB_f16",
            "halves with the weight transposed",
            _COLUMNS.reshape(3, 4),
            (0.5, 0.5, 0.5),
            [7.6, -5.7, -18.5, -6.6, 6.7, 19.5],
        ),
    )
)

_SOFTMAX: Final = "ONNX Runtime, softmax_test.cc"
_TWENTY: Final = wide(
    *(1.0856307, 0.99734545, 0.2829785, 1.5062947, 0.5786002, 1.6514366, 2.4266791, 0.42891264, 1.2659363),
    *(0.8667404, 0.6788862, 0.09470897, 1.4913896, 0.638902, 0.44398195, 0.43435127, 2.20593, 2.1867862),
    *(1.004054, 0.3861864),
).reshape(1, 4, 5)
_SHARES: Final = (
    microsoft_test(
        "softmax",
        "of 10,000 and more",
        f"{_SOFTMAX}, LargeNumber",
        [0.0320586, 0.08714432, 0.23688284, 0.64391428] * 2,
        operation("softmax", x=wide(0, 1, 2, 3, 10000, 10001, 10002, 10003).reshape(2, 4), axis=1),
    ),
    microsoft_test(
        "softmax",
        "along axis 1 of 3",
        f"{_SOFTMAX}, ThreeDimsAxis1_opset13",
        [
            *(0.253289, 0.11198013, 0.08185529, 0.35567388, 0.24795689),
            *(0.44600812, 0.46761957, 0.09471639, 0.2796827, 0.3307607),
            *(0.16864346, 0.04540785, 0.27406466, 0.14939913, 0.2167266),
            *(0.1320594, 0.3749925, 0.5493636, 0.21524426, 0.20455585),
        ],
        operation("softmax", x=_TWENTY, axis=1),
    ),
    microsoft_test(
        "softmax",
        "along the last axis of 3",
        f"{_SOFTMAX}, ThreeDimsAxis2",
        [
            *(0.22277209, 0.20394778, 0.09983283, 0.33927578, 0.13417149),
            *(0.21729809, 0.47177994, 0.06399124, 0.14778666, 0.099144064),
            *(0.1797734, 0.10023525, 0.40512702, 0.17272712, 0.14213723),
            *(0.06506401, 0.3825848, 0.37533033, 0.11501635, 0.062004484),
        ],
        operation("softmax", x=_TWENTY, axis=-1),
    ),
)

_LARGEST: Final = float(np.finfo(np.float32).max)
_EXTREMES: Final = (-1, 0, 1, 100, -100, 1000, -1000, _LARGEST, -_LARGEST, np.inf)
_EDGES: Final = wide(*_EXTREMES)
_ACTIVATED: Final = tuple(
    microsoft_test(kind, what, f"{_ACTIVATION}, {test}", wanted, operation(kind, x=_EDGES, **options))
    for test, kind, what, options, wanted in (
        (
            "Sigmoid",
            "sigmoid",
            "to the largest float32 and infinity",
            {},
            [0.26894142, 0.5, 0.73105858, 1, 0, 1, 0, 1, 0, 1],
        ),
        (
            "Tanh",
            "tanh",
            "to the largest float32 and infinity",
            {},
            [-0.76159416, 0, 0.76159416, 1, -1, 1, -1, 1, -1, 1],
        ),
        (
            "Relu",
            "relu",
            "to the largest float32 and infinity",
            {},
            [0, 0, 1, 100, 0, 1000, 0, _LARGEST, 0, np.inf],
        ),
        (
            "LeakyRelu",
            "leaky_relu",
            "by 0.1 to the largest float32 and infinity",
            {"alpha": np.float32(0.1)},
            [-0.1, 0, 1, 100, -10, 1000, -100, _LARGEST, -0.1 * _LARGEST, np.inf],
        ),
    )
)

_DOZEN: Final = wide(*range(1, 13)).reshape(3, 2, 2)
_PAIRS: Final = wide(5, 1, 20, 2, 30, 1, 40, 2, 55, 1, 60, 2).reshape(3, 2, 2)
_REDUCED: Final = tuple(
    microsoft_test(
        kind,
        f"over axes {', '.join(map(str, axes))}",
        f"{_REDUCTION}, {test}",
        wanted,
        operation(kind, x=x, axes=axes, keep_dims=True),
    )
    for test, kind, x, axes, wanted in (
        ("ReduceProd", "reduce_prod", _DOZEN, [0, 2], [5400, 88704]),
        ("ReduceProd_keepdims", "reduce_prod", _DOZEN, [1], [3, 8, 35, 48, 99, 120]),
        ("ReduceMax", "reduce_max", _DOZEN, [1, 2], [4, 8, 12]),
        ("ReduceMin", "reduce_min", _DOZEN, [0, 2], [1, 3]),
        ("ReduceMin_keepdims", "reduce_min", _PAIRS, [1], [5, 1, 30, 1, 55, 1]),
        ("ReduceMean", "reduce_mean", _DOZEN, [0, 2], [5.5, 7.5]),
        ("ReduceMean_keepdims", "reduce_mean", _PAIRS, [1], [12.5, 1.5, 35, 1.5, 57.5, 1.5]),
    )
)

_POWERS: Final = (
    microsoft_test(
        "pow",
        "of pairs",
        f"{_ELEMENTWISE}, Pow_Float",
        [1, 256, 2, 1],
        operation("pow", x=wide(2, 2, np.sqrt(2), 1), y=wide(0, 8, 2, 9)),
    ),
    microsoft_test(
        "pow",
        "of a row and one exponent",
        f"{_ELEMENTWISE}, Pow_Broadcast_Scalar1",
        [1, 4, 9],
        operation("pow", x=wide(1, 2, 3), y=np.float32(2)),
    ),
)

CASES: Final[tuple[Published, ...]] = (
    *_POOLED,
    *_MULTIPLIED,
    *_SHARES,
    *_ACTIVATED,
    *_REDUCED,
    *_POWERS,
)
