"""Judges whether a package agrees with its source, both in float32, for checks, child and diagnosis alike."""

import math
import re
from collections.abc import Iterable
from typing import Final

from coreml_gate.config.limits import ParityLimits
from coreml_gate.criteria import violations
from coreml_gate.criteria.by_output import Group
from coreml_gate.criteria.violations import Violation, gravest_first
from coreml_gate.record import Comparison, PerturbedSample
from coreml_gate.verdict import Status

FAR: Final = "samples times 1e3"
"""The perturbation that leads far away from every sample. A failure there alone is a note, not a warning: for
example, the log of a softmax ends at -103 in float32."""


def parity_violations(group: Group, limits: ParityLimits) -> tuple[Violation, ...]:
    """All violations of one output, first those that no figure can judge; only rounding may differ."""
    return (
        *violations.unfit(group, Status.FAIL),
        *gravest_first(
            (
                violations.relative_error(group, limits.max_error),
                violations.psnr(group, limits.psnr),
                violations.cosine(group, limits.cosine),
                violations.top_one(group, limits.top1_margin),
            )
        ),
    )


def violation_of(changed: PerturbedSample, limits: ParityLimits) -> str | None:
    """The violation of a perturbed sample's first output that differs, or ``None``."""
    for comparison in changed.comparisons:
        raised = parity_violations((comparison,), limits)
        if raised:
            text = re.sub(rf" (of|in) sample {comparison.sample}\b", "", raised[0].message)
            return f"with {changed.name}, output `{comparison.output}`: {text}"
    return None


def has_parity(comparisons: Iterable[Comparison], limits: ParityLimits) -> bool:
    """Whether every comparison satisfies the rule."""
    return not any(parity_violations((comparison,), limits) for comparison in comparisons)


def failing_error(comparisons: Iterable[Comparison], limits: ParityLimits) -> float:
    """The greatest error of the comparisons that fail, as a share of the greatest reference value.

    Infinite for different shapes, NaN, infinities and integers, whose difference no share can measure.
    """
    failing = (comparison for comparison in comparisons if not has_parity((comparison,), limits))
    return max((_share(comparison) for comparison in failing), default=0.0)


def _share(comparison: Comparison) -> float:
    unfit = not comparison.same_shape or comparison.nonfinite_mismatches or comparison.unequal
    return math.inf if unfit else comparison.relative_error
