"""Comparisons in words: who computed what, where two sides differ, and all figures of a sample."""

from collections.abc import Sequence
from typing import Final

from coreml_gate.record import Comparison, ElementIndex, Phase, Side
from coreml_gate.wording import number, percent

SIDES: Final[dict[Side, str]] = {
    "source": "source",
    "rounded-inputs": "source on inputs rounded to float16",
    "fp32": "float32 package",
    "fp16": "shipped package",
    "neural-engine": "Neural Engine estimate of the package",
    "core-ml": "Core ML",
    "stand-in": "stand-in for Core ML",
    "litert": "LiteRT",
}


def name_of(side: Side) -> str:
    """The side in words; another engine keeps its name."""
    return SIDES.get(side, side)


def place_of(place: ElementIndex | None, sample: int) -> str:
    """``(0, 7) of sample 3``."""
    return f"sample {sample}" if place is None else f"{place.index} of sample {sample}"


def values_at(comparison: Comparison, place: ElementIndex | None) -> str:
    """`` (source 1.2, float32 package 1.51)``, or empty without a place."""
    if place is None:
        return ""
    return (
        f" ({name_of(comparison.reference)} {_value(place.reference, comparison)}, "
        f"{name_of(comparison.candidate)} {_value(place.candidate, comparison)})"
    )


def _value(value: float | str, comparison: Comparison) -> str:
    """Integers are written in full, because two large ones that differ by one would look alike."""
    if isinstance(value, str) or comparison.unequal is None or value != int(value):
        return number(value, 5)
    return f"{value:.0f}"


def sample_line(comparison: Comparison) -> str:
    """All figures of one sample in one line, for the details."""
    if not comparison.same_shape:
        shapes = f"{comparison.candidate_shape}, not {comparison.reference_shape}"
        return f"sample {comparison.sample}: shape {shapes}"
    figures = [
        f"{comparison.nonfinite_mismatches} non-finite mismatches" if comparison.nonfinite_mismatches else "",
        _unequal_figures(comparison),
        _error_figures(comparison),
        "" if comparison.psnr is None else f"{comparison.psnr:.1f} dB",
        "" if comparison.cosine is None else f"cosine {number(comparison.cosine, 7)}",
        _top_one_figures(comparison),
    ]
    return f"sample {comparison.sample}: " + ", ".join(figure for figure in figures if figure)


def _unequal_figures(comparison: Comparison) -> str:
    if comparison.labels is not None:
        return "label `{}`, not `{}`".format(*reversed(comparison.labels))
    return f"{comparison.unequal} of {comparison.elements} integers differ" if comparison.unequal else ""


def _error_figures(comparison: Comparison) -> str:
    if comparison.max_abs_place is None:
        return "no finite difference"
    relative = comparison.max_rel_place
    return (
        f"greatest difference {number(comparison.max_abs_error)} at {comparison.max_abs_place.index}, "
        f"{number(comparison.relative_error, 2)} of max"
        + (f", element-wise {number(comparison.max_rel_error, 2)} at {relative.index}" if relative else "")
    )


def _top_one_figures(comparison: Comparison) -> str:
    top = comparison.top1
    if top is None:
        return ""
    if top.disagreements == 0:
        return f"best class equal in {top.rows} of {top.rows} rows (least gap {percent(top.least_gap)})"
    return (
        f"best class differs in {top.disagreements} of {top.rows} rows (gaps up to {percent(top.worst_gap)})"
    )


def time_by_step(phases: Sequence[Phase]) -> str:
    """``source 5.1 s, convert 12.4 s``: the steps of a second or more."""
    return ", ".join(f"{each.step} {each.seconds:.1f} s" for each in phases if each.seconds >= 1)
