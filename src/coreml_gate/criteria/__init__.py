"""Judges Comparisons by limits: one rule for parity and one for precision, used wherever outputs are judged.

``by_output`` groups the samples of an output, ``violations`` holds one criterion per function, ``parity`` and
``precision`` say which criteria count. The checks turn violations into findings; the child and the searches
only need to know whether there are any. Nothing here needs torch.
"""

from coreml_gate.criteria.by_output import Group, by_output, comparable, least_psnr, worst_relative_error
from coreml_gate.criteria.parity import FAR, failing_error, has_parity, parity_violations, violation_of
from coreml_gate.criteria.precision import (
    engine_violations,
    figure_violations,
    keeps_precision,
    precision_violations,
)
from coreml_gate.criteria.sentences import sample_line
from coreml_gate.criteria.violations import Violation, also, excess_growth, gravest_first

__all__ = [
    "FAR",
    "Group",
    "Violation",
    "also",
    "by_output",
    "comparable",
    "engine_violations",
    "excess_growth",
    "failing_error",
    "figure_violations",
    "gravest_first",
    "has_parity",
    "keeps_precision",
    "least_psnr",
    "parity_violations",
    "precision_violations",
    "sample_line",
    "violation_of",
    "worst_relative_error",
]
