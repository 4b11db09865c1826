"""What is published of a run, and the settings for that."""

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
    """The workflow's settings for a report, and the current day."""

    key: str
    config: str | None
    """Path of the configuration in the repository; ``None`` looks for it at the root."""
    workflow_path: str
    """The workflow whose runs store baselines."""
    author: str
    """Author of our own comments."""
    release: bool
    """Whether to compare with the last release as well."""
    records: int
    """How many measuring jobs must have left a Record."""
    today: date


@dataclass(frozen=True)
class Publication:
    """What is published, and where."""

    judged: Verdict | NoVerdict
    pull: Pull | None = None
    """The pull request to comment on; ``None`` if there is none, or if it has a newer commit."""
    notices: tuple[str, ...] = ()
    record: Record | None = None
    """The head's Record, for the page."""
    base: Record | None = None
    """The base's Record, for the page."""
    error: GateError | None = None
    """The error that prevented a Verdict; the step raises it once everything is published."""


def attempt(work: Callable[[], Result], notices: list[str]) -> Result | None:
    """Turn a failure of an optional part of the report into a notice."""
    try:
        return work()
    except GateError as error:
        notices.append(str(error))
        return None
