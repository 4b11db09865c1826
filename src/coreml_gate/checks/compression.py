"""What did compression save, which layers did it leave out, and which did it damage most?

The error of a weight proves nothing by itself: one layer tolerates 10 dB, another not even 30. This check
therefore never fails; precision and metrics judge the outputs, and this check names the layers to look at. A
layer that compression silently left out is a warning, because the package is larger than configured.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence, skipped
from coreml_gate.config.options import Compression
from coreml_gate.record import CompressionFacts, LayerCompression, ModelRecord
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted, megabytes, number

NAME: Final = "compression"
SUBJECT: Final = "weights"
WORST_LAYERS: Final = 5
_HALF_BYTES: Final = 2
_OWN_THRESHOLD: Final[int] = Compression.model_fields["weight_threshold"].default
"""The default of coremltools, which also applies to a package that a team compresses itself."""
_LEFT_OUT_HINT: Final = (
    "the block size must divide the channels: choose another `block-size`, or raise `weight-threshold` to "
    "skip small layers on purpose."
)

Layers = Sequence[LayerCompression]


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding in bits per weight, with the most damaged layers in its details."""
    options, facts = evidence.config.compress, evidence.head.compression
    if facts is None:
        if options is None:
            return (skipped(NAME, SUBJECT, "nothing is compressed."),)
        lost = evidence.head.package is None
        return (evidence.unmeasured(NAME, SUBJECT) if lost else _nothing_compressed(),)
    threshold = _OWN_THRESHOLD if options is None else options.weight_threshold
    left_out = [layer for layer in facts.layers if not layer.compressed and layer.elements > threshold]
    base = evidence.before.compression
    return (
        Finding(
            check=NAME,
            status=Status.WARN if left_out else Status.PASS,
            subject=SUBJECT,
            message=_message(facts, left_out),
            value=facts.bits,
            base=None if base is None else base.bits,
            unit="bits per weight",
            hint=_LEFT_OUT_HINT if left_out else "",
            details=tuple(_details(facts.layers, left_out, evidence.head)),
        ),
    )


def _nothing_compressed() -> Finding:
    return Finding(
        check=NAME,
        status=Status.WARN,
        subject=SUBJECT,
        message="`compress` is configured, but no layer is compressed.",
        hint="every weight has at most `weight-threshold` elements, or the block size does not divide its "
        "channels.",
    )


def _message(facts: CompressionFacts, left_out: Layers) -> str:
    layers = facts.layers
    compressed = f"{sum(layer.compressed for layer in layers)} of {counted(len(layers), 'layer')} compressed"
    stored = sum(layer.stored_bytes for layer in layers)
    halves = _HALF_BYTES * sum(layer.elements for layer in layers)
    worst = _worst(layers)
    lost = f"; `{worst[0].operation}` lost most: SQNR {_decibels(worst[0])}" if worst else ""
    missed = ""
    if left_out:
        first = left_out[0]
        size = megabytes(sum(layer.stored_bytes for layer in left_out))
        missed = f"; {counted(len(left_out), 'layer')} left out, {size}, first `{first.operation}`"
    return (
        f"{compressed}, {number(facts.bits)} bits per weight with scales and tables: "
        f"{megabytes(stored)}, {megabytes(halves)} in half precision{missed}{lost}."
    )


def _worst(layers: Layers) -> list[LayerCompression]:
    """Layers with an error, the worst first."""
    return sorted(
        (layer for layer in layers if layer.sqnr is not None),
        key=lambda layer: 0.0 if layer.sqnr is None else layer.sqnr,
    )


def _decibels(layer: LayerCompression) -> str:
    return "-" if layer.sqnr is None else f"{layer.sqnr:.1f} dB"


def _details(layers: Layers, left_out: Layers, head: ModelRecord) -> Iterator[str]:
    for layer in _worst(layers)[:WORST_LAYERS]:
        bits = f"{number(layer.bits)} bits per weight"
        yield f"`{layer.operation}` {list(layer.shape)}: SQNR {_decibels(layer)}, {bits}"
    for layer in left_out:
        yield f"left out: `{layer.operation}` {list(layer.shape)}, {megabytes(layer.stored_bytes)}"
    by_side = {(metric.name, metric.side): metric.value for metric in head.metrics}
    for (name, side), value in by_side.items():
        wide = by_side.get((name, "fp32"))
        if side == "fp16" and wide is not None:
            change = f"{value - wide:+.2g}"
            yield f"`{name}`: {number(value, 4)}, the float32 package gives {number(wide, 4)} ({change})"


CHECK: Final = Check(
    NAME,
    "What did compression save, which layers did it skip, and which did it damage?",
    run,
    limit="shown",
    why=(
        "A layer that was not compressed makes the package larger than planned, and one that was "
        "compressed too much may cost accuracy."
    ),
    fix="Lower `weight-threshold`, or choose another `method`; `coreml-gate variants` ranks them.",
    page="docs/variants.md",
    overridable=False,
    absolute=True,
)
