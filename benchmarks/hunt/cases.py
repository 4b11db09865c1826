"""Small modules over all families of torch operations: each is one expression of one to three inputs.

The generator crosses operations with the arguments that converters tend to drop: negative axes, keepdim,
alpha, rounding modes, dtypes, boundary indices, writes through views.
"""

from collections.abc import Callable, Iterator
from itertools import product

import torch
from argument_cases import arguments, layers
from case import IMAGE, SHAPE, Case
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # as everybody writes it
from typed_cases import typed


def cases() -> tuple[Case, ...]:
    """All of them, in families."""
    families = (
        unary,
        binary,
        reductions,
        moves,
        indices,
        writes,
        dtypes,
        norms,
        images,
        matrices,
        masks,
        composed,
        arguments,
        layers,
        typed,
    )
    return tuple(case for family in families for case in family())


def unary() -> Iterator[Case]:
    """One tensor in, element by element."""
    names = (
        "abs acos asin atan ceil cos cosh erf exp exp2 expm1 floor frac log log10 log1p log2 neg reciprocal "
        "relu round rsqrt sigmoid sign sin sinh sqrt square tan tanh trunc isnan isinf isfinite logical_not "
        "signbit sgn positive acosh asinh atanh erfc logit deg2rad rad2deg"
    )
    for name in _words(names):
        yield Case(f"unary {name}", getattr(torch, name))
    activations = (
        "celu elu gelu glu hardshrink hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish relu6 selu "
        "silu softplus softshrink softsign tanhshrink"
    )
    for name in _words(activations):
        yield Case(f"activation {name}", getattr(F, name))
    yield Case("activation gelu tanh", lambda x: F.gelu(x, approximate="tanh"))
    yield Case("activation softplus beta", lambda x: F.softplus(x, beta=2))
    yield Case("activation softplus threshold", lambda x: F.softplus(x, threshold=1))
    yield Case("activation elu alpha", lambda x: F.elu(x, alpha=0.5))
    yield Case("activation celu alpha", lambda x: F.celu(x, alpha=0.5))
    yield Case("activation hardtanh ends", lambda x: F.hardtanh(x, -0.5, 2.0))
    yield Case("activation threshold", lambda x: F.threshold(x, 0.1, 20.0))
    yield Case("activation rrelu", F.rrelu)
    yield Case("activation prelu", lambda x: F.prelu(x, torch.tensor([0.1, 0.2, 0.3])))
    yield Case("round decimals", lambda x: torch.round(x, decimals=2))
    yield Case("nan_to_num", lambda x: torch.nan_to_num(x, nan=1.0, posinf=2.0, neginf=-2.0))
    for low, high in product((None, -0.5, 0), (None, 0.5, 0)):
        if low is not None or high is not None:
            yield Case(f"clamp {low} {high}", lambda x, low=low, high=high: torch.clamp(x, low, high))


def binary() -> Iterator[Case]:
    """Two operands: tensors, or a tensor and a number on either side."""
    names = (
        "add sub mul div atan2 eq ne lt le gt ge maximum minimum fmod remainder floor_divide hypot "
        "logaddexp logical_and logical_or logical_xor copysign fmax fmin xlogy true_divide"
    )
    for name in _words(names):
        operation = getattr(torch, name)
        yield Case(f"binary {name}", operation, (SHAPE, SHAPE))
        yield Case(f"binary {name} broadcast", operation, (SHAPE, (3, 1)))
    for name in _words("add sub mul div remainder floor_divide fmod pow eq lt ge"):
        operation = getattr(torch, name)
        for number in (0.5, 1, 2, -1, -3):
            yield Case(f"scalar {name} {number}", lambda x, o=operation, n=number: o(x, n))
    for number in (0.5, 1, 2, 3):
        yield Case(f"power of {number}", lambda x, n=number: torch.pow(n, x))
        yield Case(f"number minus {number}", lambda x, n=number: n - x)
        yield Case(f"number over {number}", lambda x, n=number: n / (x.abs() + 1))
        yield Case(f"rsub alpha {number}", lambda x, n=number: torch.rsub(x, 2, alpha=n))
    for mode in (None, "floor", "trunc"):
        yield Case(f"div {mode}", lambda x, y, m=mode: torch.div(x, y, rounding_mode=m), (SHAPE, SHAPE))
        yield Case(f"div scalar {mode}", lambda x, m=mode: torch.div(x, 0.3, rounding_mode=m))
    for alpha in (0.5, 2, -1):
        yield Case(f"add alpha {alpha}", lambda x, y, a=alpha: torch.add(x, y, alpha=a), (SHAPE, SHAPE))
        yield Case(f"sub alpha {alpha}", lambda x, y, a=alpha: torch.sub(x, y, alpha=a), (SHAPE, SHAPE))
        yield Case(f"add number alpha {alpha}", lambda x, a=alpha: torch.add(x, 3, alpha=a))
    yield Case("lerp", lambda x, y: torch.lerp(x, y, 0.3), (SHAPE, SHAPE))
    yield Case("addcmul", lambda x, y, z: torch.addcmul(x, y, z, value=0.5), (SHAPE, SHAPE, SHAPE))
    yield Case("addcdiv", lambda x, y, z: torch.addcdiv(x, y, z.abs() + 1, value=0.5), (SHAPE, SHAPE, SHAPE))
    yield Case("where", lambda x, y: torch.where(x > 0, x, y), (SHAPE, SHAPE))
    yield Case("where number", lambda x: torch.where(x > 0, x, 0.0))
    yield Case("heaviside", torch.heaviside, (SHAPE, SHAPE))
    yield Case("bitwise and", lambda x, y: torch.bitwise_and(x > 0, y > 0), (SHAPE, SHAPE))


def reductions() -> Iterator[Case]:
    """Many elements to one."""
    for name, axis, keep in product(
        _words("sum mean amax amin prod logsumexp std var"), (-1, 0, 1), (False, True)
    ):
        operation = getattr(torch, name)
        yield Case(
            f"reduce {name} {axis} {keep}", lambda x, o=operation, a=axis, k=keep: o(x, dim=a, keepdim=k)
        )
    for name in _words("sum mean max min prod std var argmax argmin median any all"):
        yield Case(f"reduce all {name}", getattr(torch, name))
    for name, axis in product(
        _words("argmax argmin cumsum cumprod softmax log_softmax logcumsumexp cummax"), (0, -1)
    ):
        operation = getattr(torch, name)
        yield Case(f"along {name} {axis}", lambda x, o=operation, a=axis: _first(o(x, dim=a)))
    for order in (1, 2, 3, float("inf"), -float("inf"), 0):
        yield Case(f"norm {order}", lambda x, p=order: torch.linalg.vector_norm(x, p, dim=-1))
    for correction in (0, 1, 2):
        yield Case(f"var correction {correction}", lambda x, c=correction: torch.var(x, dim=-1, correction=c))
    for name in ("max", "min", "median", "mode", "sort", "kthvalue"):
        operation = getattr(torch, name)
        yield Case(f"pair {name}", lambda x, o=operation: _values(o, x))
    for largest in (True, False):
        yield Case(f"topk {largest}", lambda x, g=largest: torch.topk(x, 2, largest=g)[0])
        yield Case(f"argsort {largest}", lambda x, g=largest: torch.argsort(x, dim=-1, descending=g))
    yield Case("count_nonzero", lambda x: torch.count_nonzero(x > 0, dim=-1))
    yield Case("sum dtype", lambda x: torch.sum((x * 10).int(), dim=-1, dtype=torch.float32) / 3)
    yield Case("softmin", lambda x: F.softmin(x, dim=-1))
    yield Case("std_mean", lambda x: torch.std_mean(x, dim=-1))
    yield Case("aminmax", lambda x: tuple(torch.aminmax(x, dim=-1)))
    yield Case("any axis", lambda x: torch.any(x > 0, dim=-1))
    yield Case("all axis", lambda x: torch.all(x > 0, dim=-1))


def moves() -> Iterator[Case]:
    """Nothing is computed, only moved."""
    for shift, axis in product((1, -1, 5, -3), (0, -1)):
        yield Case(f"roll {shift} {axis}", lambda x, s=shift, a=axis: torch.roll(x, s, a))
    for start, length in ((-1, 1), (-3, 2), (1, 2), (0, 3)):
        yield Case(f"narrow {start} {length}", lambda x, s=start, n=length: x.narrow(-1, s, n))
    for diagonal in (-2, -1, 0, 1, 3):
        yield Case(f"triu {diagonal}", lambda x, d=diagonal: torch.triu(x, d))
        yield Case(f"tril {diagonal}", lambda x, d=diagonal: torch.tril(x, d))
    yield Case("roll flat", lambda x: torch.roll(x, 2))
    yield Case("roll two axes", lambda x: torch.roll(x, (1, -2), (1, 2)))
    yield Case("flip", lambda x: torch.flip(x, (0, -1)))
    for turns in (1, 2, 3, -1):
        yield Case(f"rot90 {turns}", lambda x, k=turns: torch.rot90(x, k, (1, 2)))
    for offset in (0, 1, -1):
        yield Case(f"diagonal {offset}", lambda x, o=offset: torch.diagonal(x, o, 1, 2))
        yield Case(f"diag_embed {offset}", lambda x, o=offset: torch.diag_embed(x, o))
    yield Case("repeat", lambda x: x.repeat(2, 1, 3))
    yield Case("repeat_interleave", lambda x: x.repeat_interleave(2, dim=1))
    yield Case("repeat_interleave last", lambda x: x.repeat_interleave(3, dim=-1))
    yield Case("expand", lambda x: x[:, :1].expand(-1, 3, -1))
    yield Case("tile", lambda x: torch.tile(x, (2, 2)))
    yield Case("unfold", lambda x: x.unfold(-1, 2, 1))
    yield Case("movedim", lambda x: torch.movedim(x, 0, -1))
    yield Case("chunk uneven", lambda x: torch.chunk(x, 3, dim=-1)[0])
    yield Case("split sizes", lambda x: torch.split(x, [1, 3], dim=-1)[1])
    yield Case("tensor_split", lambda x: torch.tensor_split(x, 3, dim=-1)[2])
    yield Case("unbind", lambda x: torch.unbind(x, dim=-1)[-1])
    yield Case("stack", lambda x, y: torch.stack((x, y), dim=-1), (SHAPE, SHAPE))
    yield Case("cat negative", lambda x, y: torch.cat((x, y), dim=-2), (SHAPE, SHAPE))
    yield Case("slice step", lambda x: x[..., ::2])
    yield Case("slice negative", lambda x: x[:, -2:, :-1])
    yield Case("slice past the end", lambda x: x[:, :10, 2:100])
    yield Case("meshgrid", lambda x: torch.meshgrid(x[0, 0], x[0, 1], indexing="xy"))
    yield Case("cartesian", lambda x: torch.outer(x[0, 0], x[1, 1]))
    yield Case("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), (IMAGE,))
    yield Case("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), (IMAGE,))
    yield Case("channel_shuffle", lambda x: F.channel_shuffle(x, 2), (IMAGE,))
    for mode in ("constant", "reflect", "replicate", "circular"):
        yield Case(f"pad {mode}", lambda x, m=mode: F.pad(x, (1, 2, 2, 1), mode=m), (IMAGE,))
    yield Case("pad value", lambda x: F.pad(x, (1, 2), value=float("-inf")))
    yield Case("pad crop", lambda x: F.pad(x, (-1, 1)))


def indices() -> Iterator[Case]:
    """Gather and scatter, with ordinary, repeated and negative indices."""
    chosen = torch.tensor([[0, 1], [1, 0]])
    for name, index in (("plain", [0, 2]), ("repeated", [1, 1, 2]), ("negative", [-1, 0])):
        rows = torch.tensor(index)
        yield Case(f"index {name}", lambda x, i=rows: x[:, i])
        yield Case(f"index last {name}", lambda x, i=rows: x[..., i])
        if name != "negative":
            yield Case(f"index_select {name}", lambda x, i=rows: torch.index_select(x, 1, i))
    yield Case("index two axes", lambda x: x[:, torch.tensor([0, 2]), torch.tensor([1, 3])])
    yield Case("index apart", lambda x: x[torch.tensor([0, 1]), :, torch.tensor([1, 3])])
    yield Case("take", lambda x: torch.take(x, torch.tensor([0, 5, 23])))
    yield Case("gather", lambda x: torch.gather(x[0], 1, torch.tensor([[0, 3], [1, 1], [2, 0]])))
    yield Case("take_along_dim", lambda x: torch.take_along_dim(x[0], torch.tensor([[0], [3], [1]]), dim=1))
    yield Case("gather argmax", lambda x: torch.gather(x, -1, x.argmax(-1, keepdim=True)))
    yield Case("scatter", lambda x: torch.scatter(x[0], 1, torch.tensor([[0], [3], [1]]), 9.0))
    yield Case(
        "scatter_add", lambda x: torch.scatter_add(x[0], 1, torch.tensor([[0, 0], [3, 3], [1, 2]]), x[1])
    )
    for kind in ("sum", "prod", "amax", "amin", "mean"):
        yield Case(
            f"scatter_reduce {kind}",
            lambda x, k=kind: torch.scatter_reduce(x[0], 1, torch.tensor([[0, 0], [3, 3], [1, 2]]), x[1], k),
        )
        yield Case(
            f"scatter_reduce {kind} without self",
            lambda x, k=kind: torch.scatter_reduce(
                x[0], 1, torch.tensor([[0, 0], [3, 3], [1, 2]]), x[1], k, include_self=False
            ),
        )
    yield Case("index_add", lambda x: torch.index_add(x, 1, torch.tensor([0, 0]), x[:, 1:]))
    yield Case("index_add alpha", lambda x: torch.index_add(x, 1, torch.tensor([0, 2]), x[:, 1:], alpha=2))
    yield Case("index_copy", lambda x: torch.index_copy(x, 1, torch.tensor([0, 2]), x[:, 1:] * 2))
    yield Case("index_fill", lambda x: torch.index_fill(x, 1, torch.tensor([0]), 7.0))
    yield Case("index_put", lambda x: x.index_put((torch.tensor([0]),), x[1]))
    yield Case("index_put accumulate", lambda x: x.index_put((torch.tensor([0, 0]),), x, accumulate=True))
    yield Case("masked_fill", lambda x: x.masked_fill(x > 0, -9.0))
    yield Case("masked_fill infinite", lambda x: x.masked_fill(x > 0, float("-inf")).exp())
    yield Case("select_scatter", lambda x: torch.select_scatter(x, x[:, 0] * 2, 1, 1))
    yield Case("slice_scatter", lambda x: torch.slice_scatter(x, x[:, :1] * 2, 1, 1, 2))
    yield Case("embedding", lambda x: F.embedding(chosen, x[0]))
    yield Case("embedding padding", lambda x: F.embedding(chosen, x[0], padding_idx=0))
    yield Case("one_hot", lambda x: F.one_hot(x.argmax(-1), 6))
    yield Case("searchsorted", lambda x: torch.searchsorted(torch.tensor([-1.0, 0.0, 1.0]), x))
    yield Case("bucketize", lambda x: torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0])))
    yield Case("isin", lambda x: torch.isin(x.round(), torch.tensor([0.0, 1.0])))


def writes() -> Iterator[Case]:
    """Writes in place, directly and through views."""
    yield Case("write add_ through select", lambda x: _written(x, lambda y: y[:, 0].add_(1)))
    yield Case("write mul_ through slice", lambda x: _written(x, lambda y: y[:, 1:].mul_(2)))
    yield Case("write relu_ through slice", lambda x: _written(x, lambda y: y[..., 1:].relu_()))
    yield Case("write sub_ through view", lambda x: _written(x, lambda y: y.view(-1).sub_(1)))
    yield Case("write add_ through transpose", lambda x: _written(x, lambda y: y.transpose(1, 2).add_(1)))
    yield Case("write clamp_ through narrow", lambda x: _written(x, lambda y: y.narrow(-1, 0, 2).clamp_(0)))
    yield Case(
        "write masked_fill_ through slice",
        lambda x: _written(x, lambda y: y[:, 0].masked_fill_(y[:, 0] > 0, 0)),
    )
    yield Case("write zero_ through select", lambda x: _written(x, lambda y: y[0].zero_()))
    yield Case("write fill_ through slice", lambda x: _written(x, lambda y: y[..., :2].fill_(3)))
    yield Case("write number", lambda x: _written(x, lambda y: y.__setitem__((slice(None), 0), 5.0)))
    yield Case("write tensor", lambda x: _written(x, lambda y: y.__setitem__((slice(None), 0), y[:, 1] * 2)))
    yield Case("write step", lambda x: _written(x, lambda y: y.__setitem__((..., slice(0, None, 2)), 0.0)))
    yield Case("write mask", lambda x: _written(x, lambda y: y.__setitem__(y > 0, 0.0)))
    yield Case(
        "write indices",
        lambda x: _written(x, lambda y: y.__setitem__((slice(None), torch.tensor([0, 2])), 1.0)),
    )
    yield Case("write negative index", lambda x: _written(x, lambda y: y.__setitem__((..., -1), 1.0)))
    yield Case("write whole", lambda x: _written(x, lambda y: y.add_(1).mul_(2)))
    yield Case("write add_ alpha", lambda x, y: x.clone().add_(y, alpha=0.5), (SHAPE, SHAPE))
    yield Case("write copy_", lambda x: _written(x, lambda y: y[:, 0].copy_(y[:, 1])))
    yield Case("write uncopied", _view_then_write)


def dtypes() -> Iterator[Case]:
    """Casts, and arithmetic of integers."""
    yield Case("int truncates", lambda x: x.int())
    yield Case("int and back", lambda x: x.int().float() / 2)
    yield Case("bool of fractions", lambda x: (x * 0.5).bool())
    yield Case("long division", lambda x: (x * 10).long() / 3)
    for mode in ("floor", "trunc"):
        yield Case(
            f"integer division {mode}", lambda x, m=mode: torch.div((x * 10).int(), 3, rounding_mode=m)
        )
        yield Case(
            f"integer tensors {mode}",
            lambda x, m=mode: torch.div(
                (x * 10).int(), torch.tensor([2, -3, 4, -5], dtype=torch.int32), rounding_mode=m
            ),
        )
    yield Case("integer floor_divide", lambda x: (x * 10).int() // 3)
    yield Case("integer remainder", lambda x: (x * 10).int() % 3)
    yield Case("integer remainder negative", lambda x: (x * 10).int() % -3)
    yield Case("integer fmod", lambda x: torch.fmod((x * 10).int(), 3))
    yield Case("integer mean", lambda x: (x * 10).int().float().mean(-1))
    yield Case("integer mean dtype", lambda x: torch.mean((x * 10).int(), -1, dtype=torch.float32))
    yield Case("integer times fraction", lambda x: (x * 10).int() * 0.5)
    yield Case("integer plus fraction", lambda x: (x * 10).int() + 0.5)
    yield Case("integer power", lambda x: (x * 3).int() ** 2)
    yield Case("bool sum", lambda x: (x > 0).sum(-1))
    yield Case("bool plus bool", lambda x: (x > 0) + (x > 1))
    yield Case("bool times tensor", lambda x: (x > 0) * x)
    yield Case("zeros_like dtype", lambda x: torch.zeros_like(x, dtype=torch.int32) + 0.5)
    yield Case("full_like fraction", lambda x: torch.full_like(x.int(), 1) * 0.5 + x)
    yield Case("full dtype", lambda x: torch.full((4,), 2.7, dtype=torch.int32) * x)
    yield Case("arange dtype", lambda x: torch.arange(0, 2, 0.5) + x)
    yield Case("arange integer", lambda x: torch.arange(4, dtype=torch.float32) / 3 * x)
    yield Case("linspace", lambda x: torch.linspace(-1, 1, 4) * x)
    yield Case("cumsum dtype", lambda x: torch.cumsum((x * 10).int(), -1, dtype=torch.float32) / 3)
    yield Case("prod dtype", lambda x: torch.prod(x.int() + 2, -1, dtype=torch.float32) / 3)
    yield Case("softmax dtype", lambda x: torch.softmax((x * 10).int(), -1, dtype=torch.float32))
    yield Case("to type_as", lambda x, y: x.int().type_as(y) / 2, (SHAPE, SHAPE))
    yield Case("fill fraction", lambda x: torch.zeros_like(x, dtype=torch.int32).fill_(1.7) + x)


def norms() -> Iterator[Case]:
    """Normalisations with unusual epsilons and axes."""
    yield Case("layer_norm", lambda x: F.layer_norm(x, (4,)))
    yield Case("layer_norm two axes", lambda x: F.layer_norm(x, (3, 4), eps=1e-3))
    yield Case("layer_norm eps", lambda x: F.layer_norm(x, (4,), eps=1e-12))
    yield Case("group_norm", lambda x: F.group_norm(x, 2), (IMAGE,))
    yield Case("group_norm eps", lambda x: F.group_norm(x, 2, eps=1e-2), (IMAGE,))
    yield Case("instance_norm", F.instance_norm, (IMAGE,))
    yield Case("rms_norm", lambda x: F.rms_norm(x, (4,)))
    yield Case("rms_norm eps", lambda x: F.rms_norm(x, (4,), eps=1e-2))
    yield Case("local_response_norm", lambda x: F.local_response_norm(x, 3), (IMAGE,))
    for order in (1, 2, 3):
        yield Case(f"normalize {order}", lambda x, p=order: F.normalize(x, p=p, dim=-1))
    yield Case("normalize eps", lambda x: F.normalize(x, dim=-1, eps=0.5))
    yield Case("cosine_similarity", lambda x, y: F.cosine_similarity(x, y, dim=-1), (SHAPE, SHAPE))
    yield Case("pairwise_distance", F.pairwise_distance, (SHAPE, SHAPE))
    yield Case("cdist", torch.cdist, (SHAPE, SHAPE))


def images() -> Iterator[Case]:
    """Convolution, pooling and resizing."""
    kernel = torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    for stride, padding, dilation in product((1, 2), (0, 1), (1, 2)):
        yield Case(
            f"conv2d {stride} {padding} {dilation}",
            lambda x, s=stride, p=padding, d=dilation: F.conv2d(x, kernel, stride=s, padding=p, dilation=d),
            (IMAGE,),
        )
    yield Case("conv2d same", lambda x: F.conv2d(x, kernel, padding="same", dilation=2), (IMAGE,))
    yield Case("conv2d groups", lambda x: F.conv2d(x, kernel[:, :2], groups=2), (IMAGE,))
    for stride, padding, output in ((2, 1, 0), (2, 1, 1), (2, 0, 1), (1, 1, 0)):
        yield Case(
            f"conv_transpose2d {stride} {padding} {output}",
            lambda x, s=stride, p=padding, o=output: F.conv_transpose2d(
                x, kernel, stride=s, padding=p, output_padding=o
            ),
            (IMAGE,),
        )
    for ceil, counted, padding in product((False, True), (False, True), (0, 1)):
        yield Case(
            f"avg_pool2d {ceil} {counted} {padding}",
            lambda x, c=ceil, i=counted, p=padding: F.avg_pool2d(
                x, 3, 2, p, ceil_mode=c, count_include_pad=i
            ),
            (IMAGE,),
        )
    yield Case("avg_pool2d divisor", lambda x: F.avg_pool2d(x, 3, 2, divisor_override=5), (IMAGE,))
    for ceil, padding in product((False, True), (0, 1)):
        yield Case(
            f"max_pool2d {ceil} {padding}",
            lambda x, c=ceil, p=padding: F.max_pool2d(x, 3, 2, p, ceil_mode=c),
            (IMAGE,),
        )
    yield Case("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (3, 5)), (IMAGE,))
    yield Case("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, (3, 5)), (IMAGE,))
    yield Case("lp_pool2d", lambda x: F.lp_pool2d(x, 2, 3), (IMAGE,))
    for mode, corners in product(("bilinear", "bicubic"), (False, True)):
        yield Case(
            f"interpolate {mode} {corners}",
            lambda x, m=mode, a=corners: F.interpolate(x, scale_factor=1.5, mode=m, align_corners=a),
            (IMAGE,),
        )
    yield Case("interpolate nearest", lambda x: F.interpolate(x, scale_factor=1.5, mode="nearest"), (IMAGE,))
    yield Case("interpolate nearest size", lambda x: F.interpolate(x, size=(5, 11), mode="nearest"), (IMAGE,))
    yield Case("interpolate size", lambda x: F.interpolate(x, size=(5, 11), mode="bilinear"), (IMAGE,))
    yield Case("fold", lambda x: F.fold(F.unfold(x, 2, stride=2), (8, 8), 2, stride=2), (IMAGE,))
    yield Case("unfold image", lambda x: F.unfold(x, 3, padding=1), (IMAGE,))
    for mode, padding, corners in product(("bilinear", "nearest"), ("zeros", "border"), (False, True)):
        yield Case(
            f"grid_sample {mode} {padding} {corners}",
            lambda x, g, m=mode, p=padding, a=corners: F.grid_sample(x, g, m, p, align_corners=a),
            (IMAGE, (1, 5, 5, 2)),
        )


def matrices() -> Iterator[Case]:
    """Products of matrices."""
    yield Case("matmul", lambda x, y: x @ y.transpose(1, 2), (SHAPE, SHAPE))
    yield Case("matmul vector", lambda x: x @ x[0, 0])
    yield Case(
        "addmm", lambda x, y: torch.addmm(x[0, :, :3], x[0], y[0].T, beta=0.5, alpha=2), (SHAPE, SHAPE)
    )
    yield Case("baddbmm", lambda x, y: torch.baddbmm(x[..., :3], x, y.mT, beta=0.5, alpha=2), (SHAPE, SHAPE))
    yield Case("addbmm", lambda x, y: torch.addbmm(x[0, :, :3], x, y.mT, alpha=0.5), (SHAPE, SHAPE))
    yield Case("addmv", lambda x: torch.addmv(x[0, :, 0], x[1], x[0, 0], alpha=0.5))
    yield Case("dot", lambda x: torch.dot(x[0, 0], x[1, 1]))
    yield Case("einsum", lambda x, y: torch.einsum("bij,bkj->bik", x, y), (SHAPE, SHAPE))
    yield Case("einsum sum", lambda x, y: torch.einsum("bij,bij->b", x, y), (SHAPE, SHAPE))
    yield Case("linear", lambda x: F.linear(x, torch.arange(8.0).view(2, 4), torch.tensor([1.0, 2.0])))
    yield Case("bilinear", lambda x, y: F.bilinear(x, y, torch.ones(2, 4, 4)), (SHAPE, SHAPE))
    yield Case("tensordot", lambda x, y: torch.tensordot(x, y, dims=([2], [2])), (SHAPE, SHAPE))
    yield Case("cross", lambda x, y: torch.linalg.cross(x, y, dim=1), (SHAPE, SHAPE))
    yield Case("trace", lambda x: torch.trace(x[0, :, :3]))
    for causal in (False, True):
        yield Case(
            f"attention {causal}",
            lambda x, y, c=causal: F.scaled_dot_product_attention(x, y, y, is_causal=c),
            (SHAPE, SHAPE),
        )
    yield Case(
        "attention scale", lambda x, y: F.scaled_dot_product_attention(x, y, y, scale=0.1), (SHAPE, SHAPE)
    )
    yield Case(
        "attention mask",
        lambda x, y: F.scaled_dot_product_attention(
            x, y, y, attn_mask=torch.tensor([[True, False, True]] * 3)
        ),
        (SHAPE, SHAPE),
    )


def masks() -> Iterator[Case]:
    """Constants with infinities."""
    causal = torch.full((3, 3), float("-inf"))
    yield Case("mask triu of infinities", lambda x: torch.softmax(x[..., :3] + causal.triu(1), -1))
    yield Case(
        "mask made inside",
        lambda x: torch.softmax(x[..., :3] + torch.full((3, 3), float("-inf")).triu(1), -1),
    )
    yield Case(
        "mask minimum",
        lambda x: torch.softmax(x[..., :3] + torch.full((3, 3), torch.finfo(torch.float32).min).triu(1), -1),
    )
    yield Case(
        "mask tril where",
        lambda x: torch.where(torch.ones(3, 3).tril().bool(), x[..., :3], float("-inf")).softmax(-1),
    )
    yield Case(
        "mask of the input",
        lambda x: torch.softmax(torch.full_like(x, float("-inf")).triu(1)[..., :3] + x[..., :3], -1),
    )
    yield Case("infinite clamp", lambda x: torch.clamp(x, min=float("-inf"), max=1.0))
    yield Case("infinite maximum", lambda x: torch.maximum(x, torch.tensor(float("-inf"))))
    yield Case("infinite fill", lambda x: torch.full((4,), float("inf")).minimum(x))


def composed() -> Iterator[Case]:
    """An operation that goes wrong easily, behind others and before others."""
    yield Case("loss mse", F.mse_loss, (SHAPE, SHAPE))
    yield Case("loss l1 sum", lambda x, y: F.l1_loss(x, y, reduction="sum"), (SHAPE, SHAPE))
    yield Case("loss smooth beta", lambda x, y: F.smooth_l1_loss(x, y, beta=0.3), (SHAPE, SHAPE))
    yield Case("loss huber", lambda x, y: F.huber_loss(x, y, delta=0.3), (SHAPE, SHAPE))
    yield Case("loss kl", lambda x, y: F.kl_div(x, y.exp(), reduction="sum"), (SHAPE, SHAPE))
    yield Case(
        "loss cross entropy", lambda x: F.cross_entropy(x[0], torch.tensor([0, 1, 2]), label_smoothing=0.1)
    )
    yield Case("sinusoid", lambda x: torch.cat([torch.sin(x * 100), torch.cos(x * 100)], -1))
    yield Case("fourier frac", lambda x: torch.frac(x * 10) * 3)
    yield Case("quantise", lambda x: torch.round(x * 8) / 8)
    yield Case("sign of difference", lambda x, y: torch.sign(x - y) * (x - y).abs().sqrt(), (SHAPE, SHAPE))
    yield Case("rotary", _rotary)
    yield Case("squeeze excite", lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)), (IMAGE,))
    yield Case("swiglu", lambda x: F.silu(x[..., :2]) * x[..., 2:])
    yield Case("dynamic range", lambda x: x / (x.abs().amax(-1, keepdim=True) + 1e-6))
    yield Case("log of probabilities", lambda x: torch.log(torch.softmax(x, -1) + 1e-9))


def _words(text: str) -> list[str]:
    return text.split()


def _first(result: Tensor | tuple[Tensor, ...]) -> Tensor:
    return result if isinstance(result, Tensor) else result[0]


def _values(operation: Callable[..., tuple[Tensor, ...]], x: Tensor) -> Tensor:
    return operation(x, 2, -1)[0] if operation is torch.kthvalue else operation(x, -1)[0]


def _written(x: Tensor, write: Callable[[Tensor], object]) -> Tensor:
    y = x.clone()
    write(y)
    return y * 1


def _view_then_write(x: Tensor) -> Tensor:
    y = x * 2
    part = y[:, 0]
    y.add_(1)
    return part * 1


def _rotary(x: Tensor) -> Tensor:
    half = torch.cat((-x[..., 2:], x[..., :2]), -1)
    angles = torch.arange(3.0).view(3, 1) / torch.tensor([1.0, 10.0, 1.0, 10.0])
    return x * angles.cos() + half * angles.sin()
