"""Arguments and special values that the converter reads otherwise than torch means them."""

import math
from collections.abc import Iterator
from typing import Final

from coreml_gate.rules.graph_calls import calls_of, match_at
from coreml_gate.rules.rule import Match, Rule
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
"""Arguments for which another rule says more."""


def _ignored_alpha(graph: TorchGraph) -> Iterator[Match]:
    if graph.route != "export":  # the other route refuses it
        return
    for call in calls_of(graph, {"aten::add", "aten::sub", "aten::rsub"}):
        alpha = call.constants.get("alpha", 1)
        if alpha not in {1, None}:
            yield match_at(call, f"`{call.operation}` with alpha = {alpha}: the converter drops it")


def _unread_argument(graph: TorchGraph) -> Iterator[Match]:
    for call in graph.calls:
        for name, value in call.unread.items():
            if (call.operation.removesuffix("_"), name) not in _NAMED_ARGUMENTS:
                shown = f"`{call.operation}` with {name} = {value}: the converter never reads it"
                yield match_at(call, shown)


def _fraction_among_integers(graph: TorchGraph) -> Iterator[Match]:
    for call in calls_of(graph, _FILLING):
        value = call.constants.get("fill_value", call.constants.get("value"))
        if call.dtype.startswith(("int", "uint")) and isinstance(value, float) and not value.is_integer():
            yield match_at(call, f"{value:g} is written into integers, and stays {value:g} in the package")


def _flat_extreme(graph: TorchGraph) -> Iterator[Match]:
    for call in calls_of(graph, {"aten::argmax", "aten::argmin"}):
        if "dim" not in call.constants and "dim" not in call.inputs and call.shape in {None, ()}:
            yield match_at(call, f"`{call.operation}` without dim is taken along the last axis")


def _lost_correction(graph: TorchGraph) -> Iterator[Match]:
    for call in calls_of(graph, {"aten::var", "aten::std"}):
        correction = call.constants.get("correction", call.constants.get("unbiased", 1))
        flat = "dim" not in call.constants and correction != 0
        if flat and (call.operation == "aten::var" or graph.route == "trace"):
            yield match_at(call, f"`{call.operation}` without dim is converted without its correction")
        elif graph.route == "trace" and isinstance(correction, int) and correction > 1:
            yield match_at(call, f"`{call.operation}` with correction = {correction} is converted with 1")


def _infinite_padding(graph: TorchGraph) -> Iterator[Match]:
    if graph.route != "trace":
        return
    for call in calls_of(graph, {"aten::pad", "aten::constant_pad_nd"}):
        value = call.constants.get("value")
        if isinstance(value, float) and math.isinf(value):
            yield match_at(
                call, f"padding with {value:g} is converted as padding with {math.copysign(3.4e38, value):g}"
            )


def _antialias(graph: TorchGraph) -> Iterator[Match]:
    for call in calls_of(graph, {"aten::_upsample_bilinear2d_aa", "aten::_upsample_bicubic2d_aa"}):
        yield match_at(call, "antialias=True is converted as antialias=False")


def _diagonal(graph: TorchGraph) -> Iterator[Match]:
    for call in calls_of(graph, {"aten::diagonal", "aten::diagonal_copy"}):
        yield match_at(call, "torch.diagonal comes out as a matrix with zeros off the diagonal")


def _arctangent(graph: TorchGraph) -> Iterator[Match]:
    for call in calls_of(graph, {"aten::atan2"}):
        yield match_at(call, "atan2(0, x) is 0 for negative x, where torch says pi")


def _gelu_approximation(graph: TorchGraph) -> Iterator[Match]:
    if graph.route != "export":
        return
    for call in calls_of(graph, {"aten::gelu"}):
        if call.constants.get("approximate") == "tanh":
            yield match_at(call, "gelu(approximate='tanh') is converted as the exact one")


def _softplus_threshold(graph: TorchGraph) -> Iterator[Match]:
    if graph.route != "trace":
        return
    for call in calls_of(graph, {"aten::softplus"}):
        threshold, beta = call.constants.get("threshold"), call.constants.get("beta")
        if (
            isinstance(threshold, int | float)
            and isinstance(beta, int | float)
            and threshold < _DEFAULT_SOFTPLUS
        ):
            yield match_at(call, f"softplus(threshold={threshold:g}) is converted without its threshold")


def _rms_norm(graph: TorchGraph) -> Iterator[Match]:
    for call in calls_of(graph, {"aten::rms_norm", "aten::_fused_rms_norm"}):
        yield match_at(call, "its epsilon is multiplied by max(|x|)^2")


RULES: Final = (
    Rule(
        id="ignored-alpha",
        severity="silent",
        part="graph",
        question="Is the alpha of add or sub dropped?",
        evidence=("apple/coremltools#2573", "measured: coremltools 9.0 drops it for add, sub and rsub"),
        fix="Multiply yourself:\ntorch.sub(x, 2 * y)",
        find=_ignored_alpha,
        versions="up to 9.0",
    ),
    Rule(
        id="unread-argument",
        severity="silent",
        part="graph",
        question="Does an argument count in torch that the converter's own source never looks at?",
        evidence=("measured: the converter functions of coremltools 9.0 read other arguments only",),
        fix="Say it with operations instead of the argument, or try the other route:\n"
        'conversion = "trace"  # or "export"',
        find=_unread_argument,
    ),
    Rule(
        id="fraction-among-integers",
        severity="silent",
        part="graph",
        question="Is a fraction written into a tensor of integers?",
        evidence=("measured: coremltools 9.0 keeps 2.7 where torch writes 2",),
        fix="Write what torch makes of it:\ntorch.full_like(x, 2)",
        find=_fraction_among_integers,
        versions="up to 9.0",
    ),
    Rule(
        id="flat-argmax",
        severity="silent",
        part="graph",
        question="Is argmax or argmin called without a dimension?",
        evidence=("measured: coremltools 9.0 takes the last axis, the default of `reduce_argmax`",),
        fix="Flatten first:\nx.flatten().argmax(0)",
        find=_flat_extreme,
        versions="up to 9.0",
    ),
    Rule(
        id="lost-correction",
        severity="silent",
        part="graph",
        question="Is the correction of a variance dropped?",
        evidence=("apple/coremltools#2718", "measured: coremltools 9.0 gives 0.946 for a variance of 0.987"),
        fix="Write it out:\n((x - x.mean()) ** 2).sum() / (x.numel() - 1)",
        find=_lost_correction,
        versions="up to 9.0",
    ),
    Rule(
        id="infinite-padding",
        severity="silent",
        part="graph",
        question="Is something padded with infinity?",
        evidence=("measured: coremltools 9.0 writes -3.4e38 for -inf on the trace route",),
        fix='Take the other route:\nconversion = "export"',
        find=_infinite_padding,
        versions="up to 9.0",
    ),
    Rule(
        id="antialias",
        severity="silent",
        part="graph",
        question="Is something resized with antialias=True?",
        evidence=("measured: coremltools 9.0 resizes without it, 3.8 times the value at one pixel",),
        fix="Average before resizing:\nF.interpolate(F.avg_pool2d(x, 2), size=size, mode='bilinear')",
        find=_antialias,
        versions="up to 9.0",
    ),
    Rule(
        id="diagonal-matrix",
        severity="silent",
        part="graph",
        question="Is torch.diagonal used?",
        evidence=("apple/coremltools#2565", "measured: coremltools 9.0 gives (3, 3) where torch gives (3,)"),
        fix="Sum a masked matrix:\n(x * torch.eye(n)).sum(-1)",
        find=_diagonal,
        versions="up to 9.0",
    ),
    Rule(
        id="arctangent-of-zero",
        severity="info",
        part="graph",
        question="Is torch.atan2 used?",
        evidence=("apple/coremltools#2769", "measured: coremltools 9.0 gives 0 for atan2(0, -1)"),
        fix="Where y can be exactly 0, add the missing half turn:\n"
        "torch.where((y == 0) & (x < 0), math.pi, torch.atan2(y, x))",
        find=_arctangent,
        versions="up to 9.0",
    ),
    Rule(
        id="gelu-approximation",
        severity="silent",
        part="graph",
        question="Is the tanh approximation of gelu dropped?",
        evidence=("measured: coremltools 9.0 converts the exact gelu on the export route, up to 5e-4 off",),
        fix='Take the other route, or the formula itself:\nconversion = "trace"',
        find=_gelu_approximation,
        versions="up to 9.0",
    ),
    Rule(
        id="softplus-threshold",
        severity="silent",
        part="graph",
        question="Is a small threshold of softplus dropped?",
        evidence=("measured: coremltools 9.0 ignores it on the trace route, 1.6 % off at threshold 1",),
        fix='Take the other route, or torch.where:\nconversion = "export"',
        find=_softplus_threshold,
        versions="up to 9.0",
    ),
    Rule(
        id="rms-norm-epsilon",
        severity="info",
        part="graph",
        question="Does coremltools convert a whole rms_norm?",
        evidence=("apple/coremltools#2821", "apple/coremltools#2822"),
        fix="Percents are lost there where few values stand out. Write it out:\n"
        "x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * weight",
        find=_rms_norm,
        versions="9.0",
    ),
)
