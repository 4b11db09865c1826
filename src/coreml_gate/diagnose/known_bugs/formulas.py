"""Bugs in formulas that differ from torch's for small, large, zero or infinite numbers."""

import math
from typing import Final

from coreml_gate.diagnose.known_bugs.bug import ALL, WHOLE, KnownBug
from coreml_gate.diagnose.torch_calls import Fits, TorchArguments

_EXPONENT_ENDS: Final = 80.0
"""exp(-88) is the last normal float32; the converter's formulas differ from torch's shortly before."""


def _zero_seen(call: TorchArguments) -> bool:
    """Whether an element was exactly zero."""
    operand = call.operand()
    return operand is not None and operand.zero


def _infinity_seen(call: TorchArguments) -> bool:
    """Whether an element of the value itself was infinite."""
    operand = call.operand("self") or call.operand("input") or call.operand()
    return operand is not None and operand.infinite


def _infinite_divisor(call: TorchArguments) -> bool:
    """Whether a divisor was infinite."""
    divisor = call.operand("other")
    return divisor.infinite if divisor is not None else math.isinf(float(call.constant("other", 0)))


def _smaller_than(bound: float) -> Fits:
    """Whether an element other than zero was below this magnitude."""

    def fits(call: TorchArguments) -> bool:
        operand = call.operand()
        return operand is not None and operand.smallest < bound

    return fits


def _beyond_exponents(call: TorchArguments) -> bool:
    """Whether the elements are so far apart, or so large, that their exponentials exceed float32."""
    operand = call.operand()
    return operand is not None and max(operand.greatest - operand.least, operand.greatest) > _EXPONENT_ENDS


def _infinite(name: str) -> Fits:
    """Whether an argument is infinite."""
    return lambda call: isinstance(call.constant(name), float) and math.isinf(call.constant(name))


def _zero_beside_negative(call: TorchArguments) -> bool:
    """Whether atan2 gets a zero, and a negative second operand."""
    y, x = call.operand("self"), call.operand("other")
    return y is not None and x is not None and y.zero and x.least < 0


def _masked_attention(call: TorchArguments) -> bool:
    """Whether the mask is causal or boolean."""
    mask = call.operand("attn_mask")
    return bool(call.constant("is_causal")) or (mask is not None and mask.boolean)


def _infinite_scores(call: TorchArguments) -> bool:
    """Whether an attention score may be infinite."""
    operands = (call.operand(name) for name in ("query", "key", "attn_mask"))
    return any(operand is not None and operand.infinite for operand in operands)


def _below_epsilon(call: TorchArguments) -> bool:
    """Whether an element is smaller than the epsilon that bounds its norm."""
    epsilon = call.constant("eps", 1e-8)
    return any(operand.zero or operand.smallest < epsilon for operand in call.operands())


FORMULAS: Final = (
    KnownBug(
        id="reciprocal-epsilon",
        torch_operations=("reciprocal",),
        routes=ALL,
        when=_smaller_than(10.0),
        what="1 / x is computed as 1 / (x + 1e-4), also where a number is divided by a tensor",
        workaround="torch.ones_like(x) / x",
        example="return torch.reciprocal(x)",
        issue="apple/coremltools#2773",
    ),
    KnownBug(
        id="log-softmax",
        torch_operations=("log_softmax", "_log_softmax"),
        routes=ALL,
        when=_beyond_exponents,
        what="log_softmax becomes the log of a softmax, which ends at -103.3 in float32 and at -17 in half",
        workaround="s = x - x.amax(-1, True); s - s.exp().sum(-1, True).log()",
        example="return F.log_softmax(x * 1000, -1)",
        issue="apple/coremltools#2727",
    ),
    KnownBug(
        id="logcumsumexp",
        torch_operations=("logcumsumexp",),
        routes=ALL,
        when=_beyond_exponents,
        what="logcumsumexp becomes log(cumsum(exp(x))) and overflows from 88.7 on",
        workaround="m = x.amax(-1, True); (x - m).exp().cumsum(-1).log() + m",
        example="return torch.logcumsumexp(x * 1000, -1)",
    ),
    KnownBug(
        id="triangle-of-infinities",
        torch_operations=("triu", "tril"),
        routes=WHOLE,
        when=_infinity_seen,
        what="the triangle is x - band_part(x), which is NaN where x is infinite",
        workaround='conversion = "decomposed", or x.masked_fill(mask, 0)',
        example='mask = torch.tensor([[float("-inf")] * 3] * 3)\n'
        "return torch.softmax(x[..., :3] + mask.triu(1), -1)",
        issue="apple/coremltools#2771",
    ),
    KnownBug(
        id="arctangent-of-zero",
        torch_operations=("atan2",),
        routes=ALL,
        when=_zero_beside_negative,
        what="atan2(0, x) is 0 for negative x, where torch gives pi",
        workaround="torch.where((y == 0) & (x < 0), math.pi, torch.atan2(y, x))",
        example="return torch.atan2(torch.relu(x), y)",
        issue="apple/coremltools#2769",
    ),
    KnownBug(
        id="small-exponentials",
        torch_operations=("expm1", "log1p"),
        routes=ALL,
        when=_smaller_than(1e-2),
        what="expm1 becomes exp(x) - 1 and log1p becomes log(1 + x), which cancel for small x",
        workaround="x + x * x / 2 where |x| < 1e-3",
        example="return torch.expm1(x * 1e-4)",
    ),
    KnownBug(
        id="infinite-padding",
        torch_operations=("constant_pad_nd", "pad"),
        routes=("trace",),
        when=_infinite("value"),
        what="padding with -inf becomes padding with -3.4e38",
        workaround='conversion = "export"',
        example='return F.pad(x, (1, 2), value=float("-inf"))',
    ),
    KnownBug(
        id="rms-norm-epsilon",
        torch_operations=("rms_norm",),
        routes=WHOLE,
        what="the epsilon is added to the norm of scaled values, not to the mean of the squares",
        workaround='conversion = "decomposed", or x * torch.rsqrt((x * x).mean(-1, True) + eps)',
        example="return F.rms_norm(x, (4,), eps=1e-2)",
        issue="apple/coremltools#2821",
    ),
    KnownBug(
        id="attention-mask",
        torch_operations=("scaled_dot_product_attention",),
        routes=WHOLE,
        when=_masked_attention,
        what="a boolean or causal mask becomes -3e4, which large scores outvote",
        workaround='conversion = "decomposed", or a mask of your own',
        example="return F.scaled_dot_product_attention(x * 1000, y * 1000, y, is_causal=True)",
    ),
    KnownBug(
        id="masked-row",
        torch_operations=("scaled_dot_product_attention",),
        routes=WHOLE,
        when=_infinite_scores,
        what="a row of scores that are all -inf is NaN, where torch gives 0",
        workaround='conversion = "decomposed", or mask with -1e4',
        example='mask = torch.zeros(3, 3)\nmask[1] = float("-inf")\n'
        "return F.scaled_dot_product_attention(x, y, y, attn_mask=mask)",
    ),
    KnownBug(
        id="log-of-zero",
        torch_operations=("log", "log2", "log10"),
        routes=ALL,
        when=_zero_seen,
        what="the log of zero is -103.3, the log of the added epsilon, where torch gives -inf",
        workaround='torch.where(x > 0, torch.log(x), float("-inf"))',
        example="return torch.log(torch.relu(x)).clamp(min=-1000)",
    ),
    KnownBug(
        id="cosine-epsilon",
        torch_operations=("cosine_similarity",),
        routes=WHOLE,
        when=_below_epsilon,
        what="the epsilon bounds the product of the norms, where torch bounds each of them",
        workaround='conversion = "decomposed", or (F.normalize(x, dim=-1) * F.normalize(y, dim=-1)).sum(-1)',
        example="return F.cosine_similarity(x * 1e-3, y, dim=-1, eps=0.5)",
    ),
    KnownBug(
        id="infinite-divisor",
        torch_operations=("remainder",),
        routes=ALL,
        when=_infinite_divisor,
        what="the remainder is x - floor(x / y) * y, which is NaN for infinite y",
        workaround="torch.where(y.abs() < 1e38, torch.remainder(x, y), x)",
        example="return torch.remainder(x.abs(), torch.exp(y * 0 + 1000))",
    ),
    KnownBug(
        id="rsqrt-epsilon",
        torch_operations=("rsqrt",),
        routes=ALL,
        when=_smaller_than(1e-6),
        what="1 / sqrt(x) is computed as 1 / sqrt(x + 1e-12)",
        workaround="torch.ones_like(x) / torch.sqrt(x)",
        example="return torch.rsqrt(x.abs() * 1e-8)",
    ),
    KnownBug(
        id="select-as-sum",
        torch_operations=("where", "masked_fill"),
        routes=("decomposed",),
        when=_infinity_seen,
        what="where(mask, x, -inf) becomes x plus 0 or -inf, which is NaN where x is +inf and masked",
        workaround="keep x finite: x.clamp(max=1e38)",
        example="mask = torch.ones(3, 3).tril().bool()\n"
        'return torch.where(mask, torch.exp(x[..., :3] * 1000), float("-inf")).clamp(-1, 1)',
    ),
    KnownBug(
        id="power-of-two",
        torch_operations=("pow",),
        routes=ALL,
        what="2 ** y is computed as y ** 2 by Core ML",
        workaround="torch.exp(y * math.log(2))",
        example="return torch.pow(2.0, x)",
        issue="apple/coremltools#2628",
    ),
)
