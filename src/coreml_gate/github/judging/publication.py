"""What is published of a run, and on which terms."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from coreml_gate.errors import GateError
from coreml_gate.github.api.pull_request import Pull
from coreml_gate.github.judging.no_verdict import NoVerdict
from coreml_gate.record import Record
from coreml_gate.verdict import Verdict

Result = TypeVar("Result")


@dataclass(frozen=True)
class PublicationTerms:
    """What the workflow's author chose for a report, and the day."""

    key: str
    config: str | None
    """Path of the configuration in the repository; ``None`` looks for it at the root."""
    workflow_path: str
    """The workflow whose runs store baselines."""
    author: str
    """Whose comments are our own."""
    release: bool
    """Whether the last release is compared with as well."""
    records: int
    """How many measuring jobs must have left a Record."""
    today: date


@dataclass(frozen=True)
class Publication:
    """What is published, and where."""

    judged: Verdict | NoVerdict
    pull: Pull | None = None
    """The pull request to comment on; ``None`` where there is none, or where a newer commit is measured."""
    notices: tuple[str, ...] = ()
    record: Record | None = None
    """What was measured, for the page."""
    base: Record | None = None
    """What was measured of the base, which the page draws beside it."""
    error: GateError | None = None
    """What kept the run from a Verdict; the step ends with it once everything is published."""


def attempt(work: Callable[[], Result], notices: list[str]) -> Result | None:
    """What makes a report richer and is not a reason to have none: a failure becomes a notice."""
    try:
        return work()
    except GateError as error:
        notices.append(str(error))
        return None
