"""What a step is given: one frozen request each, which the command line makes."""

from dataclasses import dataclass
from pathlib import Path

from coreml_gate.github.api.event import RequestedMode


@dataclass(frozen=True)
class EventRequest:
    """What every step is given that works under an event; the others only handle files."""

    key: str
    mode: RequestedMode


@dataclass(frozen=True)
class StartRequest(EventRequest):
    """What ``start`` is given."""

    check: str
    """``check-run``, ``status`` or ``off``."""
    check_name: str
    base_branches: tuple[str, ...]
    """Branches whose pushes store a baseline; none means the default branch."""
    shard: int
    """Number of this job in a matrix."""


@dataclass(frozen=True)
class BaselineRequest(EventRequest):
    """What ``baseline`` is given."""

    workflow: str | None
    """The workflow file whose runs store baselines; ``None`` means the one that runs."""
    base: str | None
    """Full id of the commit to compare with; ``None`` means where the head left the event's base."""
    head: str | None
    """The commit that is checked out; ``None`` means GITHUB_SHA."""
    ancestors: int
    rebuild: bool
    """Whether the next step may rebuild a base that is not found."""
    to: Path


@dataclass(frozen=True)
class AcceptRequest(EventRequest):
    """What ``accept`` is given."""

    author: str
    record: Path
    """Folder with the ``record.json`` that is to name what was accepted."""


@dataclass(frozen=True)
class HistoryRequest(EventRequest):
    """What ``history`` is given."""

    workflow: str | None
    """The workflow file whose runs store histories; ``None`` means the one that runs."""
    record: Path
    """Folder with the ``record.json`` whose figures are added."""
    to: Path


@dataclass(frozen=True)
class MatrixRequest:
    """What ``matrix`` is given."""

    record: Path
    baseline: Path
    shards: int


@dataclass(frozen=True)
class ReportRequest(EventRequest):
    """What ``report`` is given."""

    check: str
    check_name: str
    workflow: str | None
    report: Path
    """What ``run`` or ``judge`` wrote; not read under ``workflow_run``."""
    baseline: Path
    """Where ``baseline`` left its note."""
    formats: Path | None
    """Where the published report is written in every format."""
    page: Path | None
    """Where the page alone is written, under a name that is an artifact's."""
    config: str | None
    """The configuration, relative to the repository."""
    comment: str
    author: str
    """Who writes with this token."""
    records: int
    """How many Records of measuring jobs there must be at least."""
    job_status: str
    started: float | None
    """When the job began, in seconds since 1970, and the minutes that it has: they distinguish a timeout
    from a cancellation."""
    timeout_minutes: float | None
    token_in_reach: bool
    """Whether the models' code ran as the user of this job, whose token it could have read."""
    annotations: bool
    suggestions: bool
    summary: bool
    release: bool
    """Whether the last release is compared with as well."""


@dataclass(frozen=True)
class LinkRequest(EventRequest):
    """What ``link`` is given."""

    author: str
    comment_url: str
    """Of the comment that ``report`` wrote."""
    page_url: str
    """Where the page is shown."""


StepRequest = EventRequest | MatrixRequest
