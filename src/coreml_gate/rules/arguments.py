"""Arguments and special values that the converter interprets differently from torch."""

import math
from collections.abc import Iterator
from typing import Final

from coreml_gate.rules.graph_calls import calls_of, match_at
from coreml_gate.rules.rule import Match, rule
from coreml_gate.torch_graph import TorchGraph

_DEFAULT_SOFTPLUS: Final = 20
_FILLING: Final = ("aten::fill", "aten::fill_", "aten::full_like", "aten::new_full")
_NAMED_ARGUMENTS: Final = frozenset(
    {
        *(("aten::" + name, "alpha") for name in ("add", "sub", "rsub")),
        ("aten::gelu", "approximate"),
        ("aten::softplus", "threshold"),
    }
)
"""Arguments that a rule of their own covers."""


@rule(
    "ignored-alpha",
    "silent",
    on="graph",
    evidence=("apple/coremltools#2573", "measured: coremltools 9.0 drops it for add, sub and rsub"),
    fix="Multiply yourself:\ntorch.sub(x, 2 * y)",
    versions="up to 9.0",
)
def ignored_alpha(graph: TorchGraph) -> Iterator[Match]:
    """The converter drops the `alpha` of add, sub or rsub."""
    if graph.route != "export":  # the trace route rejects such calls
        return
    for call in calls_of(graph, {"aten::add", "aten::sub", "aten::rsub"}):
        alpha = call.constants.get("alpha", 1)
        if alpha not in {1, None}:
            yield match_at(call, f"`{call.operation}` with alpha = {alpha}: the converter drops it")


@rule(
    "unread-argument",
    "silent",
    on="graph",
    evidence=("measured: the converter functions of coremltools 9.0 read other arguments only",),
    fix="Express the argument with operations, or try another route:\n"
    'conversion = "trace"  # or "export", "decomposed"',
)
def unread_argument(graph: TorchGraph) -> Iterator[Match]:
    """The converter ignores an argument that torch uses."""
    for call in graph.calls:
        for name, value in call.unread.items():
            if (call.operation.removesuffix("_"), name) not in _NAMED_ARGUMENTS:
                shown = f"`{call.operation}` with {name} = {value}: the converter never reads it"
                yield match_at(call, shown)


@rule(
    "fraction-among-integers",
    "silent",
    on="graph",
    evidence=("measured: coremltools 9.0 keeps 2.7 where torch writes 2",),
    fix="Write the truncated number, as torch does:\ntorch.full_like(x, 2)",
    versions="up to 9.0",
)
def fraction_among_integers(graph: TorchGraph) -> Iterator[Match]:
    """A fraction is written into an integer tensor, and the converter does not truncate it."""
    for call in calls_of(graph, _FILLING):
        value = call.constants.get("fill_value", call.constants.get("value"))
        if call.dtype.startswith(("int", "uint")) and isinstance(value, float) and not value.is_integer():
            yield match_at(call, f"{value:g} is written into integers, and stays {value:g} in the package")


@rule(
    "flat-argmax",
    "silent",
    on="graph",
    evidence=("measured: coremltools 9.0 takes the last axis, the default of `reduce_argmax`",),
    fix="Flatten first:\nx.flatten().argmax(0)",
    versions="up to 9.0",
)
def flat_argmax(graph: TorchGraph) -> Iterator[Match]:
    """The converter searches only the last axis for an argmax or argmin without `dim`."""
    for call in calls_of(graph, {"aten::argmax", "aten::argmin"}):
        if "dim" not in call.constants and "dim" not in call.inputs and call.shape in {None, ()}:
            yield match_at(call, f"`{call.operation}` without dim is taken along the last axis")


@rule(
    "lost-correction",
    "silent",
    on="graph",
    evidence=("apple/coremltools#2718", "measured: coremltools 9.0 gives 0.946 for a variance of 0.987"),
    fix="Write the formula out:\n((x - x.mean()) ** 2).sum() / (x.numel() - 1)",
    versions="up to 9.0",
)
def lost_correction(graph: TorchGraph) -> Iterator[Match]:
    """The converter uses another correction of a variance or standard deviation than torch."""
    for call in calls_of(graph, {"aten::var", "aten::std"}):
        correction = call.constants.get("correction", call.constants.get("unbiased", 1))
        flat = "dim" not in call.constants and correction != 0
        if flat and (call.operation == "aten::var" or graph.route == "trace"):
            yield match_at(call, f"`{call.operation}` without dim is converted without its correction")
        elif graph.route == "trace" and isinstance(correction, int) and correction > 1:
            yield match_at(call, f"`{call.operation}` with correction = {correction} is converted with 1")


@rule(
    "infinite-padding",
    "silent",
    on="graph",
    evidence=("measured: coremltools 9.0 writes -3.4e38 for -inf on the trace route",),
    fix='Convert by the export route:\nconversion = "export"',
    versions="up to 9.0",
)
def infinite_padding(graph: TorchGraph) -> Iterator[Match]:
    """A tensor is padded with infinity, which the trace route replaces by the greatest float32."""
    if graph.route != "trace":
        return
    for call in calls_of(graph, {"aten::pad", "aten::constant_pad_nd"}):
        value = call.constants.get("value")
        if isinstance(value, float) and math.isinf(value):
            yield match_at(
                call, f"padding with {value:g} is converted as padding with {math.copysign(3.4e38, value):g}"
            )


@rule(
    "antialias",
    "silent",
    on="graph",
    evidence=("measured: coremltools 9.0 resizes without it, 3.8 times the value at one pixel",),
    fix="Average before resizing, or multiply by the resize matrices, computed once in `__init__`:\n"
    "rows = F.interpolate(torch.eye(h)[None, None], (n, h), mode='bilinear', antialias=True)[0, 0]\n"
    "rows @ x @ columns.T  # columns: the like of the width",
    versions="up to 9.0",
)
def antialias(graph: TorchGraph) -> Iterator[Match]:
    """The converter ignores `antialias=True` of a resize."""
    for call in calls_of(graph, {"aten::_upsample_bilinear2d_aa"}):
        yield match_at(call, "antialias=True is converted as antialias=False")


@rule(
    "diagonal-matrix",
    "silent",
    on="graph",
    evidence=("apple/coremltools#2565", "measured: coremltools 9.0 gives (3, 3) where torch gives (3,)"),
    fix="Sum a masked matrix:\n(x * torch.eye(n)).sum(-1)",
    versions="up to 9.0",
)
def diagonal_matrix(graph: TorchGraph) -> Iterator[Match]:
    """The converter turns torch.diagonal into a matrix."""
    for call in calls_of(graph, {"aten::diagonal", "aten::diagonal_copy"}):
        yield match_at(call, "torch.diagonal comes out as a matrix with zeros off the diagonal")


@rule(
    "arctangent-of-zero",
    "info",
    on="graph",
    evidence=("apple/coremltools#2769", "measured: coremltools 9.0 gives 0 for atan2(0, -1)"),
    fix="Where y can be exactly 0, add the missing half turn:\n"
    "torch.where((y == 0) & (x < 0), math.pi, torch.atan2(y, x))",
    versions="up to 9.0",
)
def arctangent_of_zero(graph: TorchGraph) -> Iterator[Match]:
    """The converter's formula for torch.atan2 is wrong where y is 0 and x is negative."""
    for call in calls_of(graph, {"aten::atan2"}):
        yield match_at(call, "atan2(0, x) is 0 for negative x, where torch gives pi")


@rule(
    "gelu-approximation",
    "silent",
    on="graph",
    evidence=("measured: coremltools 9.0 converts the exact gelu on the export route, up to 5e-4 off",),
    fix='Convert by the trace route, or write the formula out:\nconversion = "trace"',
    versions="up to 9.0",
)
def gelu_approximation(graph: TorchGraph) -> Iterator[Match]:
    """The converter drops the tanh approximation of gelu."""
    if graph.route != "export":
        return
    for call in calls_of(graph, {"aten::gelu"}):
        if call.constants.get("approximate") == "tanh":
            yield match_at(call, "gelu(approximate='tanh') is converted as the exact one")


@rule(
    "softplus-threshold",
    "silent",
    on="graph",
    evidence=("measured: coremltools 9.0 ignores it, 1.6 % off at threshold 1",),
    fix='Let torch decompose it, or write it with torch.where:\nconversion = "decomposed"',
    versions="up to 9.0",
)
def softplus_threshold(graph: TorchGraph) -> Iterator[Match]:
    """The converter drops a small `threshold` of softplus."""
    for call in calls_of(graph, {"aten::softplus"}):
        threshold, beta = call.constants.get("threshold"), call.constants.get("beta")
        if (
            isinstance(threshold, int | float)
            and isinstance(beta, int | float)
            and threshold < _DEFAULT_SOFTPLUS
        ):
            yield match_at(call, f"softplus(threshold={threshold:g}) is converted without its threshold")


@rule(
    "rms-norm-epsilon",
    "info",
    on="graph",
    evidence=("apple/coremltools#2821", "apple/coremltools#2822"),
    fix="The result can be off by several percent where few values stand out. Write the formula out:\n"
    "x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * weight",
    versions="9.0",
)
def rms_norm_epsilon(graph: TorchGraph) -> Iterator[Match]:
    """The converter translates rms_norm by a formula that loses accuracy where few values stand out."""
    for call in calls_of(graph, {"aten::rms_norm", "aten::_fused_rms_norm"}):
        yield match_at(call, "its epsilon is multiplied by max(|x|)^2")
