"""Nets of layers, activations, sums and views, with many almost-patterns among them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.fuzz.runtime.net import NUMPY, ODD, Case, Net, given
from tests.runtime.conftest import constant


class Grown:
    """A net that grows by one random part after the other."""

    def __init__(self, net: Net, dims: int) -> None:
        self.net = net
        self.rng = net.rng
        self.dims = dims
        self.values: list[str] = []
        self.fresh: list[str] = []

    def pick(self, like: str | None = None) -> str:
        """A value, of the shape of another; mostly one that nothing reads yet."""
        wanted = None if like is None else self.net.shape(like)
        for pool in (self.fresh, self.values):
            fit = [name for name in pool if wanted is None or self.net.shape(name) == wanted]
            if fit and (pool is self.values or self.rng.random() < 0.75):
                chosen = str(self.rng.choice(fit[-4:]))
                self.fresh = [name for name in self.fresh if name != chosen]
                return chosen
        assert like is not None
        return like

    def add(self, *names: str) -> None:
        self.values += names
        self.fresh += names

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))


def net_case(rng: np.random.Generator) -> Case:
    """A random net; its layers are small."""
    net = Net(rng, str(rng.choice(["fp32", "fp16"], p=[0.7, 0.3])))
    dims = int(rng.choice([1, 2, 3], p=[0.25, 0.6, 0.15]))
    grown = Grown(net, dims)
    shape: tuple[int, ...] = (
        int(rng.choice([1, 2, 0], p=[0.7, 0.27, 0.03])),
        int(rng.choice([1, 3, 4, 8, 16])),
    )
    shape += tuple(int(rng.choice([1, 2, 5, 8])) for _ in range(dims))
    for _ in range(grown.between(1, 2)):
        grown.values.append(net.input(shape))
    for _ in range(grown.between(3, 14)):
        _part(grown)
    outputs = {name for name in grown.fresh if grown.chance(0.8)} or {grown.values[-1]}
    outputs |= {name for name in grown.values[-6:] if grown.chance(0.1)}
    listed = sorted(outputs)
    listed += listed[:1] if grown.chance(0.1) else []
    return Case(net.function(listed), given(net, 3, float(rng.choice([0.1, 1, 1, 30, 3e4]))))


def _part(grown: Grown) -> None:
    names = tuple(_PARTS)
    weights = np.array([weight for weight, _ in _PARTS.values()], float)
    name = str(grown.rng.choice(names, p=weights / weights.sum()))
    _PARTS[name][1](grown)


def layer(grown: Grown, x: str, outputs: int | None = None) -> str:
    """A convolution of any form that keeps the sizes, or nearly."""
    net, rng = grown.net, grown.rng
    shape = net.shape(x)
    channels = shape[1]
    groups = int(rng.choice([each for each in (1, 1, 1, 2, channels or 1) if channels % each == 0]))
    wanted = channels if outputs is None else outputs
    groups = groups if wanted % groups == 0 else 1
    window = tuple(int(rng.choice([1, 3, 2], p=[0.5, 0.4, 0.1])) for _ in range(grown.dims))
    size = (wanted, channels // groups, *window)
    weight = net.drawn(size, 1 / math.sqrt(max(math.prod(size[1:]), 1)))
    if grown.chance(0.04) and weight.size:
        weight.reshape(-1)[rng.integers(weight.size)] = rng.choice([np.nan, np.inf, 1e25, 1e32, -0.0])
    if grown.chance(0.05):
        weight[np.isfinite(weight)] = 0
    options: dict[str, Any] = {
        "pad_type": str(rng.choice(["same", "same_lower", "custom"], p=[0.6, 0.2, 0.2]))
    }
    if options["pad_type"] == "custom":
        options["pad"] = [
            grown.between(each - 1, each) if grown.chance(0.2) else each // 2
            for each in window
            for _ in (0, 1)
        ]
    elif grown.chance(0.15):
        options["dilations"] = [grown.between(1, 2) for _ in window]
    if grown.chance(0.1):
        options["strides"] = [grown.between(1, 2) for _ in window]
    if grown.chance(0.7):
        bias = net.drawn((wanted,))
        if grown.chance(0.1) and wanted:
            bias[rng.integers(wanted)] = rng.choice(ODD)
        options["bias"] = net.number(bias)
    return net.op("conv", x=x, weight=net.number(weight), groups=constant(np.int32(groups)), **options)


def _conv(grown: Grown) -> None:
    grown.add(layer(grown, grown.pick(), grown.between(1, 8) if grown.chance(0.15) else None))


def _activation(grown: Grown) -> None:
    x = grown.pick()
    if grown.chance(0.6):
        x = layer(grown, x)
    grown.add(activated(grown, x))
    if grown.chance(0.1):
        grown.add(x)


def activated(grown: Grown, x: str) -> str:
    """An activation that may be fused, or nearly."""
    net, rng = grown.net, grown.rng
    kind = str(rng.choice(tuple(ACTIVATIONS)))
    return net.op(kind, x=x, **ACTIVATIONS[kind](net))


def _limits(net: Net) -> Mapping[str, Any]:
    low, high = sorted(net.rng.choice([-1.0, 0.0, 6.0, 6.0001, 1.0, 0.1], 2))
    return {"alpha": net.number(low), "beta": net.number(high)}


ACTIVATIONS: Mapping[str, Callable[[Net], Mapping[str, Any]]] = {
    "relu": lambda _: {},
    "relu6": lambda _: {},
    "sigmoid": lambda _: {},
    "silu": lambda _: {},
    "tanh": lambda _: {},
    "clip": _limits,
    "thresholded_relu": lambda net: {"alpha": net.number(net.rng.choice([0.0, -3.0, 0.1, 1.0]))},
    "leaky_relu": lambda net: {"alpha": net.number(0.1)},
    "elu": lambda net: {"alpha": net.number(1.5)},
    "gelu": lambda net: {"mode": str(net.rng.choice(["EXACT", "TANH_APPROXIMATION"]))},
    "softplus": lambda _: {},
    "sigmoid_hard": lambda net: {"alpha": net.number(1 / 6), "beta": net.number(0.5)},
    "abs": lambda _: {},
    "square": lambda _: {},
    "exp": lambda _: {},
}


def _hard_swish(grown: Grown) -> None:
    """With the cut or not, and with one number or operand off now and then."""
    net, rng = grown.net, grown.rng
    source = grown.pick()
    x = layer(grown, source) if grown.chance(0.85) else source
    sixth: Any = NUMPY[net.dtype](1 / 6)
    alpha = sixth if grown.chance(0.7) else rng.choice([np.nextafter(sixth, sixth * 0), 0.2])
    beta = 0.5 if grown.chance(0.9) else 0.4999
    operand = x
    if grown.chance(0.5):
        cut = -3.0 if grown.chance(0.8) else -2.9999
        operand = net.op("thresholded_relu", x=x, alpha=net.number(cut))
    factor = net.op("sigmoid_hard", x=operand, alpha=net.number(alpha), beta=net.number(beta))
    other = operand if grown.chance(0.8) else rng.choice([x, grown.pick(x)])
    pair = (str(other), factor) if grown.chance(0.5) else (factor, str(other))
    grown.add(net.op("mul", x=pair[0], y=pair[1]))
    for name in (x, factor, operand):
        if grown.chance(0.07):
            grown.add(name)
    if grown.chance(0.5):
        grown.add(layer(grown, grown.pick()))


def _residual(grown: Grown) -> None:
    """A layer's result and another value of its shape; now and then one that is only broadcast."""
    net = grown.net
    x = grown.pick()
    product = layer(grown, x)
    other = grown.pick(product) if grown.chance(0.8) else x
    if net.shape(other) != net.shape(product):
        other = layer(grown, x)
    if net.shape(other) != net.shape(product):
        other = product
    if grown.chance(0.12) and min(net.shape(product)) > 0:
        other = net.op("reduce_mean", x=other, axes=list(range(2, 2 + grown.dims)), keep_dims=True)
    pair = (product, other) if grown.chance(0.5) else (other, product)
    grown.add(net.op("add", x=pair[0], y=pair[1]))
    if grown.chance(0.3):
        grown.add(activated(grown, grown.pick()))
    for name in (other, product):
        if grown.chance(0.07):
            grown.add(name)


def _two(grown: Grown) -> None:
    """An elementwise operation of two values, of one twice, or of a constant."""
    net, rng = grown.net, grown.rng
    x = grown.pick()
    kind = str(rng.choice(["add", "mul", "sub", "real_div", "maximum", "minimum"]))
    if grown.chance(0.25):
        shape = rng.choice([0, 1, 2])
        sizes = ((), (net.shape(x)[1], *(1,) * grown.dims), net.shape(x))[int(shape)]
        filled = np.full(sizes, rng.choice(ODD)) if grown.chance(0.2) else net.drawn(sizes)
        y: Any = net.number(filled)
    else:
        y = x if grown.chance(0.15) else grown.pick(x)
    pair = (x, y) if grown.chance(0.5) else (y, x)
    grown.add(net.op(kind, x=pair[0], y=pair[1]))


def _view(grown: Grown) -> None:
    """The same elements under other shapes, which share their memory, and back."""
    net, rng = grown.net, grown.rng
    x = grown.pick()
    shape = net.shape(x)
    kind = str(rng.choice(["reshape", "transpose", "expand_dims", "identity", "slice"]))
    if kind == "reshape":
        flat = net.op("reshape", x=x, shape=[int(math.prod(shape))])
        middle = net.op(str(rng.choice(["relu", "identity", "tanh"])), x=flat)
        grown.add(net.op("reshape", x=middle, shape=list(shape)))
    elif kind == "transpose":
        turned = net.op("transpose", x=x, perm=list(range(len(shape)))[::-1])
        middle = net.op(str(rng.choice(["relu", "identity", "sigmoid"])), x=turned)
        grown.add(net.op("transpose", x=middle, perm=list(range(len(shape)))[::-1]))
    elif kind == "expand_dims":
        grown.add(net.op("squeeze", x=net.op("expand_dims", x=x, axes=[0]), axes=[0]))
    elif kind == "identity":
        grown.add(net.op("identity", x=x))
    else:
        grown.add(net.op("slice_by_index", x=x, begin=[0] * len(shape), end=list(shape)))
    if grown.chance(0.4):
        grown.add(x)


def _pieces(grown: Grown) -> None:
    """Channels apart, and together again in another order."""
    net = grown.net
    x = grown.pick()
    channels = net.shape(x)[1]
    if channels % 2:
        both: tuple[str, ...] = (x, grown.pick(x))
    else:
        both = net.several("split", outputs=2, x=x, num_splits=2, axis=1)[::-1]
        if grown.chance(0.5):
            both = (both[0], net.op("relu", x=both[1]))
    joined = net.op("concat", values=both, axis=1, interleave=False)
    grown.add(layer(grown, joined, channels) if grown.chance(0.6) else joined)


def _summary(grown: Grown) -> None:
    """What adds up: its order follows the layout of what is before it."""
    net, rng = grown.net, grown.rng
    x = grown.pick()
    if min(net.shape(x)) == 0:
        return
    kind = str(
        rng.choice(
            ["reduce_mean", "reduce_sum", "softmax", "layer_norm", "avg_pool", "max_pool", "batch_norm"]
        )
    )
    channels, window = net.shape(x)[1], [1] * grown.dims
    if kind in {"reduce_mean", "reduce_sum"}:
        axes = list(range(2, 2 + grown.dims)) if grown.chance(0.5) else list(range(1, 2 + grown.dims))
        total = net.op(kind, x=x, axes=axes, keep_dims=True)
        grown.add(net.op("mul", x=x, y=total), total)
    elif kind == "softmax":
        grown.add(net.op(kind, x=x, axis=grown.between(-1, 1)))
    elif kind == "layer_norm":
        grown.add(net.op(kind, x=x, axes=[1, 2], epsilon=net.number(1e-3)))
    elif kind == "batch_norm":
        parts: dict[str, Any] = {
            name: net.number(abs(net.drawn((channels,)))) for name in ("mean", "variance", "gamma", "beta")
        }
        grown.add(net.op(kind, x=x, epsilon=net.number(1e-3), **parts))
    elif kind == "avg_pool":
        grown.add(
            net.op(
                kind,
                x=x,
                kernel_sizes=window,
                strides=window,
                pad_type="valid",
                exclude_padding_from_average=True,
            )
        )
    else:
        grown.add(net.op(kind, x=x, kernel_sizes=[2] * grown.dims, strides=window, pad_type="same"))


def _linear(grown: Grown) -> None:
    net = grown.net
    x = grown.pick()
    features = net.shape(x)[-1]
    kind = "linear" if grown.chance(0.5) else "matmul"
    weight = net.drawn((features, features), 1 / math.sqrt(features))
    if kind == "linear":
        grown.add(net.op(kind, x=x, weight=net.number(weight), bias=net.number(net.drawn((features,)))))
    else:
        turned = grown.chance(0.5)
        repeated = np.repeat(weight[None], net.shape(x)[-3], 0) if grown.chance(0.4) else weight
        grown.add(net.op(kind, x=x, y=net.number(repeated), transpose_x=False, transpose_y=turned))


def _masked_softmax(grown: Grown) -> None:
    """Attention's softmax, with zeros where a row is masked as a whole; with a part off now and then."""
    net, rng = grown.net, grown.rng
    x = grown.pick()
    shape = net.shape(x)
    if min(shape) == 0:
        return
    mask = np.where(rng.random(shape) < 0.5, 0, -np.inf)
    mask[:, :1] = -np.inf
    x = net.op("add", x=x, y=net.number(mask))
    axis = -1 if grown.chance(0.8) else len(shape) - 1
    softmax = net.op("softmax", x=x, axis=axis)
    limit = -np.inf if grown.chance(0.9) else -65504.0
    masked = net.op("equal", x=x, y=net.number(limit), dtype="bool")
    left = net.op("logical_not", x=masked, dtype="bool")
    count = net.cast(left, "int32")
    kept = grown.chance(0.9)
    most = net.op("reduce_max" if kept else "reduce_min", x=count, axes=[axis], keep_dims=True, dtype="int32")
    none = net.op("logical_not", x=net.cast(most, "bool"), dtype="bool")
    reps = [1] * (len(shape) - 1) + [shape[-1]]
    tiled = net.op("tile", x=none, reps=reps, dtype="bool")
    fill = 0 if grown.chance(0.85) else rng.choice([-0.0, 1.0])
    zeros = net.op("fill_like", ref_tensor=softmax, value=net.number(fill))
    pair = (zeros, softmax) if grown.chance(0.95) else (softmax, zeros)
    grown.add(net.op("select", cond=tiled, a=pair[0], b=pair[1]))
    if grown.chance(0.1):
        grown.add(softmax)


_PARTS: Mapping[str, tuple[float, Callable[[Grown], None]]] = {
    "conv": (2, _conv),
    "activation": (3, _activation),
    "hard swish": (1.5, _hard_swish),
    "residual": (3, _residual),
    "two": (3, _two),
    "view": (1.5, _view),
    "pieces": (1, _pieces),
    "summary": (1.5, _summary),
    "linear": (1, _linear),
    "masked softmax": (0.7, _masked_softmax),
}
