"""What defines a check: a question, the function that answers it, its column, and its explanation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from coreml_gate.checks.evidence import Evidence
from coreml_gate.figures import Change
from coreml_gate.verdict import Finding, Status

MAX_METRICS: Final = 3
"""Most metrics of one model in a cell."""

Show = Callable[[float], str]
Part = Literal["resources", "numbers", "engine", "task"]
"""The part of the table that a column belongs to; within a part, columns follow the checks' order."""
PARTS: Final[tuple[Part, ...]] = get_args(Part)
Needs = Literal["", "baseline", "Mac", "iPhone", "LiteRT"]


@dataclass(frozen=True)
class Column:
    """How a check's figures are shown in the table of models."""

    title: str
    part: Part
    meaning: str
    """What the figure is, for docs/report.md."""
    change: Change
    show: Show | None = None
    """``None`` for bytes, which get one unit for the whole column."""
    other_units: Mapping[str, Show] = field(default_factory=dict)
    """How figures are shown whose findings have another unit than the column's, by that unit."""
    highest_is_worst: bool = True
    exact: str = "ok"
    """Shown if the check passes without a value."""
    words: tuple[str, ...] = ()
    """Units of skipped findings that the cell shows instead of a figure."""
    by_subject: bool = False
    """Whether each subject, such as a metric, has its own figure; else the worst one stands for all."""
    most: int = MAX_METRICS
    """Most subjects of one model in a cell, the gravest first."""
    legend: str = ""
    """One sentence below the table of a comment, or empty."""
    only_changes: bool = False
    """Whether the column is hidden if every figure passes and equals the baseline's."""

    def says_something(self, finding: Finding) -> bool:
        """Whether the finding makes the column worth showing."""
        unchanged = finding.base is None or finding.value == finding.base
        return not (self.only_changes and unchanged and finding.status is Status.PASS)


@dataclass(frozen=True)
class Topic:
    """What findings of one name are about, and what ``coreml-gate explain`` says about a failure."""

    name: str
    question: str
    why: str = field(kw_only=True)
    """What a failure means on the phone."""
    fix: str = field(kw_only=True)
    accept: str = field(default="", kw_only=True)
    """The limits that allow it; empty if only an override does."""
    page: str = field(default="", kw_only=True)
    """The page of the documentation on it."""
    overridable: bool = field(default=True, kw_only=True)
    """Whether a person can accept a failure by an override."""


@dataclass(frozen=True)
class Check(Topic):
    """A question about one model; tables, reports and pages are derived from it."""

    run: Callable[[Evidence], tuple[Finding, ...]]
    """Returns one finding for each thing that a person would look at."""
    limit: str = field(kw_only=True)
    """The default limit in words."""
    needs: Needs = field(default="", kw_only=True)
    """What the check needs besides a package."""
    absolute: bool = field(default=False, kw_only=True)
    """Whether it can judge a package without a baseline, such as a variant's."""
    numerical: bool = field(default=False, kw_only=True)
    """Whether it compares outputs; a model without any such result never simply passes."""
    column: Column | None = field(default=None, kw_only=True)
