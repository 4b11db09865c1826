"""Conversion traps that the torch graph shows: what the converter reads otherwise than torch means it."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from coreml_gate.rules.rule import Match, Rule
from coreml_gate.torch_graph import TorchCall, TorchGraph

_VIEWS: Final = frozenset(
    f"aten::{name}"
    for name in (
        "select",
        "slice",
        "view",
        "reshape",
        "narrow",
        "transpose",
        "permute",
        "squeeze",
        "unsqueeze",
        "t",
    )
)
_HANDLED_WRITES: Final = frozenset({"aten::copy_", "aten::fill_"})
"""Writes into a slice that the converter turns into an update of the whole."""
_GREATEST_INTEGER: Final = 2**31 - 1
_NO_END: Final = 2**63 - 1
_DEFAULT_SOFTPLUS: Final = 20
_RANDOM_INTEGERS: Final = frozenset({"aten::randint", "aten::randint_like"})
_SIZED_BY_VALUES: Final = frozenset(
    {"aten::nonzero", "aten::masked_select", "aten::unique", "aten::_unique2", "aten::unique_consecutive"}
)


_FILLING: Final = ("aten::fill", "aten::fill_", "aten::full_like", "aten::new_full")
_NAMED_ARGUMENTS: Final = frozenset(
    {
        *(("aten::" + name, "alpha") for name in ("add", "sub", "rsub")),
        ("aten::gelu", "approximate"),
        ("aten::softplus", "threshold"),
    }
)
"""Arguments for which another rule says more."""


def _match(call: TorchCall, text: str) -> Match:
    return Match(call.module or call.name, text, call.file, call.line)


def _of(graph: TorchGraph, names: Iterable[str]) -> Iterator[TorchCall]:
    wanted = frozenset(names)
    return (call for call in graph.calls if call.operation in wanted)


def _ignored_alpha(graph: TorchGraph) -> Iterator[Match]:
    if graph.route != "export":  # the other route refuses it
        return
    for call in _of(graph, {"aten::add", "aten::sub", "aten::rsub"}):
        alpha = call.constants.get("alpha", 1)
        if alpha not in {1, None}:
            yield _match(call, f"`{call.operation}` with alpha = {alpha}: the converter drops it")


def _unread_argument(graph: TorchGraph) -> Iterator[Match]:
    for call in graph.calls:
        for name, value in call.unread.items():
            if (call.operation.removesuffix("_"), name) not in _NAMED_ARGUMENTS:
                shown = f"`{call.operation}` with {name} = {value}: the converter never reads it"
                yield _match(call, shown)


def _fraction_among_integers(graph: TorchGraph) -> Iterator[Match]:
    for call in _of(graph, _FILLING):
        value = call.constants.get("fill_value", call.constants.get("value"))
        if call.dtype.startswith(("int", "uint")) and isinstance(value, float) and not value.is_integer():
            yield _match(call, f"{value:g} is written into integers, and stays {value:g} in the package")


def _flat_extreme(graph: TorchGraph) -> Iterator[Match]:
    for call in _of(graph, {"aten::argmax", "aten::argmin"}):
        if "dim" not in call.constants and "dim" not in call.inputs and call.shape in {None, ()}:
            yield _match(call, f"`{call.operation}` without dim is taken along the last axis")


def _lost_correction(graph: TorchGraph) -> Iterator[Match]:
    for call in _of(graph, {"aten::var", "aten::std"}):
        correction = call.constants.get("correction", call.constants.get("unbiased", 1))
        flat = "dim" not in call.constants and correction != 0
        if flat and (call.operation == "aten::var" or graph.route == "trace"):
            yield _match(call, f"`{call.operation}` without dim is converted without its correction")
        elif graph.route == "trace" and isinstance(correction, int) and correction > 1:
            yield _match(call, f"`{call.operation}` with correction = {correction} is converted with 1")


def _misplaced_write(graph: TorchGraph) -> Iterator[Match]:
    if graph.route != "trace":
        return
    calls = {call.name: call for call in graph.calls}
    for call in _of(graph, _HANDLED_WRITES):
        axes = _written_axes(call, calls)
        if axes and sorted(axes) != list(range(len(axes))):
            yield _match(
                call, f"`{call.operation}` writes along axis {max(axes)}, and the axes before it are lost"
            )


def _written_axes(call: TorchCall, calls: Mapping[str, TorchCall]) -> list[int]:
    """The axes of the whole that the views in front of a write choose along."""
    chain: list[TorchCall] = []
    view = calls.get(call.inputs.get("self", ""))
    while view is not None and view.operation in {"aten::select", "aten::slice"}:
        chain.insert(0, view)
        view = calls.get(view.inputs.get("self", ""))
    axes: list[int] = []
    removed = 0
    for item in chain:
        axis = item.constants.get("dim")
        if not isinstance(axis, int) or axis < 0:
            return []
        axes.append(axis + removed)
        removed += item.operation == "aten::select"
    return axes


def _infinite_padding(graph: TorchGraph) -> Iterator[Match]:
    if graph.route != "trace":
        return
    for call in _of(graph, {"aten::pad", "aten::constant_pad_nd"}):
        value = call.constants.get("value")
        if isinstance(value, float) and math.isinf(value):
            yield _match(
                call, f"padding with {value:g} is converted as padding with {math.copysign(3.4e38, value):g}"
            )


def _antialias(graph: TorchGraph) -> Iterator[Match]:
    for call in _of(graph, {"aten::_upsample_bilinear2d_aa", "aten::_upsample_bicubic2d_aa"}):
        yield _match(call, "antialias=True is converted as antialias=False")


def _diagonal(graph: TorchGraph) -> Iterator[Match]:
    for call in _of(graph, {"aten::diagonal", "aten::diagonal_copy"}):
        yield _match(call, "torch.diagonal comes out as a matrix with zeros off the diagonal")


def _arctangent(graph: TorchGraph) -> Iterator[Match]:
    for call in _of(graph, {"aten::atan2"}):
        yield _match(call, "atan2(0, x) is 0 for negative x, where torch says pi")


def _gelu_approximation(graph: TorchGraph) -> Iterator[Match]:
    if graph.route != "export":
        return
    for call in _of(graph, {"aten::gelu"}):
        if call.constants.get("approximate") == "tanh":
            yield _match(call, "gelu(approximate='tanh') is converted as the exact one")


def _softplus_threshold(graph: TorchGraph) -> Iterator[Match]:
    if graph.route != "trace":
        return
    for call in _of(graph, {"aten::softplus"}):
        threshold, beta = call.constants.get("threshold"), call.constants.get("beta")
        if (
            isinstance(threshold, int | float)
            and isinstance(beta, int | float)
            and threshold < _DEFAULT_SOFTPLUS
        ):
            yield _match(call, f"softplus(threshold={threshold:g}) is converted without its threshold")


def _active_dropout(graph: TorchGraph) -> Iterator[Match]:
    for call in _of(graph, {"aten::dropout", "aten::native_dropout", "aten::feature_dropout"}):
        if call.constants.get("train") is True and call.constants.get("p") != 0:
            yield _match(
                call, f"dropout of p = {call.constants.get('p')} is on in torch and off in the package"
            )


def _training_statistics(graph: TorchGraph) -> Iterator[Match]:
    names = (
        "batch_norm",
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_functional",
        "native_batch_norm",
    )
    for call in _of(graph, (f"aten::{name}" for name in names)):
        has_statistics = "running_mean" in call.inputs
        if call.constants.get("training") is True and has_statistics:
            yield _match(call, "batch norm in training mode: statistics of the batch, not those it learned")


def _wide_integers(graph: TorchGraph) -> Iterator[Match]:
    for call in graph.calls:
        if not call.operation.startswith("aten::") or call.operation.startswith("aten::slice"):
            continue
        for name, value in call.constants.items():
            numbers = value if isinstance(value, tuple) else (value,)
            wide = [number for number in numbers if _is_wide(number)]
            if wide:
                yield _match(call, f"`{call.operation}` with {name} = {wide[0]}, beyond 32 bits")


def _is_wide(number: object) -> bool:
    whole = isinstance(number, int) and not isinstance(number, bool)
    return whole and _GREATEST_INTEGER < abs(number) < _NO_END  # type: ignore[arg-type]  # whole is an int


def _lost_write(graph: TorchGraph) -> Iterator[Match]:
    if graph.route != "trace":
        return
    calls = {call.name: call for call in graph.calls}
    for call in graph.calls:
        written = calls.get(call.inputs.get("self", ""))
        if not call.operation.endswith("_") or call.operation.endswith("__") or written is None:
            continue
        if (
            written.operation in _VIEWS
            and call.operation not in _HANDLED_WRITES
            and not _is_read(graph, call)
        ):
            yield _match(
                call, f"`{call.operation}` writes through `{written.operation}`, and the converter drops it"
            )


def _is_read(graph: TorchGraph, call: TorchCall) -> bool:
    """Is the write's own result used? Then it is an ordinary value."""
    return call.name in graph.outputs or any(call.name in other.inputs.values() for other in graph.calls)


def _frozen_values(graph: TorchGraph) -> Iterator[Match]:
    for place in graph.frozen_places:
        file, _, line = place.rpartition(":")
        yield Match(place, "a value of sample 0 is a constant from here on", file, int(line))


def _filled_state(graph: TorchGraph) -> Iterator[Match]:
    for name in graph.filled_states:
        yield Match(name, "the buffer does not start at zero, the state of the package does")


def _random_integers(graph: TorchGraph) -> Iterator[Match]:
    for call in _of(graph, _RANDOM_INTEGERS):
        yield _match(call, "the package's numbers can reach the upper bound, which torch excludes")


def _sized_by_values(graph: TorchGraph) -> Iterator[Match]:
    for call in _of(graph, _SIZED_BY_VALUES):
        yield _match(call, f"the size of `{call.operation}` depends on the values")


def _rms_norm(graph: TorchGraph) -> Iterator[Match]:
    for call in _of(graph, {"aten::rms_norm", "aten::_fused_rms_norm"}):
        yield _match(call, "its epsilon is multiplied by max(|x|)^2")


def _double_precision(graph: TorchGraph) -> Iterator[Match]:
    for call in graph.calls:
        if call.dtype == "float64" and call.shape:
            yield _match(call, f"`{call.operation}` computes in float64, the package in float32 at most")
            return


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
        id="misplaced-write",
        severity="silent",
        part="graph",
        question="Does a traced write choose along a later axis only?",
        evidence=("measured: coremltools 9.0 writes z[..., -1] = 1 into other elements as well",),
        fix='Name all axes before it, or export:\nz[:, :, -1] = 1  # or: conversion = "export"',
        find=_misplaced_write,
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
        id="active-dropout",
        severity="silent",
        part="graph",
        question="Is dropout on while the model is converted?",
        evidence=("apple/coremltools#1616", "measured: coremltools 9.0 converts dropout to `identity`"),
        fix="Convert the model as it predicts:\nmodel.eval()  # and F.dropout(x, p, training=self.training)",
        find=_active_dropout,
    ),
    Rule(
        id="training-batch-norm",
        severity="silent",
        part="graph",
        question="Does a batch norm use the batch's statistics?",
        evidence=("apple/coremltools#1616", "apple/coremltools#2036"),
        fix="Convert the model as it predicts:\nmodel.eval()",
        find=_training_statistics,
    ),
    Rule(
        id="wide-integers",
        severity="silent",
        part="graph",
        question="Does an integer not fit into 32 bits?",
        evidence=("apple/coremltools#2153", "measured: coremltools 9.0 clips 5000000000 to 2147483647"),
        fix="Core ML has no 64-bit integers: hash in the app, or compute modulo a smaller number.",
        find=_wide_integers,
    ),
    Rule(
        id="lost-write",
        severity="silent",
        part="graph",
        question="Does the trace lose a write into a view?",
        evidence=("apple/coremltools#2188", "apple/coremltools#1065", "measured: y[:, 0].add_(1) is dropped"),
        fix="Make a new tensor, or export, which sees such writes:\n"
        'y = torch.cat([y[:, :1] + 1, y[:, 1:]], dim=1)  # or: conversion = "export"',
        find=_lost_write,
        versions="up to 9.0",
    ),
    Rule(
        id="frozen-values",
        severity="silent",
        part="graph",
        question="Did tracing turn a tensor into a constant?",
        evidence=(
            "apple/coremltools#1995",
            "https://docs.pytorch.org/docs/stable/generated/torch.jit.trace.html",
        ),
        fix="Sample 0 decides from there on. Stay with tensors, or export:\n"
        'torch.where(x.sum() > 0, a, b)  # or: conversion = "export"',
        find=_frozen_values,
    ),
    Rule(
        id="filled-state",
        severity="silent",
        part="graph",
        question="Does a state start with other values than zeros?",
        evidence=("https://developer.apple.com/documentation/coreml/mlmodel/makestate()",),
        fix="Keep the difference to the initial value in the state:\nvalue = self.initial + self.state",
        find=_filled_state,
    ),
    Rule(
        id="random-integers",
        severity="info",
        part="graph",
        question="Are random integers drawn?",
        evidence=("apple/coremltools#2568",),
        fix="Cap them, or take them as an input:\ntorch.randint(0, n, size).clamp(max=n - 1)",
        find=_random_integers,
        versions="up to 9.0",
    ),
    Rule(
        id="sized-by-values",
        severity="perf",
        part="graph",
        question="Does the size of a tensor depend on its values?",
        evidence=("https://docs.pytorch.org/docs/stable/export.html", "apple/coremltools#2825"),
        fix="Keep the size and mask instead:\ntorch.where(mask, x, torch.zeros_like(x))",
        find=_sized_by_values,
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
    Rule(
        id="double-precision",
        severity="info",
        part="graph",
        question="Does the source compute in float64?",
        evidence=("apple/coremltools#2153",),
        fix="Core ML has no float64: compare with a source that computes as it will:\nmodel.float()",
        find=_double_precision,
    ),
)
