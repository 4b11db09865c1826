"""One case or more for every operation that moves or rounds half precision.

The operands hold ordinary, large and subnormal halves, so that results overflow and underflow where the
operation's formula lets them; ``BOUNDED`` and ``NEVER_SUBNORMAL`` name those whose formula does not.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coreml_gate.mil.ir import Constant, TensorType

Half = NDArray[np.float16]
LARGEST = 65504.0
SMALLEST_NORMAL = 2.0**-14
SMALLEST = 2.0**-24
_rng = np.random.default_rng(7)


@dataclass(frozen=True, slots=True)
class Case:
    """Operands, constants and the declared types of the outputs."""

    values: dict[str, Any]
    constants: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ("fp16",)


def graded(*shape: int) -> Half:
    """Along the first axis in turn ordinary, large and subnormal values, of both signs."""
    scales = np.resize([1.0, 2e4, 1e-6], shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return (_rng.uniform(0.5, 3, shape) * _rng.choice([-1, 1], shape) * scales).astype(np.float16)


def ordinary(*shape: int) -> Half:
    return _rng.uniform(-2, 2, shape).astype(np.float16)


def mixed(*shape: int) -> Half:
    """Ordinary, large and subnormal values anywhere."""
    count = int(np.prod(shape))
    return _rng.permutation(graded(count)).reshape(shape)


def integers(*values: int) -> NDArray[np.int32]:
    return np.array(values, np.int32)


def _bits(mask: Any) -> Constant:
    packed = np.packbits(np.asarray(mask, np.uint8).ravel(), bitorder="little")
    return Constant(TensorType("uint1", np.shape(mask)), packed)


_ELEMENTS = np.concatenate(
    [mixed(60), np.array([0, -0.0, SMALLEST, -SMALLEST, LARGEST, -LARGEST, 1, -1, 3e-3])]
).astype(np.float16)
_POSITIVE = np.abs(_ELEMENTS)
_UNIT = np.concatenate([np.linspace(-0.999, 0.999, 50), [SMALLEST, -SMALLEST, 3e-5]]).astype(np.float16)
_STEPS = np.linspace(-17, 17, 273).astype(np.float16)
_IMAGE = graded(3, 2, 4, 6)
_PIXELS = mixed(2, 4, 4, 6)
_X = mixed(3, 4, 5)
_SIZES = np.abs(graded(3, 4))
_SCALES = np.array([0.5, 6e4, 3e-7], np.float16)
_GAMMA = np.array([1.5, 6e4, 1e-6, -6e4], np.float16)
_BYTES = _rng.integers(-128, 128, (3, 4)).astype(np.int8)
_MASK = np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0]], np.uint8)
_GRID = _rng.uniform(-1, 1, (3, 3, 2, 2)).astype(np.float32)
_SAMPLING = {"sampling_mode": "bilinear", "padding_mode": "border", "padding_value": 0.0,
             "coordinates_mode": "normalized_minus_one_to_one", "align_corners": True}  # fmt: skip
_IDENTITY = np.tile(np.array([1, 0, 0, 0, 1, 0], np.float32), (3, 1))
_POOL = {"kernel_sizes": [2, 2], "pad_type": "valid", "strides": [1, 2]}
_BOXES = np.array([[[0, 0, 2, 2], [0.1, 0, 2, 2], [5, 5, 1, 1]]], np.float16)
_SCORES = np.array([[[0.5], [0.9], [6e-8]]], np.float16)
_NMS = ("fp16", "fp16", "int32", "int32")


def _gates(count: int) -> dict[str, Half]:
    return {"weight_ih": ordinary(count * 2, 4), "weight_hh": ordinary(count * 2, 2)}


_SEQUENCE = np.stack([graded(9, 4), graded(9, 4)])
_START = np.zeros((9, 2), np.float16)

_UNARY = {
    "acos": Case({"x": _UNIT}),
    "asin": Case({"x": _UNIT}),
    "atan": Case({"x": _ELEMENTS}),
    "atanh": Case({"x": _UNIT}),
    "clamped_relu": Case({"x": _ELEMENTS}, {"alpha": 3.0, "beta": 100.0}),
    "cos": Case({"x": _ELEMENTS}),
    "cosh": Case({"x": _STEPS}),
    "elu": Case({"x": _ELEMENTS}, {"alpha": 1e5}),
    "erf": Case({"x": _ELEMENTS}),
    "exp": Case({"x": _STEPS}),
    "exp2": Case({"x": _STEPS * 2}),
    "gelu": Case({"x": _ELEMENTS}),
    "leaky_relu": Case({"x": _ELEMENTS}, {"alpha": 3.0}),
    "linear_activation": Case({"x": _ELEMENTS}, {"alpha": 3.0, "beta": 0.0}),
    "log": Case({"x": _POSITIVE}),
    "rsqrt": Case({"x": _POSITIVE}),
    "scaled_tanh": Case({"x": _ELEMENTS}, {"alpha": 1e5, "beta": 1e-3}),
    "sigmoid": Case({"x": _STEPS}),
    "sigmoid_hard": Case({"x": _ELEMENTS}, {"alpha": 0.2, "beta": 0.0}),
    "silu": Case({"x": _ELEMENTS}),
    "sin": Case({"x": _ELEMENTS}),
    "sinh": Case({"x": np.concatenate([_STEPS, _UNIT])}),
    "softplus": Case({"x": _STEPS}),
    "softsign": Case({"x": _ELEMENTS}),
    "sqrt": Case({"x": _POSITIVE}),
    "square": Case({"x": _ELEMENTS}),
    "tan": Case({"x": _ELEMENTS}),
    "tanh": Case({"x": _ELEMENTS}),
}
_BINARY = {
    name: Case({"x": mixed(400), "y": mixed(400)})
    for name in ("add", "sub", "mul", "real_div", "floor_div", "mod")
}
_REDUCTIONS = {
    name: Case({"x": graded(6, 4, 5)}, {"axes": [1, -1]})
    for name in ("reduce_l1_norm", "reduce_l2_norm", "reduce_mean", "reduce_sum")
}
_RESIZES = {
    "affine": Case(
        {"x": _IMAGE, "transform_matrix": _IDENTITY}, {"output_height": 3, "output_width": 4, **_SAMPLING}
    ),
    "crop_resize@13": Case(
        {"x": _IMAGE, "roi": np.array([1, 1, 3, 4], np.float32).reshape(1, 1, 4, 1, 1)},
        {"target_height": 3, "target_width": 4},
    ),
    "crop_resize@16": Case(
        {"x": _IMAGE, "roi": np.array([1, 1, 3, 4], np.float32).reshape(1, 1, 4, 1, 1)},
        {"target_height": 3, "target_width": 4},
    ),
    "crop_resize@17": Case(
        {"x": _IMAGE, "boxes": np.array([[1, 1, 3, 4]] * 3, np.float32)},
        {"box_indices": integers(0, 1, 2), "target_height": 3, "target_width": 4},
    ),
    "resample": Case({"x": _IMAGE, "coordinates": _GRID}, _SAMPLING),
    "resize": Case({"x": _IMAGE}, {"shape": integers(7, 9), "resized_dims": 2}),
    "resize_bilinear": Case({"x": _IMAGE}, {"target_size_height": 7, "target_size_width": 9}),
    "upsample_bilinear": Case({"x": _IMAGE}, {"scale_factor_height": 1.5, "scale_factor_width": 2.0}),
}

ROUND: dict[str, Case | tuple[Case, ...]] = {
    **_UNARY,
    **_BINARY,
    **_REDUCTIONS,
    **_RESIZES,
    "avg_pool": Case({"x": _IMAGE}, _POOL),
    "batch_norm": Case(
        {"x": ordinary(2, 4, 3, 3)},
        {
            "mean": ordinary(4),
            "variance": np.abs(ordinary(4)),
            "gamma": _GAMMA,
            "beta": np.zeros(4, np.float16),
        },
    ),
    "cast": Case({"x": np.geomspace(1e-8, 1e6, 500).astype(np.float32)}, {"dtype": "fp16"}),
    "constexpr_affine_dequantize": Case(
        {}, {"quantized_data": _BYTES, "zero_point": np.int8(3), "scale": _SCALES, "axis": 0}
    ),
    "constexpr_blockwise_shift_scale": Case({}, {"data": _BYTES, "scale": _SCALES[:, None]}),
    "constexpr_sparse_blockwise_shift_scale": Case(
        {},
        {"data_mask": _bits(_MASK), "nonzero_data": _BYTES.ravel()[:7], "scale": _SCALES[:, None]},
        ("uint1", "fp16"),
    ),
    "conv": Case({"x": _IMAGE}, {"weight": ordinary(3, 2, 2, 2)}),
    "conv_transpose": Case({"x": _IMAGE}, {"weight": ordinary(2, 3, 2, 2)}),
    "cumsum": Case({"x": graded(3, 9)}, {"axis": 1}),
    "dequantize": Case({"input": _BYTES}, {"scale": _SCALES, "axis": 0}),
    "einsum": Case({"values": (graded(3, 4), ordinary(5, 4))}, {"equation": "bi,oi->bo"}),
    "gru": Case(
        {"x": _SEQUENCE, "initial_h": _START}, _gates(3) | {"activation": "linear"}, ("fp16", "fp16")
    ),
    "instance_norm": Case({"x": ordinary(2, 4, 3, 3)}, {"gamma": _GAMMA, "beta": np.zeros(4, np.float16)}),
    "l2_norm": Case({"x": mixed(2, 3, 4, 5)}),
    "layer_norm": Case(
        {"x": ordinary(2, 3, 4)}, {"axes": [-1], "gamma": _GAMMA, "beta": np.zeros(4, np.float16)}
    ),
    "linear": Case({"x": graded(3, 4)}, {"weight": ordinary(5, 4), "bias": np.zeros(5, np.float16)}),
    "local_response_norm": Case({"x": _IMAGE}, {"size": 3, "alpha": 1e-12, "beta": 1.0, "k": 0.1}),
    "lstm": Case(
        {"x": _SEQUENCE, "initial_h": _START, "initial_c": _START},
        _gates(4) | {"activation": "linear", "cell_activation": "linear"},
        ("fp16",) * 3,
    ),
    "matmul": Case({"x": graded(3, 4), "y": ordinary(4, 5)}),
    "pow": Case({"x": _POSITIVE, "y": np.resize(np.array([1.5, -0.9, 3], np.float16), _POSITIVE.shape)}),
    "prelu": Case({"x": mixed(3, 4, 5)}, {"alpha": np.array([3, 0.1, 2, 0.5], np.float16)}),
    "quantize": Case(
        {"input": mixed(3, 4)},
        {"scale": np.float16(0.5), "zero_point": np.int8(3), "output_dtype": "int8"},
        ("int8",),
    ),
    "random_bernoulli": Case({}, {"shape": integers(50), "seed": 3}),
    "random_categorical": Case({"x": ordinary(3, 4)}, {"size": 9, "seed": 3}),
    "random_normal": tuple(
        Case({}, {"shape": integers(500), "stddev": size, "seed": 3}) for size in (6e4, 1e-5)
    ),
    "random_uniform": tuple(
        Case({}, {"shape": integers(500), "high": size, "seed": 3}) for size in (1e5, 1e-5)
    ),
    "range_1d": Case({"end": np.array(1e-4, np.float16)}, {"start": np.float16(0), "step": np.float16(7e-6)}),
    "reduce_log_sum": Case({"x": np.abs(graded(3, 4))}, {"axes": [-1]}),
    "reduce_log_sum_exp": Case({"x": graded(3, 4)}, {"axes": [-1]}),
    "reduce_prod": Case({"x": np.array([[300, 300], [1e-3, 1e-2], [2, 3]], np.float16)}, {"axes": [-1]}),
    "reduce_sum_square": Case(
        {"x": np.concatenate([graded(3, 4), ordinary(3, 4) * np.float16(1e-3)])}, {"axes": [-1]}
    ),
    "rnn": Case(
        {"x": _SEQUENCE, "initial_h": _START}, _gates(1) | {"activation": "linear"}, ("fp16", "fp16")
    ),
    "scaled_dot_product_attention": Case(
        {"query": ordinary(3, 4, 2), "key": ordinary(3, 5, 2), "value": graded(3, 5, 2)}
    ),
    "scatter": Case({"data": _SIZES, "indices": integers(0, 0, 2), "updates": _SIZES[:, 1:]}, {"axis": 1}),
    "scatter_along_axis": Case(
        {"data": _SIZES, "indices": np.zeros((3, 4), np.int32), "updates": _SIZES}, {"axis": 1}
    ),
    "scatter_nd": Case(
        {"data": _SIZES, "indices": integers(0, 1, 2, 0, 1)[:, None], "updates": np.abs(graded(5, 4))}
    ),
    "softmax": Case({"x": _STEPS.reshape(3, -1)}),
    "softplus_parametric": Case(
        {"x": mixed(2, 3, 7) * np.float16(0.5)}, {"alpha": _SCALES, "beta": np.ones(3, np.float16)}
    ),
}

_RELATIONS = ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal")
_LOGIC = ("logical_and", "logical_or", "logical_xor")

EXACT: dict[str, Case | tuple[Case, ...]] = {
    **{
        name: Case({"x": _ELEMENTS})
        for name in ("abs", "ceil", "floor", "relu", "relu6", "round", "sign", "identity")
    },
    **{name: Case({"x": _ELEMENTS, "y": _ELEMENTS[::-1].copy()}) for name in ("maximum", "minimum")},
    **{name: Case({"x": _ELEMENTS, "y": np.sort(_ELEMENTS)}, outputs=("bool",)) for name in _RELATIONS},
    **{
        name: Case(
            {"x": np.array([True, False] * 2), "y": np.array([True] * 2 + [False] * 2)}, outputs=("bool",)
        )
        for name in _LOGIC
    },
    **{name: Case({"x": _X}, {"axes": [1]}) for name in ("reduce_max", "reduce_min", "reverse")},
    **{
        name: Case({"x": _X}, {"axis": 1}, ("int32",))
        for name in ("argsort", "reduce_argmax", "reduce_argmin")
    },
    "band_part": Case({"x": _X}, {"lower": 1, "upper": 0}),
    "batch_to_space": Case(
        {"x": mixed(4, 2, 3, 3)}, {"block_shape": [2, 2], "crops": np.zeros((2, 2), np.int32)}
    ),
    "clip": Case({"x": _ELEMENTS}, {"alpha": np.float16(-0.3), "beta": np.float16(3e-5)}),
    "concat": Case({"values": (_X, _X)}, {"axis": 1, "interleave": True}),
    "constexpr_cast": Case({}, {"source_val": _ELEMENTS, "output_dtype": "fp32"}, ("fp32",)),
    "constexpr_lut_to_dense@16": Case(
        {},
        {"indices": _rng.integers(0, 256, 12).astype(np.uint8), "lut": mixed(256), "shape": integers(3, 4)},
    ),
    "constexpr_lut_to_dense@18": Case(
        {}, {"indices": _rng.integers(0, 4, (3, 4)).astype(np.uint8), "lut": mixed(3, 1, 4, 1)}
    ),
    "constexpr_lut_to_sparse": Case(
        {},
        {
            "indices_mask": _bits(_MASK),
            "indices_nonzero_data": np.array([0, 1, 2, 3, 2, 1, 0], np.uint8),
            "lut": mixed(3, 1, 4, 1),
        },
        ("uint1", "fp16"),
    ),
    "constexpr_sparse_to_dense@16": Case(
        {},
        {
            "nonzero_data": mixed(7),
            "mask": np.packbits(_MASK.ravel(), bitorder="little"),
            "shape": integers(3, 4),
        },
    ),
    "constexpr_sparse_to_dense@18": Case({}, {"nonzero_data": mixed(7), "mask": _bits(_MASK)}),
    "crop": Case({"x": _PIXELS}, {"crop_height": [1, 0], "crop_width": [2, 1]}),
    "depth_to_space": Case({"x": _PIXELS}, {"block_size": 2}),
    "expand_dims": Case({"x": _X}, {"axes": [0, -1]}),
    "fill": tuple(
        Case({}, {"shape": integers(2), "value": np.float16(value)}) for value in (SMALLEST, LARGEST)
    ),
    "fill_like": Case({"ref_tensor": _X}, {"value": np.float16(SMALLEST)}),
    "flatten2d": Case({"x": _X}, {"axis": 2}),
    "gather": Case({"x": _X, "indices": integers(3, 0, -1)}, {"axis": 1}),
    "gather_along_axis": Case(
        {"x": _X, "indices": _rng.integers(0, 4, (3, 2, 5)).astype(np.int32)}, {"axis": 1}
    ),
    "gather_nd": Case({"x": _X, "indices": np.array([[0, 3], [2, 1]], np.int32)}),
    "logical_not": Case({"x": np.array([True, False])}, outputs=("bool",)),
    "max_pool": Case({"x": _PIXELS}, _POOL),
    "non_maximum_suppression@13": Case(
        {"boxes": _BOXES, "scores": _SCORES},
        {"iou_threshold": 0.5, "score_threshold": 0.0, "max_boxes": 3},
        _NMS,
    ),
    "non_maximum_suppression@17": Case(
        {"boxes": _BOXES.swapaxes(1, 2).copy(), "scores": _SCORES.swapaxes(1, 2).copy()},
        {"iou_threshold": 0.5, "max_boxes": 3},
        _NMS[:3],
    ),
    "non_zero": Case({"x": np.array([0, SMALLEST, 0, LARGEST], np.float16)}, outputs=("int32",)),
    "one_hot": Case(
        {"indices": integers(1, 0)},
        {"one_hot_vector_size": 3, "on_value": np.float16(LARGEST), "off_value": np.float16(SMALLEST)},
    ),
    "pad": Case({"x": _X}, {"pad": integers(0, 0, 1, 2), "constant_val": np.float16(SMALLEST)}),
    "pixel_shuffle": Case({"x": _PIXELS}, {"upscale_factor": 2}),
    "pixel_unshuffle": Case({"x": _PIXELS}, {"downscale_factor": 2}),
    "reshape": Case({"x": _X}, {"shape": integers(5, -1)}),
    "reshape_like": Case(
        {"x": _X, "ref_tensors": (mixed(4, 3), mixed(5, 1))},
        {"begins": (0, 0), "ends": (2, 1), "end_masks": (False, False)},
    ),
    "resize_nearest_neighbor": Case({"x": _PIXELS}, {"target_size_height": 7, "target_size_width": 3}),
    "reverse_sequence": Case({"x": _X, "lengths": integers(2, 4, 0)}, {"seq_axis": 1, "batch_axis": 0}),
    "select": Case({"cond": np.resize([True, False], _ELEMENTS.shape), "a": _ELEMENTS, "b": -_ELEMENTS}),
    "shape": Case({"x": _X}, outputs=("int32",)),
    "slice_by_index": Case({"x": _X}, {"begin": [0, 1, 0], "end": [3, 4, 5], "stride": [2, 1, 3]}),
    "slice_by_size": Case({"x": _X}, {"begin": [1, 0, 2], "size": [1, 2, -1]}),
    "slice_update": Case(
        {"x": _X, "update": mixed(2, 3, 2)}, {"begin": [0, 1, 0], "end": [3, 4, 5], "stride": [2, 1, 3]}
    ),
    "sliding_windows": Case({"x": _X}, {"axis": 1, "size": 2}),
    "space_to_batch": Case({"x": _PIXELS}, {"block_shape": [2, 2], "paddings": np.zeros((2, 2), np.int32)}),
    "space_to_depth": Case({"x": _PIXELS}, {"block_size": 2}),
    "split": Case({"x": _X}, {"axis": 2, "split_sizes": [1, 4]}, ("fp16", "fp16")),
    "squeeze": Case({"x": mixed(3, 1, 4)}, {"axes": [1]}),
    "stack": Case({"values": (_X, -_X)}, {"axis": 1}),
    "threshold": Case({"x": _ELEMENTS}, {"alpha": np.float16(3e-5)}),
    "thresholded_relu": Case({"x": _ELEMENTS}, {"alpha": np.float16(3e-5)}),
    "tile": Case({"x": _X}, {"reps": integers(1, 2, 1)}),
    "topk": Case({"x": _X}, {"k": 2, "axis": 1}, ("fp16", "int32")),
    "transpose": Case({"x": _X}, {"perm": [2, 0, 1]}),
    "upsample_nearest_neighbor": Case({"x": _PIXELS}, {"scale_factor_height": 2, "scale_factor_width": 3}),
}

ELSEWHERE = {
    "inverse": "Core ML estimates it to 8 bits: tests/runtime/ops/test_core_ml_corners.py",
    "l2_pool": "Core ML sums its squares in half: tests/runtime/ops/test_core_ml_corners.py",
    "classify": "its halves leave as Python numbers",
    "list_gather": "lists hold tensors",
    "list_length": "lists hold tensors",
    "list_read": "lists hold tensors",
    "list_scatter": "lists hold tensors",
    "list_write": "lists hold tensors",
    "make_list": "lists hold tensors",
    "read_state": "states are not values",
    "write_state": "states are not values",
}
"""Operations with a test of their own: their operands are not tensors, or their halves are not one rounding
of the wide result.
"""

BOUNDED = frozenset((
    "acos", "affine", "asin", "atan", "atanh", "avg_pool", "cos", "crop_resize", "erf", "gelu",
    "l2_norm", "log", "mod", "quantize", "random_bernoulli", "random_categorical", "range_1d",
    "reduce_log_sum", "reduce_log_sum_exp", "reduce_mean", "resample", "resize", "resize_bilinear",
    "scaled_dot_product_attention", "sigmoid", "sigmoid_hard", "silu", "sin", "softmax", "softplus",
    "softsign", "sqrt", "tan", "tanh", "upsample_bilinear",
))  # fmt: skip
"""No result is greater than the largest half where the operands are halves."""

NEVER_SUBNORMAL = frozenset((
    "acos", "cos", "cosh", "floor_div", "log", "quantize", "random_bernoulli", "random_categorical",
    "reduce_log_sum", "reduce_log_sum_exp", "rsqrt", "sqrt",
))  # fmt: skip
"""No result other than 0 is smaller than the smallest normal half."""


def cases(table: dict[str, Case | tuple[Case, ...]], name: str, since: int) -> tuple[Case, ...]:
    """The cases of one version of an operation."""
    found = table.get(f"{name}@{since}", table.get(name, ()))
    return found if isinstance(found, tuple) else (found,)
