"""Does a package answer like its source, both in float32? The one rule, for checks, child and diagnosis."""

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
"""The change that leads far from every sample. What fails there alone is noted and no warning: the log of a
softmax ends at -103 in float32."""


def parity_violations(group: Group, limits: ParityLimits) -> tuple[Violation, ...]:
    """All that speaks against one output, what no figure can judge first: only rounding may differ."""
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
    """What speaks against one changed sample, of its first output that differs; it has no number."""
    for comparison in changed.comparisons:
        raised = parity_violations((comparison,), limits)
        if raised:
            text = re.sub(rf" (of|in) sample {comparison.sample}\b", "", raised[0].message)
            return f"with {changed.name}, output `{comparison.output}`: {text}"
    return None


def has_parity(comparisons: Iterable[Comparison], limits: ParityLimits) -> bool:
    """Does every comparison satisfy the rule?"""
    return not any(parity_violations((comparison,), limits) for comparison in comparisons)


def failing_error(comparisons: Iterable[Comparison], limits: ParityLimits) -> float:
    """The greatest error among those that do not, as a share of the greatest reference value.

    Infinite for another shape, for NaN and infinities, and for integers: no share measures their difference.
    """
    failing = (comparison for comparison in comparisons if not has_parity((comparison,), limits))
    return max((_share(comparison) for comparison in failing), default=0.0)


def _share(comparison: Comparison) -> float:
    unfit = not comparison.same_shape or comparison.nonfinite_mismatches or comparison.unequal
    return math.inf if unfit else comparison.relative_error
