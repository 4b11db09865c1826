"""Half precision: formulas that are safe in float32 and overflow or cancel in FP16."""

import math
from collections.abc import Iterator
from typing import Final

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Operation
from coreml_gate.rules.rule import Match, rule

_SQUARE: Final = 2
_LONG_SUM: Final = 4096


@rule(
    "fp16-softplus",
    "info",
    on="program",
    evidence=("apple/coremltools#2687", "apple/coremltools#2814"),
    fix="The Neural Engine returns 0 from about x = 10.4 on. Write the stable form:\n"
    "torch.relu(x) + torch.log(1 + torch.exp(-torch.abs(x)))",
)
def fp16_softplus(program: Index) -> Iterator[Match]:
    """A softplus (or mish) runs in FP16."""
    yield from _halves(program, "softplus")


def _halves(program: Index, kind: str) -> Iterator[Match]:
    for operation in program.of(kind):
        if program.is_half(operation):
            yield Match(operation.name, f"`{kind}` in half precision")


@rule(
    "fp16-log-sum-exp",
    "info",
    on="program",
    evidence=("apple/coremltools#2726",),
    fix="Without a shift, the sum of exponentials overflows. Subtract the maximum:\n"
    "m = x.amax(-1, keepdim=True)\n"
    "(x - m).exp().sum(-1, keepdim=True).log() + m",
)
def fp16_log_sum_exp(program: Index) -> Iterator[Match]:
    """A logsumexp runs in FP16."""
    yield from _halves(program, "reduce_log_sum_exp")


@rule(
    "fp16-log-softmax",
    "info",
    on="program",
    evidence=("apple/coremltools#2727", "apple/coremltools#2763"),
    fix="Probabilities below 6e-8 become 0, and their logarithm -inf. Return logits, or write the stable "
    "form:\n"
    "s = x - x.amax(-1, keepdim=True)\n"
    "s - s.exp().sum(-1, keepdim=True).log()",
)
def fp16_log_softmax(program: Index) -> Iterator[Match]:
    """A log_softmax is computed as a log after a softmax, in FP16."""
    yield from _log_of(program, "softmax")


def _log_of(program: Index, kind: str) -> Iterator[Match]:
    for operation in program.of("log"):
        made = program.maker(operation, "x")
        if made is not None and made.type == kind and program.is_half(operation):
            yield Match(operation.name, f"`log` of `{kind}` `{made.name}` in half precision")


@rule(
    "fp16-log-sigmoid",
    "info",
    on="program",
    evidence=("apple/coremltools#2727", "IEEE 754 binary16: sigmoid(x) is 0 below x = -17"),
    fix="Write the stable form:\ntorch.minimum(x, zero) - torch.log(1 + torch.exp(-torch.abs(x)))",
)
def fp16_log_sigmoid(program: Index) -> Iterator[Match]:
    """A logsigmoid is computed as a log after a sigmoid, in FP16."""
    yield from _log_of(program, "sigmoid")


@rule(
    "fp16-squares",
    "info",
    on="program",
    evidence=("apple/coremltools#2585", "pytorch/executorch#19523"),
    fix="Inputs above 255 overflow when they are squared. Scale them first:\n"
    "m = x.abs().amax(-1, keepdim=True).clamp(min=1)\n"
    "m * ((x / m) ** 2).mean(-1, keepdim=True).sqrt()",
)
def fp16_squares(program: Index) -> Iterator[Match]:
    """Squares are averaged in FP16, as in an RMSNorm that is written out."""
    for operation in program.of("reduce_mean", "reduce_sum", "reduce_sum_square"):
        if not program.is_half(operation):
            continue
        if operation.type == "reduce_sum_square" or _is_square(program, program.maker(operation, "x")):
            yield Match(operation.name, "squares in half precision: inputs above 255 overflow")


def _is_square(program: Index, operation: Operation | None) -> bool:
    if operation is None:
        return False
    if operation.type == "mul":
        factor = program.name(operation, "x")
        return (
            factor is not None and factor == program.name(operation, "y") and not _is_bounded(program, factor)
        )
    bounded = _is_bounded(program, program.name(operation, "x"))
    return not bounded and (
        operation.type == "square" or (operation.type == "pow" and program.scalar(operation, "y") == _SQUARE)
    )


def _is_bounded(program: Index, name: str | None) -> bool:
    """Whether the value was divided by a maximum, as in a stable norm."""
    made = program.origin(name)
    if made is None or made.type not in {"real_div", "mul"}:
        return False
    makers = (program.maker(made, parameter) for parameter in ("x", "y"))
    return any(maker is not None and maker.type in {"reduce_max", "maximum", "inverse"} for maker in makers)


@rule(
    "fp16-long-sum",
    "info",
    on="program",
    evidence=("apple/coremltools#2625", "IEEE 754 binary16: 2048 + 1 is 2048"),
    fix="Use a mean, or keep the sum in float32:\n" + 'keep-fp32 = ["the_sum"]',
)
def fp16_long_sum(program: Index) -> Iterator[Match]:
    """One sum adds thousands of FP16 values."""
    for operation in program.of("reduce_sum", "cumsum"):
        name = program.name(operation, "x")
        axes = program.numbers(operation, "axes" if operation.type == "reduce_sum" else "axis")
        if not program.is_half(operation) or axes is None:
            continue
        count = math.prod(program.size(name, axis) or 1 for axis in axes.reshape(-1).tolist())
        if count >= _LONG_SUM:
            yield Match(operation.name, f"`{operation.type}` adds {count} FP16 values")


@rule(
    "fp16-unshifted-softmax",
    "info",
    on="program",
    evidence=("IEEE 754 binary16: exp(x) is infinite from x = 11.1 on", "apple/coremltools#2726"),
    fix="Use torch.softmax, which subtracts the maximum itself:\ntorch.softmax(x, dim=-1)",
)
def fp16_unshifted_softmax(program: Index) -> Iterator[Match]:
    """A softmax is written out without subtracting the maximum."""
    for operation in program.of("exp"):
        if not program.is_half(operation) or _is_shifted(program, operation):
            continue
        users = program.users(operation)
        sums = [user for user in users if user.type == "reduce_sum"]
        if sums and any(user.type == "real_div" for user in users):
            yield Match(operation.name, f"exp / sum(exp) written out, summed in `{sums[0].name}`")


def _is_shifted(program: Index, exp: Operation) -> bool:
    made = program.maker(exp, "x")
    shift = None if made is None or made.type != "sub" else program.maker(made, "y")
    return shift is not None and shift.type == "reduce_max"


@rule(
    "fp16-variance-of-squares",
    "info",
    on="program",
    evidence=("Chan, Golub, LeVeque: Algorithms for computing the sample variance, 1983",),
    fix="Subtract the mean first:\n((x - x.mean(-1, keepdim=True)) ** 2).mean(-1, keepdim=True)",
)
def fp16_variance_of_squares(program: Index) -> Iterator[Match]:
    """A variance is computed as E[x^2] - E[x]^2."""
    for operation in program.of("sub"):
        mean, square = program.maker(operation, "x"), program.maker(operation, "y")
        if mean is None or mean.type != "reduce_mean" or not program.is_half(operation):
            continue
        squared = program.maker(square, "x") if square is not None and _squares(program, square) else None
        if (
            squared is not None
            and squared.type == "reduce_mean"
            and _squares(program, program.maker(mean, "x"))
        ):
            yield Match(operation.name, "E[x^2] - E[x]^2 in half precision cancels")


def _squares(program: Index, operation: Operation | None) -> bool:
    if operation is None:
        return False
    same = operation.type == "mul" and program.name(operation, "x") == program.name(operation, "y")
    return (
        same
        or operation.type == "square"
        or (operation.type == "pow" and program.scalar(operation, "y") == _SQUARE)
    )


@rule(
    "fp16-late-scale",
    "info",
    on="program",
    evidence=("apple/coremltools#2110", "PriorLabs/TabPFN#1275"),
    fix="The product may overflow where the scaled one does not. Scale the query first:\n"
    "(q * d ** -0.5) @ k.mT",
)
def fp16_late_scale(program: Index) -> Iterator[Match]:
    """Attention scores are scaled only after the matrix product."""
    for operation in program.of("matmul"):
        constant = {program.name(operation, "x"), program.name(operation, "y")} - program.varying
        if constant or not program.is_half(operation):
            continue
        for user in program.users(operation):
            factor = program.scalar(user, "y") if user.type in {"mul", "real_div"} else None
            factor = 1 / factor if factor and user.type == "real_div" else factor
            if factor is not None and 0 < abs(factor) < 1:
                yield Match(operation.name, f"scores are scaled by {factor:.3g} only after the product")
