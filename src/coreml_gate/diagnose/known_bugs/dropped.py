"""Bugs in which the converter drops something: arguments that it never reads, or whole operations."""

from typing import Final

from coreml_gate.diagnose.known_bugs.bug import ALL, EXPORTS, WHOLE, KnownBug
from coreml_gate.diagnose.torch_calls import Fits, TorchArguments

_THRESHOLD: Final = 20.0
"""Torch's default."""


def _equal_to(name: str, value: object) -> Fits:
    """Whether an argument has this value."""
    return lambda call: bool(call.constant(name) == value)


def _other_than(name: str, *values: object) -> Fits:
    """Whether an argument was given with a value other than these."""
    return lambda call: call.constant(name, values[0]) not in values


def _without_dimension(call: TorchArguments) -> bool:
    """Whether the operation reduces all elements."""
    return call.constant("dim") in {None, ()}


def _correction_above_one(call: TorchArguments) -> bool:
    """Whether the correction of a variance is greater than one."""
    correction = call.constant("correction", 1)
    return isinstance(correction, int | float) and correction > 1


def _above_threshold(call: TorchArguments) -> bool:
    """Whether a softplus with a small threshold reaches it."""
    operand, threshold = call.operand(), call.constant("threshold", _THRESHOLD)
    return (
        operand is not None
        and threshold < _THRESHOLD
        and operand.greatest * call.constant("beta", 1) > threshold
    )


def _own_statistics(call: TorchArguments) -> bool:
    """Whether an instance norm uses its learned statistics."""
    return call.constant("use_input_stats") is False


DROPPED: Final = (
    KnownBug(
        id="alpha",
        torch_operations=("add", "sub", "rsub"),
        routes=EXPORTS,
        when=_other_than("alpha", 1, None),
        what="`alpha` of add, sub and rsub is dropped",
        workaround="multiply explicitly: torch.sub(x, 0.5 * y)",
        example="return torch.sub(x, y, alpha=0.5)",
        issue="apple/coremltools#2573",
        reason="`alpha`",
    ),
    KnownBug(
        id="gelu-tanh",
        torch_operations=("gelu",),
        routes=EXPORTS,
        when=_equal_to("approximate", "tanh"),
        what="the tanh approximation of gelu is converted to the exact function",
        workaround='conversion = "trace", or write the approximation out',
        example='return F.gelu(x, approximate="tanh")',
        issue="apple/coremltools#2863",
    ),
    KnownBug(
        id="selu-scale",
        shows_from_torch="2.13",
        torch_operations=("elu",),
        routes=("decomposed",),
        when=_other_than("scale", 1, None),
        what="torch decomposes selu into an elu with `scale`, which is dropped",
        workaround='conversion = "export", or 1.0507009873554805 * F.elu(x, 1.6732632423543772)',
        example="return F.selu(x)",
    ),
    KnownBug(
        id="softplus-threshold",
        torch_operations=("softplus",),
        routes=WHOLE,
        when=_above_threshold,
        what="`threshold` of softplus is parsed and never used",
        workaround='conversion = "decomposed", or torch.where(x > threshold, x, F.softplus(x))',
        example="return F.softplus(x, threshold=1)",
        issue="apple/coremltools#2725",
    ),
    KnownBug(
        id="division-by-one",
        torch_operations=("remainder", "floor_divide", "div", "floor"),
        routes=ALL,
        what="the pass noop_elimination removes a floor_div by 1, and with it the floor",
        workaround="torch.floor(x), or x - torch.floor(x) for the remainder",
        example="return torch.remainder(x, 1)",
        issue="apple/coremltools#2762",
        reason="noop_elimination",
    ),
    KnownBug(
        id="variance-of-all",
        torch_operations=("var", "std"),
        routes=ALL,
        when=_without_dimension,
        what="without `dim` the variance is the biased one, and no traced correction above 1 counts",
        workaround="((x - x.mean()) ** 2).sum() / (x.numel() - correction)",
        example="return torch.var(x)",
    ),
    KnownBug(
        id="variance-correction",
        torch_operations=("var", "std"),
        routes=("trace",),
        when=_correction_above_one,
        what="a correction above 1 is treated as 1",
        workaround="((x - x.mean(-1, True)) ** 2).sum(-1) / (n - correction)",
        example="return torch.var(x, dim=-1, correction=2)",
        issue="apple/coremltools#2718",
    ),
    KnownBug(
        id="flat-argmax",
        torch_operations=("argmax", "argmin"),
        routes=ALL,
        when=_without_dimension,
        what="without `dim` the last axis is used, the default of reduce_argmax",
        workaround="x.flatten().argmax(0)",
        example="return torch.argmax(x)",
        issue="pytorch/executorch#11715",
    ),
    KnownBug(
        id="instance-statistics",
        torch_operations=("instance_norm",),
        routes=WHOLE,
        when=_own_statistics,
        what="the running statistics are never read: track_running_stats=True uses those of the input",
        workaround='conversion = "decomposed", or F.batch_norm with the same statistics',
        example="mean, variance = torch.ones(3), torch.ones(3)\n"
        "return F.instance_norm(x, mean, variance, use_input_stats=False)",
        issue="apple/coremltools#2666",
    ),
    KnownBug(
        id="antialias",
        torch_operations=("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"),
        routes=ALL,
        what="a resize with antialias=True is converted to one without",
        workaround="F.avg_pool2d before resizing, or antialias=False in the model too",
        example='return F.interpolate(x[None], size=(2, 2), mode="bilinear", antialias=True)',
    ),
)
