"""What one check is: a question, who answers it, how the answer is shown, and what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from coreml_gate.checks.evidence import Evidence
from coreml_gate.figures import Change
from coreml_gate.verdict import Finding, Status

MAX_METRICS: Final = 3
"""Metrics of one model that a cell shows."""

Show = Callable[[float], str]
Part = Literal["resources", "numbers", "engine", "task"]
"""Where a column stands in the table; within a part, the checks' order decides."""
PARTS: Final[tuple[Part, ...]] = get_args(Part)
Needs = Literal["", "baseline", "Mac", "iPhone", "LiteRT"]


@dataclass(frozen=True)
class Column:
    """How the figures of a check are shown in the table of models."""

    title: str
    part: Part
    meaning: str
    """What the figure is, for the documentation."""
    change: Change
    show: Show | None = None
    """``None``: bytes, in one unit for the whole column."""
    highest_is_worst: bool = True
    exact: str = "ok"
    """Stands for a figure that passes and has no value."""
    words: tuple[str, ...] = ()
    """Units of skipped findings that say in the cell why there is no figure."""
    by_subject: bool = False
    """Whether each subject has a figure of its own, as metrics do, or the worst stands for all."""
    most: int = MAX_METRICS
    """Subjects of one model that a cell shows, the gravest first."""
    legend: str = ""
    """One sentence below the table of a comment; empty where the title says it."""
    only_changes: bool = False
    """Whether the column is left out as long as every figure passes and is the baseline's."""

    def says_something(self, finding: Finding) -> bool:
        """Whether the figure is worth a column."""
        unchanged = finding.base is None or finding.value == finding.base
        return not (self.only_changes and unchanged and finding.status is Status.PASS)


@dataclass(frozen=True)
class Topic:
    """What findings of one name answer, and what ``coreml-gate explain`` says of a failure."""

    name: str
    question: str
    why: str = field(kw_only=True)
    """What a failure means on the phone."""
    fix: str = field(kw_only=True)
    accept: str = field(default="", kw_only=True)
    """The limits that allow it; empty where only an override does."""
    page: str = field(default="", kw_only=True)
    """Where the documentation has more."""
    blocks: bool = field(default=True, kw_only=True)
    """Whether it can block a merge."""


@dataclass(frozen=True)
class Check(Topic):
    """One question about one model; tables, reports and pages are derived from it."""

    run: Callable[[Evidence], tuple[Finding, ...]]
    """One finding per thing that a person would look at."""
    limit: str = field(kw_only=True)
    """The default limit in words."""
    needs: Needs = field(default="", kw_only=True)
    """What has to be there for an answer, beside a package."""
    absolute: bool = field(default=False, kw_only=True)
    """Whether it judges a package without a baseline, as that of a variant."""
    numerical: bool = field(default=False, kw_only=True)
    """Whether it compares outputs: a model without one such answer is never plainly fine."""
    column: Column | None = field(default=None, kw_only=True)
