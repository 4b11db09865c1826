"""What the capture loses: in-place writes, states, randomness, sizes that depend on values, wide numbers."""

from collections.abc import Iterator, Mapping
from typing import Final

from coreml_gate.rules.graph_calls import calls_of, match_at
from coreml_gate.rules.rule import Match, rule
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
"""In-place writes to a slice, which the converter turns into an update of the whole tensor."""
_GREATEST_INTEGER: Final = 2**31 - 1
_NO_END: Final = 2**63 - 1
_RANDOM_INTEGERS: Final = frozenset({"aten::randint", "aten::randint_like"})
_SIZED_BY_VALUES: Final = frozenset(
    {"aten::nonzero", "aten::masked_select", "aten::unique", "aten::_unique2", "aten::unique_consecutive"}
)
_TO_NUMPY: Final = frozenset({"numpy", "tolist", "__array__"})
_IN_TORCH: Final = (
    "What numpy computes is not in the graph, write it with torch's own functions:\n"
    "x.clamp(low, high)  # for np.clip(x, low, high)"
)


@rule(
    "misplaced-write",
    "silent",
    on="graph",
    evidence=("measured: coremltools 9.0 writes z[..., -1] = 1 into other elements as well",),
    fix="Index all axes before it too, or convert by the export route:\n"
    'z[:, :, -1] = 1  # or: conversion = "export"',
    versions="up to 9.0",
)
def misplaced_write(graph: TorchGraph) -> Iterator[Match]:
    """A traced in-place write indexes only a later axis, and the converter writes other elements too."""
    if graph.route != "trace":
        return
    calls = {call.name: call for call in graph.calls}
    for call in calls_of(graph, _HANDLED_WRITES):
        axes = _written_axes(call, calls)
        if axes and sorted(axes) != list(range(len(axes))):
            yield match_at(
                call, f"`{call.operation}` writes along axis {max(axes)}, and the axes before it are lost"
            )


def _written_axes(call: TorchCall, calls: Mapping[str, TorchCall]) -> list[int]:
    """The axes of the whole tensor that the views before a write index."""
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


@rule(
    "active-dropout",
    "silent",
    on="graph",
    evidence=("apple/coremltools#1616", "measured: coremltools 9.0 converts dropout to `identity`"),
    fix="Convert the model in evaluation mode:\nmodel.eval()  # and F.dropout(x, p, training=self.training)",
)
def active_dropout(graph: TorchGraph) -> Iterator[Match]:
    """Dropout is active while the model is captured."""
    for call in calls_of(graph, {"aten::dropout", "aten::native_dropout", "aten::feature_dropout"}):
        if call.constants.get("train") is True and call.constants.get("p") != 0:
            yield match_at(
                call, f"dropout of p = {call.constants.get('p')} is on in torch and off in the package"
            )


@rule(
    "training-batch-norm",
    "silent",
    on="graph",
    evidence=("apple/coremltools#1616", "apple/coremltools#2036"),
    fix="Convert the model in evaluation mode:\nmodel.eval()",
)
def training_batch_norm(graph: TorchGraph) -> Iterator[Match]:
    """A batch norm uses the statistics of the batch instead of its running statistics."""
    names = (
        "batch_norm",
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_functional",
        "native_batch_norm",
    )
    for call in calls_of(graph, (f"aten::{name}" for name in names)):
        has_statistics = "running_mean" in call.inputs
        if call.constants.get("training") is True and has_statistics:
            yield match_at(call, "batch norm in training mode: statistics of the batch, not those it learned")


@rule(
    "packed-sequence",
    "silent",
    on="graph",
    evidence=("measured: coremltools 9.0 reads no length in `pack_padded_sequence`",),
    fix="Run the layer over the padded batch, and set everything beyond a sequence's length to zero. The "
    "backward half of a bidirectional layer reads the padding first, so give it each sequence "
    "reversed within its length:\n"
    "steps = torch.arange(x.shape[1])\n"
    "y = self.rnn(x)[0] * (steps < lengths[:, None])[..., None]\n"
    "turned = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)",
)
def packed_sequence(graph: TorchGraph) -> Iterator[Match]:
    """Sequences are packed by their lengths, which the converter ignores."""
    for call in calls_of(graph, {"aten::_pack_padded_sequence"}):
        yield match_at(call, "the lengths of `pack_padded_sequence` are not read: the padding is run as well")


@rule(
    "wide-integers",
    "silent",
    on="graph",
    evidence=("apple/coremltools#2153", "measured: coremltools 9.0 clips 5000000000 to 2147483647"),
    fix="Core ML has no 64-bit integers: hash in the app, or compute modulo a smaller number.",
)
def wide_integers(graph: TorchGraph) -> Iterator[Match]:
    """An integer does not fit into 32 bits."""
    for call in graph.calls:
        if not call.operation.startswith("aten::") or call.operation.startswith("aten::slice"):
            continue
        for name, value in call.constants.items():
            numbers = value if isinstance(value, tuple) else (value,)
            wide = [number for number in numbers if _is_wide(number)]
            if wide:
                yield match_at(call, f"`{call.operation}` with {name} = {wide[0]}, beyond 32 bits")


def _is_wide(number: object) -> bool:
    whole = isinstance(number, int) and not isinstance(number, bool)
    return whole and _GREATEST_INTEGER < abs(number) < _NO_END  # type: ignore[arg-type]  # whole is an int


@rule(
    "lost-write",
    "silent",
    on="graph",
    evidence=("apple/coremltools#2188", "apple/coremltools#1065", "measured: y[:, 0].add_(1) is dropped"),
    fix="Make a new tensor, or convert by the export route, which captures such writes:\n"
    'y = torch.cat([y[:, :1] + 1, y[:, 1:]], dim=1)  # or: conversion = "export"',
    versions="up to 9.0",
)
def lost_write(graph: TorchGraph) -> Iterator[Match]:
    """The trace loses an in-place write to a view."""
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
            yield match_at(
                call, f"`{call.operation}` writes through `{written.operation}`, and the converter drops it"
            )


def _is_read(graph: TorchGraph, call: TorchCall) -> bool:
    """Whether the result of the write is used, which makes it an ordinary value."""
    return call.name in graph.outputs or any(call.name in other.inputs.values() for other in graph.calls)


@rule(
    "frozen-values",
    "silent",
    on="graph",
    evidence=(
        "apple/coremltools#1995",
        "https://docs.pytorch.org/docs/stable/generated/torch.jit.trace.html",
    ),
    fix='Sample 0 decides; `conversion = "export"` follows sizes, not values. Stay with tensors:\n'
    "torch.where(x.sum() > 0, a, b)  # for a branch\n"
    "x * (torch.arange(n) < length)  # a mask, for a size or an index\n"
    "x[:, start + torch.arange(size)]  # for a piece that begins at a value",
)
def frozen_values(graph: TorchGraph) -> Iterator[Match]:
    """Tracing turned a value that depends on the input into a constant."""
    for place, called in graph.frozen_places.items():
        file, _, line = place.rpartition(":")
        by = f"by `{called}` " if called in _TO_NUMPY else ""
        text, fix = f"{by}a value of sample 0 is a constant from here on", _IN_TORCH if by else ""
        yield Match(place, text, file, int(line), fix=fix)


@rule(
    "filled-state",
    "silent",
    on="graph",
    evidence=("https://developer.apple.com/documentation/coreml/mlmodel/makestate()",),
    fix="Store only the difference from the initial value in the state:\nvalue = self.initial + self.state",
)
def filled_state(graph: TorchGraph) -> Iterator[Match]:
    """A state starts with values other than zero, but Core ML starts every state with zeros."""
    for name in graph.filled_states:
        yield Match(name, "the buffer does not start at zero, the state of the package does")


@rule(
    "random-integers",
    "info",
    on="graph",
    evidence=("apple/coremltools#2568",),
    fix="Clamp them, or take them as an input:\ntorch.randint(0, n, size).clamp(max=n - 1)",
    versions="up to 9.0",
)
def random_integers(graph: TorchGraph) -> Iterator[Match]:
    """Random integers are drawn, and the converter may return the upper bound itself."""
    for call in calls_of(graph, _RANDOM_INTEGERS):
        yield match_at(call, "the package's numbers can reach the upper bound, which torch excludes")


@rule(
    "sized-by-values",
    "perf",
    on="graph",
    evidence=("https://docs.pytorch.org/docs/stable/export.html", "apple/coremltools#2825"),
    fix="Keep the size, and mask instead:\ntorch.where(mask, x, torch.zeros_like(x))",
)
def sized_by_values(graph: TorchGraph) -> Iterator[Match]:
    """The size of a tensor depends on its values."""
    for call in calls_of(graph, _SIZED_BY_VALUES):
        yield match_at(call, f"the size of `{call.operation}` depends on the values")


@rule(
    "double-precision",
    "info",
    on="graph",
    evidence=("apple/coremltools#2153",),
    fix="Core ML has no float64. Convert the source to float32, so that both sides compute alike:\n"
    "model.float()",
)
def double_precision(graph: TorchGraph) -> Iterator[Match]:
    """The source computes in float64."""
    for call in graph.calls:
        if call.dtype == "float64" and call.shape:
            yield match_at(call, f"`{call.operation}` computes in float64, the package in float32 at most")
            return
