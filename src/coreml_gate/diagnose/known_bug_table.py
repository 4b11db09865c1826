"""Wrong conversions of coremltools that the hunt and coremltools' own tests led to, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from coreml_gate.diagnose.preconditions import (
    above_threshold,
    below_epsilon,
    beyond_exponents,
    beyond_mantissa,
    constant,
    correction_above_one,
    fraction_into_integers,
    fractional_range,
    fractions,
    fractions_into_integers,
    infinite,
    infinite_divisor,
    infinite_scores,
    infinity_seen,
    integers,
    masked_attention,
    negative,
    other_than,
    own_statistics,
    product_beyond_mantissa,
    smaller_than,
    without_dimension,
    written_through_a_view,
    zero_beside_negative,
    zero_seen,
)
from coreml_gate.diagnose.torch_calls import Fits

Route = Literal["export", "decomposed", "trace"]
_ALL: Final[tuple[Route, ...]] = ("export", "decomposed", "trace")
_EXPORTS: Final[tuple[Route, ...]] = ("export", "decomposed")
_WHOLE: Final[tuple[Route, ...]] = ("export", "trace")
"""Where the operation reaches the converter whole; torch's core decompositions take it apart."""


@dataclass(frozen=True)
class KnownBug:
    """One wrong conversion, and how to write the operation instead."""

    id: str
    torch_operations: tuple[str, ...]
    """As the first wrong operation names them; a name without an underscore means the in-place form too."""
    routes: tuple[Route, ...]
    what: str
    """The symptom, as a sentence without its full stop."""
    workaround: str
    example: str
    """The body of a ``forward(x, y)`` that shows it, with ``x`` and ``y`` of shape (2, 3, 4)."""
    issue: str = ""
    """``owner/repository#number``; empty where none was found."""
    reason: str = ""
    """What the finding's reason has to hold, where the operation alone says too little."""
    when: Fits | None = None
    """Whether it applies to what the operation was given; ``None``: to every call."""
    fixed_in: str | None = None
    """The first release without it; ``None``: there is none yet."""


_V9: Final = (
    KnownBug(
        id="alpha",
        torch_operations=("add", "sub", "rsub"),
        routes=_EXPORTS,
        when=other_than("alpha", 1, None),
        what="`alpha` of add, sub and rsub is dropped",
        workaround="multiply yourself: torch.sub(x, 0.5 * y)",
        example="return torch.sub(x, y, alpha=0.5)",
        issue="apple/coremltools#2573",
        reason="`alpha`",
    ),
    KnownBug(
        id="gelu-tanh",
        torch_operations=("gelu",),
        routes=_EXPORTS,
        when=constant("approximate", "tanh"),
        what="the tanh approximation of gelu is converted as the exact one",
        workaround='conversion = "trace", or write the approximation out',
        example='return F.gelu(x, approximate="tanh")',
        issue="apple/coremltools#2863",
    ),
    KnownBug(
        id="selu-scale",
        torch_operations=("elu",),
        routes=("decomposed",),
        when=other_than("scale", 1, None),
        what="torch's decompositions make selu an elu with `scale`, which is dropped",
        workaround='conversion = "export", or 1.0507009873554805 * F.elu(x, 1.6732632423543772)',
        example="return F.selu(x)",
    ),
    KnownBug(
        id="softplus-threshold",
        torch_operations=("softplus",),
        routes=_WHOLE,
        when=above_threshold,
        what="`threshold` of softplus is parsed and never used",
        workaround='conversion = "decomposed", or torch.where(x > threshold, x, F.softplus(x))',
        example="return F.softplus(x, threshold=1)",
        issue="apple/coremltools#2725",
    ),
    KnownBug(
        id="reciprocal-epsilon",
        torch_operations=("reciprocal",),
        routes=_ALL,
        when=smaller_than(10.0),
        what="1 / x is computed as 1 / (x + 1e-4), also where a number is divided by a tensor",
        workaround="torch.ones_like(x) / x",
        example="return torch.reciprocal(x)",
        issue="apple/coremltools#2773",
    ),
    KnownBug(
        id="division-by-one",
        torch_operations=("remainder", "floor_divide", "div", "floor"),
        routes=_ALL,
        what="the pass noop_elimination takes floor_div by 1 for no operation and drops the floor",
        workaround="torch.floor(x), or x - torch.floor(x) for the remainder",
        example="return torch.remainder(x, 1)",
        issue="apple/coremltools#2762",
        reason="noop_elimination",
    ),
    KnownBug(
        id="variance-of-all",
        torch_operations=("var", "std"),
        routes=_ALL,
        when=without_dimension,
        what="without `dim` the variance is the biased one, and no traced correction above 1 counts",
        workaround="((x - x.mean()) ** 2).sum() / (x.numel() - correction)",
        example="return torch.var(x)",
    ),
    KnownBug(
        id="variance-correction",
        torch_operations=("var", "std"),
        routes=("trace",),
        when=correction_above_one,
        what="a correction above 1 is taken for 1",
        workaround="((x - x.mean(-1, True)) ** 2).sum(-1) / (n - correction)",
        example="return torch.var(x, dim=-1, correction=2)",
        issue="apple/coremltools#2718",
    ),
    KnownBug(
        id="flat-argmax",
        torch_operations=("argmax", "argmin"),
        routes=_ALL,
        when=without_dimension,
        what="without `dim` the last axis is taken, the default of reduce_argmax",
        workaround="x.flatten().argmax(0)",
        example="return torch.argmax(x)",
        issue="pytorch/executorch#11715",
    ),
    KnownBug(
        id="diagonal-matrix",
        torch_operations=("diagonal",),
        routes=_EXPORTS,
        what="the diagonal comes out as a matrix with zeros beside it",
        workaround="(x * torch.eye(n)).sum(-1)",
        example="return torch.diagonal(x[0, :, :3])",
        issue="apple/coremltools#2565",
    ),
    KnownBug(
        id="any-of-fractions",
        torch_operations=("any", "all"),
        routes=_ALL,
        when=fractions,
        what="numbers are cast to integers first, so that fractions count as zero",
        workaround="torch.any(x != 0)",
        example="return torch.any(x * 0.1).float()",
    ),
    KnownBug(
        id="log-softmax",
        torch_operations=("log_softmax", "_log_softmax"),
        routes=_ALL,
        when=beyond_exponents,
        what="log_softmax becomes the log of a softmax, which ends at -103.3 in float32 and at -17 in half",
        workaround="s = x - x.amax(-1, True); s - s.exp().sum(-1, True).log()",
        example="return F.log_softmax(x * 1000, -1)",
        issue="apple/coremltools#2727",
    ),
    KnownBug(
        id="logcumsumexp",
        torch_operations=("logcumsumexp",),
        routes=_ALL,
        when=beyond_exponents,
        what="logcumsumexp becomes log(cumsum(exp(x))) and overflows from 88.7 on",
        workaround="m = x.amax(-1, True); (x - m).exp().cumsum(-1).log() + m",
        example="return torch.logcumsumexp(x * 1000, -1)",
    ),
    KnownBug(
        id="negative-narrow",
        torch_operations=("narrow",),
        routes=("trace",),
        when=negative("start"),
        what="a negative start that reaches the end gives an empty slice",
        workaround="x[..., -1:]",
        example="return x.narrow(-1, -1, 1)",
        issue="apple/coremltools#2774",
    ),
    KnownBug(
        id="triangle-of-infinities",
        torch_operations=("triu", "tril"),
        routes=_WHOLE,
        when=infinity_seen,
        what="the triangle is x - band_part(x), which is NaN where x is infinite",
        workaround='conversion = "decomposed", or x.masked_fill(mask, 0)',
        example='mask = torch.tensor([[float("-inf")] * 3] * 3)\n'
        "return torch.softmax(x[..., :3] + mask.triu(1), -1)",
        issue="apple/coremltools#2771",
    ),
    KnownBug(
        id="arctangent-of-zero",
        torch_operations=("atan2",),
        routes=_ALL,
        when=zero_beside_negative,
        what="atan2(0, x) is 0 for negative x, where torch says pi",
        workaround="torch.where((y == 0) & (x < 0), math.pi, torch.atan2(y, x))",
        example="return torch.atan2(torch.relu(x), y)",
        issue="apple/coremltools#2769",
    ),
    KnownBug(
        id="small-exponentials",
        torch_operations=("expm1", "log1p"),
        routes=_ALL,
        when=smaller_than(1e-2),
        what="expm1 becomes exp(x) - 1 and log1p becomes log(1 + x), which cancel for small x",
        workaround="x + x * x / 2 where |x| < 1e-3",
        example="return torch.expm1(x * 1e-4)",
    ),
    KnownBug(
        id="infinite-padding",
        torch_operations=("constant_pad_nd", "pad"),
        routes=("trace",),
        when=infinite("value"),
        what="padding with -inf becomes padding with -3.4e38",
        workaround='conversion = "export"',
        example='return F.pad(x, (1, 2), value=float("-inf"))',
    ),
    KnownBug(
        id="lost-write",
        torch_operations=tuple(
            f"{name}_"
            for name in ("add", "sub", "mul", "div", "relu", "clamp", "masked_fill", "sigmoid", "neg", "exp")
        ),
        routes=("trace",),
        when=written_through_a_view,
        what="a write in place through a view changes the view alone",
        workaround='conversion = "export", or put the parts together with torch.cat',
        example="z = x.clone()\nz[:, 0].add_(1)\nreturn z * 1",
        issue="apple/coremltools#2188",
    ),
    KnownBug(
        id="misplaced-write",
        torch_operations=("fill", "copy", "_internal_op_tensor_inplace_fill", "zero"),
        routes=("trace",),
        when=written_through_a_view,
        what="a value written into the slice of a later axis lands in other elements as well",
        workaround='conversion = "export", or torch.where with a mask',
        example="z = x.clone()\nz[..., -1] = 1\nreturn z * 1",
    ),
    KnownBug(
        id="mean-of-integers",
        torch_operations=("mean",),
        routes=_ALL,
        when=integers,
        what="`dtype` of mean is dropped: the mean of integers stays an integer",
        workaround="x.float().mean(-1)",
        example="return torch.mean((x * 10).int(), -1, dtype=torch.float32)",
    ),
    KnownBug(
        id="dtype-of-filled",
        torch_operations=("full_like", "new_full", "fill"),
        routes=_ALL,
        when=fraction_into_integers,
        what="an integer tensor that is filled with a fraction keeps the fraction",
        workaround="fill with a whole number, or cast before",
        example="return torch.full_like(x, 2.7, dtype=torch.int32) * x",
    ),
    KnownBug(
        id="dtype-of-sum",
        torch_operations=("sum", "cumprod", "prod"),
        routes=_ALL,
        when=fractions_into_integers,
        what="`dtype` is dropped: fractions are not cut before they are summed or multiplied",
        workaround="x.int().sum(-1)",
        example="return torch.sum(x * 2, -1, dtype=torch.int32)",
    ),
    KnownBug(
        id="dtype-of-range",
        torch_operations=("arange", "linspace"),
        routes=_ALL,
        when=fractional_range,
        what="an integer `dtype` of a range with fractions is dropped",
        workaround="torch.arange(0, 4)",
        example="return torch.arange(0.5, 4, dtype=torch.int32) * x",
        issue="apple/coremltools#1852",
    ),
    KnownBug(
        id="rms-norm-epsilon",
        torch_operations=("rms_norm",),
        routes=_WHOLE,
        what="the epsilon is added to the norm of scaled values, not to the mean of the squares",
        workaround='conversion = "decomposed", or x * torch.rsqrt((x * x).mean(-1, True) + eps)',
        example="return F.rms_norm(x, (4,), eps=1e-2)",
        issue="apple/coremltools#2821",
    ),
    KnownBug(
        id="attention-mask",
        torch_operations=("scaled_dot_product_attention",),
        routes=_WHOLE,
        when=masked_attention,
        what="a boolean or causal mask becomes -3e4, which large scores outvote",
        workaround='conversion = "decomposed", or a mask of your own',
        example="return F.scaled_dot_product_attention(x * 1000, y * 1000, y, is_causal=True)",
    ),
    KnownBug(
        id="masked-row",
        torch_operations=("scaled_dot_product_attention",),
        routes=_WHOLE,
        when=infinite_scores,
        what="a row of scores that are all -inf is NaN, where torch says 0",
        workaround='conversion = "decomposed", or mask with -1e4',
        example='mask = torch.zeros(3, 3)\nmask[1] = float("-inf")\n'
        "return F.scaled_dot_product_attention(x, y, y, attn_mask=mask)",
    ),
    KnownBug(
        id="instance-statistics",
        torch_operations=("instance_norm",),
        routes=_WHOLE,
        when=own_statistics,
        what="the running statistics are never read: track_running_stats=True uses those of the input",
        workaround='conversion = "decomposed", or F.batch_norm with the same statistics',
        example="mean, variance = torch.ones(3), torch.ones(3)\n"
        "return F.instance_norm(x, mean, variance, use_input_stats=False)",
        issue="apple/coremltools#2666",
    ),
    KnownBug(
        id="log-of-zero",
        torch_operations=("log", "log2", "log10"),
        routes=_ALL,
        when=zero_seen,
        what="the log of zero is -103.3, the log of the epsilon that is added, where torch says -inf",
        workaround='torch.where(x > 0, torch.log(x), float("-inf"))',
        example="return torch.log(torch.relu(x)).clamp(min=-1000)",
    ),
    KnownBug(
        id="antialias",
        torch_operations=("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"),
        routes=_ALL,
        what="resizing with antialias=True is converted as resizing without",
        workaround="F.avg_pool2d before resizing, or antialias=False in the model as well",
        example='return F.interpolate(x[None], size=(2, 2), mode="bilinear", antialias=True)',
    ),
    KnownBug(
        id="cosine-epsilon",
        torch_operations=("cosine_similarity",),
        routes=_WHOLE,
        when=below_epsilon,
        what="the epsilon bounds the product of the norms, where torch bounds each of them",
        workaround='conversion = "decomposed", or (F.normalize(x, dim=-1) * F.normalize(y, dim=-1)).sum(-1)',
        example="return F.cosine_similarity(x * 1e-3, y, dim=-1, eps=0.5)",
    ),
    KnownBug(
        id="integer-division",
        torch_operations=("floor_divide", "div"),
        routes=_ALL,
        when=beyond_mantissa,
        what="integers are divided as float32, which is off by one beyond 2^24",
        workaround="subtract the remainder first, or keep integers below 2^24",
        example='return torch.div((x * 10).int() + 2**24 + 1, 2, rounding_mode="floor")',
        issue="apple/coremltools#2570",
    ),
    KnownBug(
        id="integer-product",
        torch_operations=("mul",),
        routes=_ALL,
        when=product_beyond_mantissa,
        what="Core ML multiplies integers as float32, which is off by some beyond 2^24",
        workaround="keep the product below 2^24, or multiply high and low parts apart",
        example="return (x * 10).int().abs() * 3 + torch.full_like(x, 2**23, dtype=torch.int32) * 5",
        issue="rustnn/rustnn#183",
    ),
    KnownBug(
        id="infinite-divisor",
        torch_operations=("remainder",),
        routes=_ALL,
        when=infinite_divisor,
        what="the remainder is x - floor(x / y) * y, which is NaN for infinite y",
        workaround="torch.where(y.abs() < 1e38, torch.remainder(x, y), x)",
        example="return torch.remainder(x.abs(), torch.exp(y * 0 + 1000))",
    ),
    KnownBug(
        id="rsqrt-epsilon",
        torch_operations=("rsqrt",),
        routes=_ALL,
        when=smaller_than(1e-6),
        what="1 / sqrt(x) is computed as 1 / sqrt(x + 1e-12)",
        workaround="torch.ones_like(x) / torch.sqrt(x)",
        example="return torch.rsqrt(x.abs() * 1e-8)",
    ),
    KnownBug(
        id="select-as-sum",
        torch_operations=("where", "masked_fill"),
        routes=("decomposed",),
        when=infinity_seen,
        what="where(mask, x, -inf) becomes x plus 0 or -inf, which is NaN where x is +inf and masked",
        workaround="keep x finite: x.clamp(max=1e38)",
        example="mask = torch.ones(3, 3).tril().bool()\n"
        'return torch.where(mask, torch.exp(x[..., :3] * 1000), float("-inf")).clamp(-1, 1)',
    ),
    KnownBug(
        id="power-of-two",
        torch_operations=("pow",),
        routes=_ALL,
        what="2 ** y is computed as y ** 2 by Core ML",
        workaround="torch.exp(y * math.log(2))",
        example="return torch.pow(2.0, x)",
        issue="apple/coremltools#2628",
    ),
    KnownBug(
        id="ceil-average",
        torch_operations=("avg_pool1d", "avg_pool2d"),
        routes=_ALL,
        what="where ceil_mode lets a window leave the input, Core ML divides by the whole kernel",
        workaround="count_include_pad=False",
        example="return F.avg_pool1d(x, 2, 3, ceil_mode=True)",
        issue="apple/coremltools#2844",
    ),
)

UNMEASURED: Final = (
    KnownBug(
        id="random-integers",
        torch_operations=("randint",),
        routes=_ALL,
        what="random integers can reach their upper bound",
        workaround="torch.randint(0, n, size).clamp(max=n - 1)",
        example="return torch.randint(0, 2, (4,)) * x",
        issue="apple/coremltools#2568",
    ),
)
"""Seen on a device by others: the program itself is as documented, so that only the rules find them."""

KNOWN_BUGS: Final[Mapping[str, tuple[KnownBug, ...]]] = {"9.0": _V9}
"""By the coremltools release in which they were measured; later ones have them until ``fixed_in``."""
