"""From a WebNN operator to MIL, operation by operation as Chromium's backend for Core ML lowers it
(``services/webnn/coreml/graph_builder_coreml.cc``).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conformance.wpt.mil_builder import MilBuilder, Operand
from conformance.wpt.vectors import Vector
from coreml_gate.mil.ir import Function

_NUMPY = {"fp32": np.float32, "fp16": np.float16, "int32": np.int32}
_CAST_TYPES = {"float32": "fp32", "float16": "fp16", "int32": "int32", "int8": "int8", "uint8": "uint8"}
_EPSILON = 1e-5
_LOG_EPSILON = 1e-45


class Lowering:
    """One vector under way: its operands, its options, and the function that grows."""

    def __init__(self, vector: Vector) -> None:
        self.vector = vector
        self.builder = MilBuilder()
        self.names: list[str] = []

    def operand(self, name: str) -> Operand:
        """An operand of the operator as an input of the function."""
        key = self.vector.arguments[name]
        self.names.append(key)
        return self.builder.input(key, self.vector.inputs[key])

    def constant(self, name: str) -> NDArray[Any] | None:
        """An operand, given as an option or an argument, as a constant."""
        key = self.vector.options.get(name, self.vector.arguments.get(name))
        return None if key is None else np.array(self.vector.inputs[key])

    def option(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  # as WebNN has it
        """An option of the operator."""
        return self.vector.options.get(name, default)

    def like(self, x: Operand) -> tuple[str, tuple[int, ...]]:
        """A result of the operand's type and shape."""
        return x.dtype, x.shape

    def number(self, x: Operand, value: float) -> Any:  # noqa: ANN401  # a numpy scalar
        """A number in the operand's type."""
        return _NUMPY[x.dtype](value)

    def transposed(self, x: Operand, order: Sequence[int]) -> Operand:
        """The operand with its axes in another order."""
        if list(order) == list(range(len(order))):
            return x
        shape = [x.shape[axis] for axis in order]
        return self.builder.add("transpose", (x.dtype, shape), x=x, perm=list(order))


Lower = Callable[[Lowering], Operand | list[Operand]]


def lower(vector: Vector) -> tuple[Function, list[str]]:
    """The function of a vector, and which of the vector's inputs it takes, in order."""
    lowering = Lowering(vector)
    outputs = LOWERINGS[vector.operator](lowering)
    return lowering.builder.function(outputs if isinstance(outputs, list) else [outputs]), lowering.names


def _unary(kind: str, **extra: float) -> Lower:
    def build(made: Lowering) -> Operand:
        x = made.operand("input")
        numbers = {name: made.number(x, value) for name, value in extra.items()}
        return made.builder.add(kind, made.like(x), x=x, **numbers)

    return build


def _binary(kind: str) -> Lower:
    def build(made: Lowering) -> Operand:
        x, y = made.operand("a"), made.operand("b")
        return made.builder.add(kind, (x.dtype, np.broadcast_shapes(x.shape, y.shape)), x=x, y=y)

    return build


def _comparison(kind: str) -> Lower:
    def build(made: Lowering) -> Operand:
        x, y = made.operand("a"), made.operand("b")
        shape = np.broadcast_shapes(x.shape, y.shape)
        truth = made.builder.add(kind, ("bool", shape), x=x, y=y)
        return made.builder.add("cast", ("uint8", shape), x=truth, dtype="uint8")

    return build


def _logical_not(made: Lowering) -> Operand:
    x = made.operand("a")
    truth = made.builder.add("cast", ("bool", x.shape), x=x, dtype="bool")
    inverted = made.builder.add("logical_not", ("bool", x.shape), x=truth)
    return made.builder.add("cast", ("uint8", x.shape), x=inverted, dtype="uint8")


def _activation(kind: str, **options: tuple[str, float]) -> Lower:
    """An activation whose MIL parameters are options of WebNN's with defaults."""

    def build(made: Lowering) -> Operand:
        x = made.operand("input")
        numbers = {
            name: made.number(x, made.option(option, default)) for name, (option, default) in options.items()
        }
        return made.builder.add(kind, made.like(x), x=x, **numbers)

    return build


def _hard_swish(made: Lowering) -> Operand:
    x = made.operand("input")
    alpha, beta = made.number(x, 1 / 6), made.number(x, 0.5)
    gate = made.builder.add("sigmoid_hard", made.like(x), x=x, alpha=alpha, beta=beta)
    return made.builder.add("mul", made.like(x), x=x, y=gate)


def _neg(made: Lowering) -> Operand:
    x = made.operand("input")
    return made.builder.add("mul", made.like(x), x=x, y=made.number(x, -1))


def _clamp(made: Lowering) -> Operand:
    """``clip`` wants a lower bound below the upper one; equal bounds are applied one by one."""
    x = made.operand("input")
    low, high = made.option("minValue", -math.inf), made.option("maxValue", math.inf)
    if x.dtype != "int32" and low < high:
        return made.builder.add(
            "clip", made.like(x), x=x, alpha=made.number(x, low), beta=made.number(x, high)
        )
    for kind, bound in (("maximum", low), ("minimum", high)):
        if math.isfinite(bound):
            x = made.builder.add(kind, made.like(x), x=x, y=made.number(x, bound))
    return x


def _cast(made: Lowering) -> Operand:
    x, dtype = made.operand("input"), _CAST_TYPES[made.vector.arguments["type"]]
    return made.builder.add("cast", (dtype, x.shape), x=x, dtype=dtype)


def _concat(made: Lowering) -> Operand:
    keys = made.vector.arguments["inputs"]
    made.names += keys
    values = [made.builder.input(key, made.vector.inputs[key]) for key in keys]
    axis = made.vector.arguments["axis"]
    return made.builder.add("concat", made.like(values[0]), values=values, axis=axis, interleave=False)


def _expand(made: Lowering) -> Operand:
    """A reshape to the new rank, then ``tile`` along the axes that grow."""
    x, wanted = made.operand("input"), made.vector.arguments["newShape"]
    padded = [1] * (len(wanted) - len(x.shape)) + list(x.shape)
    if not wanted:
        return made.builder.add("identity", made.like(x), x=x)
    reshaped = made.builder.add("reshape", (x.dtype, padded), x=x, shape=padded)
    reps = [new // old for new, old in zip(wanted, padded, strict=True)]
    return made.builder.add("tile", (x.dtype, wanted), x=reshaped, reps=reps)


def _gather(made: Lowering) -> Operand:
    x, axis = made.operand("input"), made.option("axis", 0)
    indices = made.constant("indices")
    assert indices is not None  # noqa: S101  # an argument that WebNN requires
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return made.builder.add(
        "gather", (x.dtype, shape), x=x, indices=indices.astype(np.int32), axis=axis, validate_indices=False
    )


def _matmul(made: Lowering) -> Operand:
    x, y = made.operand("a"), made.operand("b")
    return made.builder.add("matmul", made.like(x), x=x, y=y, transpose_x=False, transpose_y=False)


def _batch_norm(made: Lowering) -> Operand:
    """``batch_norm`` normalizes axis 1 of three axes or more; exchanging two axes undoes itself."""
    x, axis = made.operand("input"), made.option("axis", 1)
    order = list(range(len(x.shape)))
    if len(order) > 1:
        order[axis], order[1] = order[1], order[axis]
    turned = made.transposed(x, order)
    deep = turned.shape if len(order) > 1 else (1, *turned.shape)
    deep = (*deep, *(1,) * (3 - len(deep)))
    image = made.builder.add("reshape", (x.dtype, deep), x=turned, shape=list(deep))
    normal = made.builder.add(
        "batch_norm",
        (x.dtype, deep),
        x=image,
        mean=made.constant("mean"),
        variance=made.constant("variance"),
        gamma=made.constant("scale"),
        beta=made.constant("bias"),
        epsilon=made.number(x, made.option("epsilon", _EPSILON)),
    )
    flat = made.builder.add("reshape", made.like(turned), x=normal, shape=list(turned.shape))
    return made.transposed(flat, order)


def _instance_norm(made: Lowering) -> Operand:
    x, nhwc = made.operand("input"), made.option("layout") == "nhwc"
    image = made.transposed(x, (0, 3, 1, 2)) if nhwc else x
    normal = made.builder.add(
        "instance_norm",
        made.like(image),
        x=image,
        gamma=made.constant("scale"),
        beta=made.constant("bias"),
        epsilon=made.number(x, made.option("epsilon", _EPSILON)),
    )
    return made.transposed(normal, (0, 2, 3, 1)) if nhwc else normal


def _layer_norm(made: Lowering) -> Operand:
    """Scale and bias come in the order of ``axes``; MIL wants them in the order of the input."""
    x = made.operand("input")
    axes = made.option("axes", list(range(1, len(x.shape))))
    if not axes:
        return _constant_norm(made, x)
    order = np.argsort(axes)
    gamma, beta = (
        None if value is None else np.ascontiguousarray(value.transpose(order))
        for value in (made.constant("scale"), made.constant("bias"))
    )
    return made.builder.add(
        "layer_norm",
        made.like(x),
        x=x,
        axes=sorted(axes),
        gamma=gamma,
        beta=beta,
        epsilon=made.number(x, made.option("epsilon", _EPSILON)),
    )


def _constant_norm(made: Lowering, x: Operand) -> Operand:
    """Without axes every value is its own mean: 0, plus the bias."""
    zero = made.builder.add("sub", made.like(x), x=x, y=x)
    bias = made.constant("bias")
    return zero if bias is None else made.builder.add("add", made.like(x), x=zero, y=bias)


def _reduction(kind: str, *, exact_scalar: str | None = None) -> Lower:
    """A reduction; over no axes Core ML has none, so it becomes what it does to a single value."""

    def build(made: Lowering) -> Operand:
        x = made.operand("input")
        axes = made.option("axes", list(range(len(x.shape))))
        keep = made.option("keepDimensions", default=False)
        if axes:
            return made.builder.add(kind, made.like(x), x=x, axes=axes, keep_dims=keep)
        if exact_scalar is None:
            return made.builder.add("identity", made.like(x), x=x)
        epsilon = made.number(x, _LOG_EPSILON) if exact_scalar == "log" else None
        return made.builder.add(exact_scalar, made.like(x), x=x, epsilon=epsilon)

    return build


def _reshape(made: Lowering) -> Operand:
    x, wanted = made.operand("input"), made.vector.arguments["newShape"]
    if wanted:
        return made.builder.add("reshape", (x.dtype, wanted), x=x, shape=wanted)
    return made.builder.add("squeeze", (x.dtype, ()), x=x) if x.shape else x


def _slice(made: Lowering) -> Operand:
    x = made.operand("input")
    starts, sizes = made.vector.arguments["starts"], made.vector.arguments["sizes"]
    if not starts:
        return made.builder.add("identity", made.like(x), x=x)
    ends = [start + size for start, size in zip(starts, sizes, strict=True)]
    strides = made.option("strides", [1] * len(starts))
    return made.builder.add("slice_by_index", made.like(x), x=x, begin=starts, end=ends, stride=strides)


def _split(made: Lowering) -> list[Operand]:
    x, splits, axis = made.operand("input"), made.vector.arguments["splits"], made.option("axis", 0)
    count = splits if isinstance(splits, int) else len(splits)
    sizes = {"num_splits": splits} if isinstance(splits, int) else {"split_sizes": splits}
    return made.builder.add_several("split", [made.like(x)] * count, x=x, axis=axis, **sizes)


def _softmax(made: Lowering) -> Operand:
    x = made.operand("input")
    return made.builder.add("softmax", made.like(x), x=x, axis=made.vector.arguments["axis"])


def _transpose(made: Lowering) -> Operand:
    x = made.operand("input")
    if not x.shape:
        return made.builder.add("identity", made.like(x), x=x)
    return made.transposed(x, made.option("permutation", list(range(len(x.shape)))[::-1]))


_IMAGE_ORDERS = {"nchw": (0, 1, 2, 3), "nhwc": (0, 3, 1, 2)}
_BACK = {"nchw": (0, 1, 2, 3), "nhwc": (0, 2, 3, 1)}


def _filter(made: Lowering, wanted: str, default: str) -> Operand:
    """The filter with its axes in the order ``wanted``, which MIL has."""
    weight, layout = made.operand("filter"), made.option("filterLayout", default)
    return made.transposed(weight, [layout.index(letter) for letter in wanted])


def _image(made: Lowering, build: Callable[[Operand], Operand]) -> Operand:
    """``build`` on the input with its channels second, and the result as the input had them."""
    layout = made.option("inputLayout", "nchw")
    result = build(made.transposed(made.operand("input"), _IMAGE_ORDERS[layout]))
    return made.transposed(result, _BACK[layout])


def _conv(made: Lowering) -> Operand:
    def build(x: Operand) -> Operand:
        return made.builder.add(
            "conv",
            (x.dtype, x.shape),
            x=x,
            weight=_filter(made, "oihw", "oihw"),
            bias=made.constant("bias"),
            strides=made.option("strides", [1, 1]),
            pad_type="custom",
            pad=made.option("padding", [0] * 4),
            dilations=made.option("dilations", [1, 1]),
            groups=made.option("groups", 1),
        )

    return _image(made, build)


def _conv_transpose(made: Lowering) -> Operand:
    def build(x: Operand) -> Operand:
        (expected,) = made.vector.expected.values()
        order = _IMAGE_ORDERS[made.option("inputLayout", "nchw")]
        shape = [expected.shape[axis] for axis in order]
        return made.builder.add(
            "conv_transpose",
            (x.dtype, shape),
            x=x,
            weight=_filter(made, "iohw", "iohw"),
            bias=made.constant("bias"),
            strides=made.option("strides", [1, 1]),
            pad_type="custom",
            pad=made.option("padding", [0] * 4),
            output_shape=shape,
            dilations=made.option("dilations", [1, 1]),
            groups=made.option("groups", 1),
        )

    return _image(made, build)


LOWERINGS: Final[dict[str, Lower]] = {
    "abs": _unary("abs"),
    "add": _binary("add"),
    "batchNormalization": _batch_norm,
    "cast": _cast,
    "ceil": _unary("ceil"),
    "clamp": _clamp,
    "concat": _concat,
    "conv2d": _conv,
    "convTranspose2d": _conv_transpose,
    "div": _binary("real_div"),
    "elu": _activation("elu", alpha=("alpha", 1)),
    "equal": _comparison("equal"),
    "exp": _unary("exp"),
    "expand": _expand,
    "floor": _unary("floor"),
    "gather": _gather,
    "greater": _comparison("greater"),
    "greaterOrEqual": _comparison("greater_equal"),
    "hardSigmoid": _activation("sigmoid_hard", alpha=("alpha", 0.2), beta=("beta", 0.5)),
    "hardSwish": _hard_swish,
    "instanceNormalization": _instance_norm,
    "layerNormalization": _layer_norm,
    "leakyRelu": _activation("leaky_relu", alpha=("alpha", 0.01)),
    "lesser": _comparison("less"),
    "lesserOrEqual": _comparison("less_equal"),
    "linear": _activation("linear_activation", alpha=("alpha", 1), beta=("beta", 0)),
    "log": _unary("log", epsilon=_LOG_EPSILON),
    "logicalNot": _logical_not,
    "matmul": _matmul,
    "max": _binary("maximum"),
    "min": _binary("minimum"),
    "mul": _binary("mul"),
    "neg": _neg,
    "pow": _binary("pow"),
    "reduceL1": _reduction("reduce_l1_norm", exact_scalar="abs"),
    "reduceL2": _reduction("reduce_l2_norm", exact_scalar="abs"),
    "reduceLogSum": _reduction("reduce_log_sum", exact_scalar="log"),
    "reduceLogSumExp": _reduction("reduce_log_sum_exp"),
    "reduceMax": _reduction("reduce_max"),
    "reduceMean": _reduction("reduce_mean"),
    "reduceMin": _reduction("reduce_min"),
    "reduceProduct": _reduction("reduce_prod"),
    "reduceSum": _reduction("reduce_sum"),
    "reduceSumSquare": _reduction("reduce_sum_square", exact_scalar="square"),
    "relu": _unary("relu"),
    "reshape": _reshape,
    "sigmoid": _unary("sigmoid"),
    "slice": _slice,
    "softmax": _softmax,
    "split": _split,
    "sqrt": _unary("sqrt"),
    "sub": _binary("sub"),
    "tanh": _unary("tanh"),
    "transpose": _transpose,
}
"""By WebNN's operator."""
