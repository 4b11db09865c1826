"""Opens the check before anything can fail, and concludes it where nothing else did.

``check.py open`` is the first step of the action and ``check.py conclude`` its last one. Both run on the
runner's own Python, with the standard library alone, and never fail the job: what goes wrong is a warning.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
from coreml_gate.github.without_install import (
    RunStamp,
    check_mark,
    comment_marker,
    ending,
    has_ended,
    mark_of,
    no_verdict_body,
    stamp_in,
)

_OPENS = ("auto", "collect", "open")
_CONCLUDES = ("auto", "report")
_TRIES = 3
_WAIT_S = 2.0
_LONGEST_WAIT_S = 60
"""For a rate limit that says how long it lasts: a cancelled job has five minutes for its last steps."""
_TIMEOUT_S = 30
_SERVER_ERROR = 500
_PER_PAGE = 100
_MAX_PAGES = 10


class Subject(NamedTuple):
    """The commit that the check is of, and what may be written about it."""

    stamp: RunStamp
    pull_request: int | None
    ended: bool
    """Whether measuring is over: a workflow that only reports is started twice."""


def main() -> None:
    """Open or conclude."""
    environ = dict(os.environ)
    subject = attempt_to("the event cannot be read", lambda: subject_of(environ))
    if sys.argv[1] == "open":
        open_check(environ, subject)
    elif subject is not None and subject.ended and environ["MODE"] in _CONCLUDES and not environ["VERDICT"]:
        conclude(environ, subject)


def subject_of(environ: dict[str, str]) -> Subject | None:
    """What the event is about; ``None`` without a check, and for a fork, whose token can only read."""
    event = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    run, attempt = int(environ["GITHUB_RUN_ID"]), int(environ.get("GITHUB_RUN_ATTEMPT", "1"))
    name = environ["GITHUB_EVENT_NAME"]
    if name == "pull_request":
        pull = event["pull_request"]
        if not pull["head"]["repo"] or pull["head"]["repo"]["id"] != pull["base"]["repo"]["id"]:
            return None
        return Subject(RunStamp(pull["head"]["sha"], run, attempt), int(pull["number"]), ended=True)
    if name == "merge_group":
        return Subject(RunStamp(event["merge_group"]["head_sha"], run, attempt), None, ended=True)
    if name == "workflow_run":
        measured = event["workflow_run"]
        if measured["event"] != "pull_request":
            return None
        stamp = RunStamp(measured["head_sha"], int(measured["id"]), int(measured.get("run_attempt", 1)))
        return Subject(stamp, None, ended=has_ended(event["action"], measured["conclusion"]))
    return None


def open_check(environ: dict[str, str], subject: Subject | None) -> None:
    """Opens the check, unless this run has one open; says whether the job has anything else to do."""
    mode, url = environ["MODE"], ""
    announced = subject is not None and not subject.ended
    opens = mode in _OPENS if not announced else mode != "collect"
    if subject is not None and opens and (announced or environ["GITHUB_EVENT_NAME"] != "workflow_run"):
        url = (
            attempt_to("the check is opened later, after the installation", lambda: opened(environ, subject))
            or ""
        )
    needed = mode != "open" and not announced
    leave({"needed": str(needed).lower(), "check-url": url, "started": f"{time.time():.0f}"})


def opened(environ: dict[str, str], subject: Subject) -> str:
    """The address of the check run or of the run."""
    api = Api(environ)
    if environ["CHECK"] == "status":
        return api.set_status(subject.stamp.head_sha, "pending", "measuring")
    if environ["CHECK"] == "off":
        return ""
    runs = [run for run in api.runs(subject.stamp) if is_open(run) or api.is_failure_of(subject.stamp, run)]
    return str(runs[0]["html_url"]) if runs else api.create_run(subject.stamp)


def conclude(environ: dict[str, str], subject: Subject) -> None:
    """Says in check and comment that there is no verdict, and why."""
    started, minutes = environ["STARTED"], environ["TIMEOUT_MINUTES"]
    elapsed = time.time() - float(started) if started else None
    conclusion, reason = ending(environ["JOB_STATUS"], elapsed, float(minutes) if minutes else None)
    failed = [
        line.rpartition(" ")[0] for line in environ["OUTCOMES"].splitlines() if line.endswith(" failure")
    ]
    if failed and conclusion == "failure":
        reason = f"the step `{failed[0]}` failed before there was a result."
    was_open = attempt_to("the check stays open", lambda: concluded(environ, subject, conclusion, reason))
    if was_open is not False and environ["COMMENT"] != "off" and subject.pull_request is not None:
        attempt_to("the comment stays as it is", lambda: outdated(environ, subject, reason))


def concluded(environ: dict[str, str], subject: Subject, conclusion: str, reason: str) -> bool:
    """Concludes the check; ``False`` where the report had concluded it before it failed itself."""
    api = Api(environ)
    if environ["CHECK"] == "status":
        state = "failure" if conclusion == "failure" else "error"
        api.set_status(subject.stamp.head_sha, state, f"no verdict: {reason}", unless_ended=True)
    elif environ["CHECK"] != "off":
        runs = api.runs(subject.stamp)
        output = {"title": "no verdict", "summary": f"{reason[:1].upper()}{reason[1:]} See {api.run_url}."}
        for run in filter(is_open, runs):
            changes = {"status": "completed", "conclusion": conclusion, "output": output}
            api.call("PATCH", f"check-runs/{run['id']}", changes)
        return not runs or any(map(is_open, runs))
    return True


def is_open(run: Any) -> bool:
    return bool(run["status"] != "completed")


def outdated(environ: dict[str, str], subject: Subject, reason: str) -> None:
    """Folds the last verdict, if the pull request's newest commit is the one without."""
    api, number, key = Api(environ), subject.pull_request, environ["KEY"]
    if api.call("GET", f"pulls/{number}")["head"]["sha"] != subject.stamp.head_sha:
        return
    for comment in api.pages(f"issues/{number}/comments"):
        own = (comment["user"] or {}).get("login") == environ["COMMENT_AUTHOR"]  # a deleted account is none
        if not own or not comment["body"].startswith(comment_marker(key)):
            continue
        if not subject.stamp.is_older_than(stamp_in(comment["body"])):
            body = no_verdict_body(key, subject.stamp, reason, api.run_url, comment["body"])
            api.call("PATCH", f"issues/comments/{comment['id']}", {"body": body})
        return


class Api:
    """The few calls to GitHub that check and comment need."""

    def __init__(self, environ: dict[str, str]) -> None:
        repository = environ["GITHUB_REPOSITORY"]
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        self._root = f"{environ.get('GITHUB_API_URL', 'https://api.github.com')}/repos/{repository}"
        self._token = environ["GITHUB_TOKEN"]
        self._name, self._key = environ["CHECK_NAME"], environ["KEY"]
        self.run_url = f"{server}/{repository}/actions/runs/{environ['GITHUB_RUN_ID']}"

    def runs(self, stamp: RunStamp) -> list[Any]:
        """The check runs of this name, key and run; by default GitHub lists the last one of a name."""
        query = urllib.parse.urlencode({"check_name": self._name, "filter": "all"})
        listed = self.pages(f"commits/{stamp.head_sha}/check-runs?{query}", "check_runs")
        marked = [(mark_of(run["external_id"], self._key), run) for run in listed]
        return [run for mark, run in marked if mark is not None and mark.run == stamp.run]

    def is_failure_of(self, stamp: RunStamp, run: Any) -> bool:
        """Whether another job of this very attempt failed: its failure stays."""
        mark = mark_of(run["external_id"], self._key)
        return mark is not None and mark.is_failure_of(stamp, run["conclusion"])

    def create_run(self, stamp: RunStamp) -> str:
        """The address of a new check run."""
        facts = {
            "name": self._name,
            "head_sha": stamp.head_sha,
            "status": "in_progress",
            "external_id": check_mark(self._key, stamp),
            "details_url": self.run_url,
        }
        return str(self.call("POST", "check-runs", facts)["html_url"])

    def set_status(self, sha: str, state: str, words: str, *, unless_ended: bool = False) -> str:
        """Set the status, with ``unless_ended`` only in the place of a pending one of this run."""
        if unless_ended and not self._is_pending(sha):
            return self.run_url
        facts = {
            "state": state,
            "context": self._name,
            "description": words[:140],
            "target_url": self.run_url,
        }
        self.call("POST", f"statuses/{sha}", facts)
        return self.run_url

    def _is_pending(self, sha: str) -> bool:
        found = [
            each for each in self.pages(f"commits/{sha}/status", "statuses") if each["context"] == self._name
        ]
        return any((each["state"], each["target_url"]) == ("pending", self.run_url) for each in found)

    def pages(self, path: str, key: str = "") -> list[Any]:
        """Everything of a list, or of the list below ``key``, as far as it is looked at."""
        found: list[Any] = []
        for page in range(1, _MAX_PAGES + 1):
            separator = "&" if "?" in path else "?"
            answer = self.call("GET", f"{path}{separator}per_page={_PER_PAGE}&page={page}")
            listed = answer[key] if key else answer
            found += listed
            if len(listed) < _PER_PAGE:
                break
        return found

    def call(self, method: str, path: str, facts: Any = None) -> Any:
        """One call; reading and changing is tried again, creating only where a rate limit refused it."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/vnd.github+json"}
        data = None if facts is None else json.dumps(facts).encode()
        request = urllib.request.Request(f"{self._root}/{path}", data, headers, method=method)  # noqa: S310 - the runner's own address
        for left in reversed(range(_TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                    return json.load(answer)
            except OSError as error:
                wait = wait_after(error, repeatable=method != "POST")
                if wait is None or not left:
                    raise
            time.sleep(wait)
        return None


def wait_after(error: OSError, *, repeatable: bool) -> float | None:
    """Seconds until a call may be tried again; ``None``: not at all, or not soon enough."""
    if isinstance(error, urllib.error.HTTPError) and error.code < _SERVER_ERROR:
        seconds = str(error.headers.get("Retry-After", ""))
        return float(seconds) if seconds.isdecimal() and int(seconds) <= _LONGEST_WAIT_S else None
    return _WAIT_S if repeatable else None


def attempt_to(otherwise: str, work: Any) -> Any:
    """The result, or a warning that says what happens instead."""
    try:
        return work()
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = (
            f"GitHub answered {error.code}"
            if isinstance(error, urllib.error.HTTPError)
            else type(error).__name__
        )
        sys.stdout.write(f"::warning title=coreml-gate::{reason}: {otherwise}.\n")
        return None


def leave(outputs: dict[str, str]) -> None:
    """Outputs of the step; none of them holds foreign text."""
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in outputs.items())


if __name__ == "__main__":
    main()
