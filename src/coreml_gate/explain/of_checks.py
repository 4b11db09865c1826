"""The checks: what a failure of each means on the phone, and the ways out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from coreml_gate.checks import question_of
from coreml_gate.explain.explanation import Explanation
from coreml_gate.report.sarif import QUESTIONS_OF_THE_RUN

OVERRIDE: Final = (
    "On one pull request: `/coreml-gate accept {code} of MODEL until YYYY-MM-DD: REASON` with the label "
    "`coreml-gate: accept` (docs/github.md)."
)
_NEVER_BLOCKS: Final = "It never blocks a merge."


@dataclass(frozen=True)
class _Text:
    """What is said of a check; its question is the check's own."""

    why: str
    fix: str
    accept: str
    """The limits that allow it; empty where only an override does."""
    page: str = ""
    blocks: bool = True


_TEXTS: Final[Mapping[str, _Text]] = {
    "source": _Text(
        "A model that cannot be built or run cannot be converted, so nothing of it was checked.",
        "Run the callable that `source` names in a fresh environment; the message has the line that raised.",
        "A model that could not be measured cannot be accepted. Leave it out of the configuration instead.",
        "docs/configuration.md",
        blocks=False,
    ),
    "conversion": _Text(
        "Without a package there is nothing to ship.",
        "The finding names the operation, the module and the line, and a way out that was tried where there "
        "is one. `coreml-gate support MODEL` tries every deployment target.",
        "",
        "docs/own-conversion.md",
    ),
    "interface": _Text(
        "The app's code names inputs and outputs: with another name or shape it compiles, ships, and fails "
        "at run time.",
        "Keep the names with `output` and `[[model.input]]`, or change the app in the same pull request.",
        '`limits.interface.on-breaking-change = "warn"` makes such changes warnings.',
        "docs/configuration.md",
    ),
    "image-input": _Text(
        "A wrong scale or bias cancels out in every comparison and shows in the app: the model sees other "
        "pixels than in training.",
        "Set `scale` and `bias` of the image input to what the training code does to pixels from 0 to 255.",
        "",
        "docs/configuration.md",
        blocks=False,
    ),
    "parity": _Text(
        "The package computes something else than the model, in float32, so on every unit of every phone.",
        "The finding names the first wrong operation and its line. Write it otherwise, or take the other "
        '`conversion` route: `conversion = "trace"` or `"export"`.',
        "`limits.parity` sets the greatest error as a share of the greatest reference value.",
        "docs/first-wrong-operation.md",
    ),
    "adversarial": _Text(
        "On inputs near the samples (scaled, rounded, zero, equal) the package answers otherwise than the "
        "model; the app will meet such inputs sooner or later.",
        "As for `parity`; the finding names the changed sample on which it shows.",
        "`adversarial = false` for the model leaves this check out.",
        "docs/first-wrong-operation.md",
        blocks=False,
    ),
    "precision": _Text(
        "iPhones compute in half precision. Where an intermediate value passes 65,504 it becomes infinite, "
        "and where it is small it loses its digits: the answer is wrong although the conversion is right.",
        "Take the `keep-fp32` that the finding proposes, which was converted and measured, or rewrite the "
        "operation that it names.",
        "`limits.precision` sets the least PSNR; metrics of `evaluate` show whether the task bears it.",
        "docs/diagnose.md",
    ),
    "hazards": _Text(
        "The operation overflows, or loses most of its digits, in half precision on the samples; other "
        "inputs may go further.",
        "The finding has the line and, for known patterns such as RMSNorm, the code that cannot overflow.",
        "`keep-fp32` for the operation.",
        "docs/diagnose.md",
    ),
    "coreml-parity": _Text(
        "Core ML itself answers otherwise than the model on one compute unit, although the package is right: "
        "users of that hardware get wrong answers.",
        "Leave the unit out by `compute-units`, keep the operation in float32, or write it otherwise.",
        "`limits.precision` holds for Core ML as well.",
        "docs/macos.md",
    ),
    "evaluate": _Text(
        "The package does the user's task worse than the source or the baseline, by your own metric.",
        "Look at `precision` and `parity` first: they name the operation. Without a numerical cause the "
        "model itself changed.",
        "`limits.evaluate.METRIC` sets how far a metric may fall (`max-drop`) or rise (`max-rise`).",
        "docs/configuration.md",
    ),
    "size": _Text(
        "iOS needs consent to load more than 200 MB over a cellular network, and an app's size costs "
        "installs.",
        "`coreml-gate compress MODEL` finds the smallest compression that keeps the metric.",
        "`limits.size` sets the greatest size and growth.",
        "docs/variants.md",
    ),
    "memory": _Text(
        "An app gets about half of a phone's RAM; beyond that iOS ends it without a message.",
        "The finding names the values that are alive at the peak. Compress the weights, or compute large "
        "intermediate values in pieces.",
        "`limits.memory` sets the greatest sum and growth.",
        "docs/memory.md",
    ),
    "latency": _Text(
        "Core ML runs the head slower than the base by more than is allowed, as pairs on the same Mac.",
        "`structure` says what changed in the program, `placement` which operations left the Neural Engine.",
        "`limits.latency.max-ratio` sets how much slower it may be.",
        "docs/timing.md",
    ),
    "footprint": _Text(
        "The footprint of the process is what iOS limits an app by.",
        "As for `memory`; Core ML's own buffers add to the figure of the program.",
        "`limits.memory.footprint-max-ratio` sets the growth; without it the figure is only shown.",
        "docs/memory.md",
    ),
    "placement": _Text(
        "An operation that leaves the Neural Engine costs time and energy, and two copies at its borders.",
        "`coreml-gate diff` shows the operations; `docs/rules.md#neural-engine` lists what the Neural Engine "
        "does not take.",
        "",
        "docs/macos.md",
        blocks=False,
    ),
    "on-device": _Text(
        "A connected iPhone answers otherwise than the source, or slower than your limit.",
        "As for `coreml-parity`; the device's own times are in the details.",
        "`limits.on-device` sets the greatest milliseconds and the least PSNR per model of device.",
        "docs/variants.md",
    ),
    "compression": _Text(
        "A layer that compression left out makes the package larger than configured; one that it hits hard "
        "may cost accuracy.",
        "Lower `weight-threshold`, or choose another `method`; `coreml-gate variants` ranks them.",
        "",
        "docs/variants.md",
        blocks=False,
    ),
    "rules": _Text(
        "The model runs into a known pitfall; the rule's severity says how sure that is.",
        "The finding names the rule and its fix; `coreml-gate explain RULE` has all of it.",
        'Switch the rule off with the reason: `off = { "RULE" = "REASON" }` under `[model.rules]`.',
        "docs/rules.md",
    ),
    "cost": _Text(
        "More multiply-accumulates and bytes mean more time and energy on every phone; the figures are "
        "exact.",
        "The details name the modules that grew.",
        "`limits.cost.max-ratio` sets the growth; `false` switches it off.",
        "docs/cost.md",
    ),
    "devices": _Text(
        "The model does not fit into what an app may use on one of your devices, or does not load there.",
        "As for `memory`; or raise `minimum-os`, or leave the device out of `devices`.",
        "`devices` and `minimum-os` say for which devices the model is meant.",
        "docs/devices.md",
    ),
    "structure": _Text(
        "No change of structure is wrong by itself; it explains other findings.",
        "`coreml-gate diff` shows the two programs operation by operation.",
        "",
        "docs/diff.md",
        blocks=False,
    ),
    "litert": _Text(
        "A second converter of the same source shows whether an error is Core ML's or the model's.",
        "Nothing to fix: the figures are a comparison.",
        "",
        "docs/configuration.md",
        blocks=False,
    ),
}

_OF_RUNS: Final[Mapping[str, _Text]] = {
    "run": _Text(
        "The run ended before any model was measured: nothing was checked.",
        "The message is that of an error: `coreml-gate explain ERROR`, by its name or its exit code.",
        "An error cannot be accepted.",
        blocks=False,
    ),
    "policy": _Text(
        "A limit that is raised together with the model would pass whatever it is meant to stop. The limits "
        "of the base branch judge.",
        "Change limits in a pull request of their own.",
        "",
        "docs/github.md",
        blocks=False,
    ),
    "override": _Text(
        "The failure blocks as if the line were not there.",
        "The finding says what is missing: the label, the right to write, the date or the reason.",
        "",
        "docs/github.md",
        blocks=False,
    ),
    "record": _Text(
        "Numbers of another commit, or of a changed work tree, say nothing of what would be merged.",
        "Measure the head of the pull request, from a clean checkout.",
        "It cannot be accepted.",
        "docs/github.md",
        blocks=False,
    ),
    "creep": _Text(
        "Many small steps, each within the limits, add up: users of the last release get all of them at "
        "once.",
        "Look at the pull requests since the release; `coreml-gate judge` compares their Records.",
        "",
        "docs/github.md",
        blocks=False,
    ),
}
"""Findings on the run as a whole."""


def explanations() -> Iterator[Explanation]:
    """One per check, in the checks' order, then those on the run as a whole."""
    for code, text in _TEXTS.items():
        yield _explained(code, question_of(code) or "", text)
    for code, text in _OF_RUNS.items():
        yield _explained(code, QUESTIONS_OF_THE_RUN[code], text)


def _explained(code: str, meaning: str, text: _Text) -> Explanation:
    override = OVERRIDE.format(code=code) if text.blocks else ""
    accept = " ".join(part for part in (text.accept, override) if part) or _NEVER_BLOCKS
    return Explanation(code, "check", meaning, text.why, text.fix, accept, text.page)
