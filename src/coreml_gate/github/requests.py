"""The inputs of each step as one frozen request, made by the command line."""

from dataclasses import dataclass
from pathlib import Path

from coreml_gate.github.api.event import RequestedMode


@dataclass(frozen=True)
class EventRequest:
    """The inputs of every step that works under an event."""

    key: str
    mode: RequestedMode


@dataclass(frozen=True)
class StartRequest(EventRequest):
    """Inputs of ``start``."""

    check: str
    """``check-run``, ``status`` or ``off``."""
    check_name: str
    base_branches: tuple[str, ...]
    """Branches whose pushes store a baseline; none means the default branch."""
    shard: int
    """This job's number in a matrix."""


@dataclass(frozen=True)
class BaselineRequest(EventRequest):
    """Inputs of ``baseline``."""

    workflow: str | None
    """The workflow file whose runs store baselines; ``None`` means the one that runs."""
    base: str | None
    """Full id of the commit to compare with; by default, where the head left the event's base."""
    head: str | None
    """The checked-out commit; by default GITHUB_SHA."""
    ancestors: int
    rebuild: bool
    """Whether the next step may rebuild a missing base."""
    to: Path


@dataclass(frozen=True)
class AcceptRequest(EventRequest):
    """Inputs of ``accept``."""

    author: str
    record: Path
    """Folder with the ``record.json`` to note accepted failures in."""


@dataclass(frozen=True)
class HistoryRequest(EventRequest):
    """Inputs of ``history``."""

    workflow: str | None
    """The workflow file whose runs store histories; ``None`` means the one that runs."""
    record: Path
    """Folder with the ``record.json`` whose figures are added."""
    to: Path


@dataclass(frozen=True)
class MatrixRequest:
    """Inputs of ``matrix``."""

    record: Path
    baseline: Path
    shards: int


@dataclass(frozen=True)
class ReportRequest(EventRequest):
    """Inputs of ``report``."""

    check: str
    check_name: str
    workflow: str | None
    report: Path
    """Folder written by ``run`` or ``judge``; not read under ``workflow_run``."""
    baseline: Path
    """Folder with the note of ``baseline``."""
    formats: Path | None
    """Folder for the published report in every format."""
    page: Path | None
    """File for the page alone, named like its artifact."""
    config: str | None
    """The configuration, relative to the repository."""
    comment: str
    author: str
    """Login that writes with this token."""
    records: int
    """Least number of Records that measuring jobs must have left."""
    job_status: str
    started: float | None
    """When the job began, in seconds since 1970, and the minutes that it has: they distinguish a timeout
    from a cancellation."""
    timeout_minutes: float | None
    token_in_reach: bool
    """Whether the models' code ran as this job's user and could have read its token."""
    annotations: bool
    suggestions: bool
    summary: bool
    release: bool
    """Whether the last release is compared with as well."""


@dataclass(frozen=True)
class LinkRequest(EventRequest):
    """Inputs of ``link``."""

    author: str
    comment_url: str
    """Address of the comment that ``report`` wrote."""
    page_url: str
    """Address of the page."""


StepRequest = EventRequest | MatrixRequest
