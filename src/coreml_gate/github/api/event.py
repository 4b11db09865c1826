"""The GitHub event that started the run as frozen values, and the mode that follows from it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from coreml_gate.errors import EventError
from coreml_gate.github.without_install import RunStamp, has_ended
from coreml_gate.untyped import Json
from coreml_gate.wording import listed

MAX_PAYLOAD_BYTES: Final = 25 * 10**6
"""GitHub cuts webhook payloads at 25 MB (docs.github.com, webhook events and payloads)."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_QUEUE: Final = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-(\d{1,9})-[0-9a-f]{40,64}")
_NO_COMMIT: Final = re.compile(r"0+")
_UNSAFE: Final = (
    "`pull_request_target` runs the pull request's code with a write token. Use `pull_request` to "
    "measure, and `workflow_run` to report on pull requests from forks; examples/workflows/ has both."
)
_KNOWN: Final = (
    "the gate supports `push`, `schedule`, `pull_request`, `merge_group` and `workflow_run`; for anything "
    "else call `coreml-gate run` yourself."
)
_FITTING: Final = (
    "`auto` fits every event; `open` only opens the check, `collect` measures a pull request, `report` "
    "judges what other jobs measured, "
    "and `baseline` stores a push or a schedule."
)


class Mode(StrEnum):
    """The purpose of a run."""

    BASELINE = "baseline"
    """Measure the base branch and store its Record."""
    COMPARE = "compare"
    """Measure a pull request, compare, and report as far as the token may."""
    JUDGE = "judge"
    """Measure a merge queue's candidate and conclude the check, without a pull request to comment on."""
    ANNOUNCE = "announce"
    """Open the check of a pull request that another job or workflow measures."""
    REPORT = "report"
    """Report what another workflow measured, with the token of this one."""
    COLLECT = "collect"
    """Measure a part of a pull request, to be judged by a later job of this run."""
    GATHER = "gather"
    """Judge what other jobs of this run measured, and report."""


RequestedMode = Literal["auto", "open", "collect", "report", "baseline"]
"""The mode that a workflow requests; ``auto`` lets the event decide."""

MODES: Final[dict[str, dict[RequestedMode, Mode]]] = {
    "push": {"auto": Mode.BASELINE, "collect": Mode.BASELINE, "baseline": Mode.BASELINE},
    "schedule": {"auto": Mode.BASELINE, "collect": Mode.BASELINE, "baseline": Mode.BASELINE},
    "pull_request": {
        "auto": Mode.COMPARE,
        "open": Mode.ANNOUNCE,
        "collect": Mode.COLLECT,
        "report": Mode.GATHER,
    },
    "merge_group": {
        "auto": Mode.JUDGE,
        "open": Mode.ANNOUNCE,
        "collect": Mode.COLLECT,
        "report": Mode.GATHER,
    },
    "workflow_run": {"auto": Mode.REPORT, "report": Mode.REPORT},
}
"""The mode by event and requested mode; under ``workflow_run``, for a completed run."""

Work = Literal["find", "measure", "collect", "report", "store", "hand-over"]
"""A part of the action, as the word that action.yml looks for; no word contains another."""

WORK: Final[dict[Mode, tuple[Work, ...]]] = {
    Mode.BASELINE: ("collect", "store"),
    Mode.COMPARE: ("find", "measure", "report"),
    Mode.JUDGE: ("find", "measure", "report"),
    Mode.ANNOUNCE: (),
    Mode.REPORT: ("report",),
    Mode.COLLECT: ("find", "measure", "hand-over"),
    Mode.GATHER: ("report",),
}
"""The work of each mode, in this order."""

CHECKED: Final = tuple(mode for mode in Mode if mode is not Mode.BASELINE)
"""Modes with a check; a push to the base branch needs none."""
OPENED: Final = (Mode.COMPARE, Mode.JUDGE, Mode.ANNOUNCE, Mode.COLLECT)
"""Modes that open the check; the others conclude it."""
_OWN_TOKEN: Final = (Mode.COMPARE, Mode.COLLECT, Mode.GATHER)
"""Modes that run with the pull request's token, which is read-only for a fork."""


@dataclass(frozen=True)
class SourceRun:
    """The run of another workflow that this one reports on; its results are untrusted."""

    id: int
    event: str
    path: str
    head_sha: str
    head_branch: str
    head_owner: str
    """Login of the owner of the head's repository; empty if that was deleted."""
    head_repository: int | None
    """Id of the head's repository; ``None`` if it was deleted."""
    conclusion: str


@dataclass(frozen=True)
class Event:
    """Everything that the gate needs to know about the event."""

    name: str
    mode: Mode
    repository: str
    head_sha: str
    """The commit that the check run belongs to."""
    base_sha: str | None
    """The tip of the base branch according to the event; ``None`` if nothing is compared."""
    base_ref: str
    pull_request: int | None
    fork: bool
    """Whether the head is in another repository, so that the token is read-only."""
    run_url: str
    workflow_path: str
    """The workflow file of this run, whose other runs store baselines."""
    stamp: RunStamp
    """The measuring run, which under ``workflow_run`` is the other one, and its commit."""
    source_run: SourceRun | None = None
    queued: int | None = None
    """The pull request that a merge queue tries: it gets no comment, but its overrides count."""

    @property
    def measuring_run(self) -> SourceRun | None:
        """The run whose Records are judged here, if other jobs or another workflow measured them."""
        if self.mode is not Mode.GATHER:
            return self.source_run
        return SourceRun(
            id=self.stamp.run,
            event=self.name,
            path=self.workflow_path,
            head_sha=self.head_sha,
            head_branch="",
            head_owner="",
            head_repository=None,
            conclusion="",
        )

    @property
    def blob_url(self) -> str:
        """Address of the head's files."""
        return f"{self.run_url.partition('/actions/')[0]}/blob/{self.head_sha}"

    @property
    def can_only_read(self) -> bool:
        """Whether the token of this run is read-only."""
        return self.fork and self.mode in _OWN_TOKEN


def read_event(
    environment: Mapping[str, str], base_branches: tuple[str, ...] = (), requested: RequestedMode = "auto"
) -> Event:
    """Read the event from the variables that GitHub sets; :class:`EventError` for an unsupported one.

    ``base_branches`` are those whose pushes store a baseline; by default, only the default branch.
    """
    name = environment.get("GITHUB_EVENT_NAME", "")
    if not name:
        raise EventError(
            "GITHUB_EVENT_NAME is not set: this is not a run of GitHub Actions.",
            "elsewhere, use `coreml-gate run --base BRANCH`; its exit code is the verdict.",
        )
    payload = _payload(Path(environment.get("GITHUB_EVENT_PATH", "")))
    try:
        return _event(name, payload, environment, choose_mode(name, payload, base_branches, requested))
    except (KeyError, TypeError, AttributeError) as error:
        raise EventError(
            f"the payload of `{name}` lacks what the gate needs: {error}.",
            "start the gate by a GitHub event, not by a handwritten payload.",
        ) from error


def choose_mode(
    name: str, payload: Json, base_branches: tuple[str, ...], requested: RequestedMode = "auto"
) -> Mode:
    """The mode by the table, if it applies to the event."""
    if name == "pull_request_target":
        raise EventError("the gate does not support `pull_request_target`.", _UNSAFE)
    if name not in MODES:
        raise EventError(f"the gate does not support the event `{name}`.", _KNOWN)
    if requested not in MODES[name]:
        raise EventError(f"mode `{requested}` does not fit the event `{name}`.", _FITTING)
    if name == "push":
        _require_base_branch(payload, base_branches, any_branch=requested == "baseline")
    if name == "workflow_run":
        return _mode_of_workflow_run(payload)
    return MODES[name][requested]


def _require_base_branch(payload: Json, base_branches: tuple[str, ...], *, any_branch: bool) -> None:
    branches = base_branches or (payload["repository"]["default_branch"],)
    branch = payload["ref"].removeprefix("refs/heads/")
    if _NO_COMMIT.fullmatch(payload["after"]):
        raise EventError(
            f"the push deleted `{branch}`.", "add `if: ${{ !github.event.deleted }}` to the job."
        )
    if any_branch or payload["ref"] in {f"refs/heads/{each}" for each in branches}:
        return
    named = listed(branches)
    raise EventError(
        f"a push to `{branch}` stores no baseline; only {named} does.",
        "name the branches at `on.push.branches`, and the same ones at `--base-branch`.",
    )


def _mode_of_workflow_run(payload: Json) -> Mode:
    event = payload["workflow_run"]["event"]
    if event == "pull_request_target":
        raise EventError("the workflow to report on ran under `pull_request_target`.", _UNSAFE)
    if event != "pull_request":
        raise EventError(
            f"the workflow to report on ran under `{event}`, which has no pull request.",
            "add `if: github.event.workflow_run.event == 'pull_request'` to the job.",
        )
    ended = has_ended(payload["action"], payload["workflow_run"]["conclusion"])
    return Mode.REPORT if ended else Mode.ANNOUNCE


def _event(name: str, payload: Json, environment: Mapping[str, str], mode: Mode) -> Event:
    repository = environment["GITHUB_REPOSITORY"]
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    workflow = environment.get("GITHUB_WORKFLOW_REF", "").removeprefix(f"{repository}/").partition("@")[0]
    own_run = (environment.get("GITHUB_RUN_ID", "0"), environment.get("GITHUB_RUN_ATTEMPT", "1"))
    common: dict[str, Json] = {
        "name": name,
        "mode": mode,
        "repository": repository,
        "run_url": f"{server}/{repository}/actions/runs/{own_run[0]}",
        "workflow_path": workflow,
    }
    facts = _facts(name, payload, environment)
    run, attempt = own_run
    if name == "workflow_run":
        run, attempt = payload["workflow_run"]["id"], payload["workflow_run"].get("run_attempt", 1)
    return Event(**common, **facts, stamp=RunStamp(facts["head_sha"], int(run), int(attempt)))


def _facts(name: str, payload: Json, environment: Mapping[str, str]) -> dict[str, Json]:
    match name:
        case "pull_request":
            return _of_pull_request(payload["pull_request"])
        case "workflow_run":
            return _of_workflow_run(payload)
        case "merge_group":
            return _of_merge_group(payload["merge_group"])
        case _:
            branch = environment.get("GITHUB_REF_NAME", "")
            return _of_commit(payload.get("after") or environment["GITHUB_SHA"], branch)


def _of_pull_request(pull: Json) -> dict[str, Json]:
    head_repository = pull["head"]["repo"]
    return {
        "head_sha": _commit(pull["head"]["sha"]),
        "base_sha": _commit(pull["base"]["sha"]),
        "base_ref": pull["base"]["ref"],
        "pull_request": int(pull["number"]),
        "fork": head_repository is None or head_repository["id"] != pull["base"]["repo"]["id"],
    }


def _of_workflow_run(payload: Json) -> dict[str, Json]:
    run = payload["workflow_run"]
    head_sha = _commit(run["head_sha"])
    origin = run["head_repository"]
    source = SourceRun(
        id=int(run["id"]),
        event=run["event"],
        path=run["path"].partition("@")[0],
        head_sha=head_sha,
        head_branch=run["head_branch"] or "",
        head_owner="" if origin is None else origin["owner"]["login"],
        head_repository=None if origin is None else int(origin["id"]),
        conclusion=run["conclusion"] or "",
    )
    return {
        "head_sha": head_sha,
        "base_sha": None,
        "base_ref": "",
        "pull_request": None,
        "fork": origin is None or origin["id"] != payload["repository"]["id"],
        "source_run": source,
    }


def _of_merge_group(group: Json) -> dict[str, Json]:
    return {
        "head_sha": _commit(group["head_sha"]),
        "base_sha": _commit(group["base_sha"]),
        "base_ref": group["base_ref"].removeprefix("refs/heads/"),
        "pull_request": None,
        "fork": False,
        "queued": _queued(group.get("head_ref", "")),
    }


def _queued(head_ref: str) -> int | None:
    """The pull request's number in the name of the queue's branch, its only place in the payload."""
    found = _QUEUE.fullmatch(head_ref)
    return None if found is None else int(found[1])


def _of_commit(sha: str, branch: str) -> dict[str, Json]:
    return {
        "head_sha": _commit(sha),
        "base_sha": None,
        "base_ref": branch,
        "pull_request": None,
        "fork": False,
    }


def _commit(text: str) -> str:
    if not _COMMIT.fullmatch(text):
        raise EventError(
            f"`{text[:80]}` is not the full hash of a commit.", "start the gate by a GitHub event."
        )
    return text


def _payload(path: Path) -> Json:
    try:
        if path.stat().st_size > MAX_PAYLOAD_BYTES:
            raise EventError(
                f"the event file `{path}` is larger than 25 MB.", "leave GITHUB_EVENT_PATH as it is."
            )
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EventError(
            f"the event file `{path}` cannot be read: {error}.",
            "leave GITHUB_EVENT_PATH as the runner sets it.",
        ) from error
