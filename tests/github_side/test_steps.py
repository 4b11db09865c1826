"""Whole steps, from the event to what people see; golden files pin the latter."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.errors import ConfigError, EventError, RecordError, UsageError
from coreml_gate.gate.environment import environment_of_this_machine
from coreml_gate.github.api.artifacts import baseline_name
from coreml_gate.github.publishing.publish import SUFFIXES
from coreml_gate.github.without_install import RunStamp, no_verdict_body
from coreml_gate.record import read_record, write_record
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.report.document import read_report
from coreml_gate.verdict import Status, not_run
from tests.builders import (
    comparison,
    environment,
    finding,
    memory,
    model_record,
    model_verdict,
    package,
    record,
    verdict,
)
from tests.github_api.faults import NOT_ACCESSIBLE, Fault
from tests.github_api.hub import WORKFLOW, Hub, zipped
from tests.github_api.server import TOKEN, GitHubServer
from tests.github_side.stored import (
    BASE,
    HEAD,
    PACKAGE,
    PARENT,
    add_baseline,
    add_record,
    baseline_files,
    digits,
    json_of,
)
from tests.github_side.workflow import FORK, MERGE_GROUP, NOON, PUSH, Job, pull_request, workflow_run
from tests.report.test_golden import compare
from tests.report.verdicts import SITUATIONS

NEXT = "e" * 40
GOLDEN = Path(__file__).parent / "golden"
CONFIG = b'[[model]]\nname = "digits"\nsource = "models/digits.py:build"\n'
LOOSE = CONFIG + b"limits = { parity = { max-error = 0.9 } }\n"
REGRESSED = digits(parity=(comparison(max_abs_error=2.0, max_abs_place=None, psnr=6.0),))
ACCEPT = "/coreml-gate accept parity of digits until 2026-12-31: retrained in December"
MakeJob = Callable[[str, Any], Job]


@pytest.fixture
def job(tmp_path: Path, environment: dict[str, str]) -> MakeJob:
    return lambda event, payload: Job(tmp_path, environment, event, payload)


@pytest.fixture(autouse=True)
def _repository(hub: Hub) -> None:
    hub.history = [BASE, PARENT]
    hub.merge_base = BASE
    hub.add_pull(7, HEAD, head_repository=FORK["id"])
    hub.files["main", "coreml-gate.toml"] = CONFIG
    hub.files[HEAD, "coreml-gate.toml"] = CONFIG
    hub.permissions["alice"] = "write"


def only_check(hub: Hub) -> dict[str, Any]:
    (run,) = hub.check_runs.values()
    return dict(run)


def only_body(hub: Hub) -> str:
    ((_, comment),) = hub.comments.values()
    return str(comment["body"])


def without_report(log: str) -> str:
    """The log without the report itself, which has golden files of its own."""
    return re.sub(r"(?s)(?<=::stop-commands::t0\n).*(?=::t0::)", "(the report)\n", log)


def without_figures(body: str) -> str:
    """What a comment says before it comes to single models."""
    lines = body.partition("\n#### ")[0].splitlines()
    return "\n".join(line for line in lines if not line.startswith("|")) + "\n"


# start


@pytest.mark.parametrize(
    ("event", "payload", "mode", "opened"),
    [
        ("push", PUSH, "baseline", 0),
        ("pull_request", pull_request(), "compare", 1),
        ("pull_request", pull_request(FORK), "compare", 0),
        ("merge_group", MERGE_GROUP, "judge", 1),
        ("workflow_run", workflow_run(5, "requested", None), "announce", 1),
        ("workflow_run", workflow_run(5, conclusion="action_required"), "announce", 1),
        ("workflow_run", workflow_run(5), "report", 0),
    ],
)
def test_start_names_the_mode_and_opens_the_check(
    hub: Hub, job: MakeJob, event: str, payload: Any, mode: str, opened: int
) -> None:
    started = job(event, payload)

    assert started.run("start") == 0
    outputs = started.outputs()
    assert outputs["mode"] == mode
    assert outputs["baseline-artifact"] == f"coreml-gate-baseline-default-{outputs['head-sha']}"
    assert [run["status"] for run in hub.check_runs.values()] == ["in_progress"] * opened
    assert bool(outputs["check-url"]) is bool(opened)


def test_start_survives_a_token_that_may_not_open_checks(server: GitHubServer, job: MakeJob) -> None:
    server.faults.append(Fault("POST", "/check-runs", 403, NOT_ACCESSIBLE))
    started = job("pull_request", pull_request())

    assert started.run("start") == 0
    assert "::warning title=coreml-gate::check run coreml-gate of aaaaaaa" in started.log.getvalue()
    assert "`checks: write`" in started.log.getvalue()


def test_a_key_that_names_no_artifact_is_refused(job: MakeJob) -> None:
    with pytest.raises(UsageError, match="comment key"):
        job("push", PUSH).run("start", "--key", "../x")


# baseline


def test_the_baseline_is_unpacked_for_the_next_step(hub: Hub, job: MakeJob) -> None:
    add_baseline(hub, files=baseline_files(environment=environment_of_this_machine()))
    found = job("pull_request", pull_request())

    assert found.run("baseline") == 0
    outputs = found.outputs()
    assert (outputs["baseline-source"], outputs["baseline-commit"]) == ("merge-base", BASE)
    assert read_record(Path(outputs["baseline-path"]) / "record.json").commit == BASE


def test_a_baseline_of_another_toolchain_is_rebuilt(hub: Hub, job: MakeJob) -> None:
    add_baseline(hub, files=baseline_files(environment=environment(torch="2.4.0")))
    found = job("pull_request", pull_request())
    found.run("baseline")

    outputs = found.outputs()
    assert (outputs["baseline-source"], outputs["baseline-path"]) == ("rebuild", "")
    assert "was measured with" in outputs["baseline-origin"]


def test_a_package_that_is_damaged_inside_is_rebuilt(hub: Hub, job: MakeJob) -> None:
    weights = os.urandom(2_000)
    files = baseline_files(environment=environment_of_this_machine())
    data = zipped(files | {f"{PACKAGE}/Data/com.apple.CoreML/weights/weight.bin": weights})
    damaged = data.replace(weights[1_000:1_100], bytes(100))
    hub.add_artifact(hub.add_run(BASE), baseline_name("default", BASE), damaged)
    found = job("pull_request", pull_request())

    assert found.run("baseline") == 0
    assert found.outputs()["baseline-source"] == "rebuild"
    assert "is damaged" in found.outputs()["baseline-origin"]
    assert [path.name for path in (found.folder / ".coreml-gate" / "baseline").iterdir()] == ["baseline.json"]


def test_without_permission_the_base_is_rebuilt_and_the_line_to_add_is_said(
    server: GitHubServer, job: MakeJob
) -> None:
    server.faults.append(Fault("GET", "/actions/artifacts", 403, NOT_ACCESSIBLE))
    found = job("pull_request", pull_request())

    assert found.run("baseline", "--no-rebuild") == 0
    assert found.outputs()["baseline-source"] == "none"
    assert found.outputs()["baseline-commit"] == BASE
    assert "`actions: read`" in found.log.getvalue()


# accept


def test_a_baseline_says_which_failures_came_accepted_and_the_next_pull_request_may_have_them(
    hub: Hub, job: MakeJob
) -> None:
    hub.permissions["alice"] = "write"
    line = "/coreml-gate accept precision of digits until 2026-12-31: retrained in December"
    hub.add_pull(12, "e" * 40, state="closed", merged_at="2026-11-20T00:00:00Z", body=line)
    hub.set_labels(12, "coreml-gate: accept")
    stored = job("push", PUSH)
    stored.leave_report(SITUATIONS["pass"](), record(commit=BASE))

    assert stored.run("accept") == 0
    kept = read_record(stored.folder / ".coreml-gate" / "record.json")
    assert [(each.model, each.check, each.pull_request) for each in kept.accepted] == [
        ("digits", "precision", 12)
    ]

    figures = {"check": "precision", "value": 25.0, "base": 25.0, "limit": 30.0, "status": Status.FAIL}
    model = model_verdict(finding(**figures))
    reported = job("pull_request", pull_request())
    reported.leave_report(verdict(model))
    (reported.folder / ".coreml-gate" / "baseline").mkdir()
    write_record(kept, reported.folder / ".coreml-gate" / "baseline" / "record.json")
    assert reported.run("report") == 0
    assert "retrained in December (pull request 12)" in only_body(hub)


def test_without_permission_to_read_pull_requests_the_baseline_stays_as_it_is(
    server: GitHubServer, job: MakeJob
) -> None:
    server.faults.append(Fault("GET", "/issues", 403, NOT_ACCESSIBLE))
    stored = job("push", PUSH)
    stored.leave_report(SITUATIONS["pass"](), record(commit=BASE))

    assert stored.run("accept") == 0
    assert read_record(stored.folder / ".coreml-gate" / "record.json").accepted == ()
    assert "`pull-requests: read`" in stored.log.getvalue()


# report on our own run


def test_a_pull_request_gets_check_comment_summary_annotations_and_outputs(hub: Hub, job: MakeJob) -> None:
    reported = job("pull_request", pull_request())
    reported.leave_report(SITUATIONS["regression"]())

    assert reported.run("report") == 1
    outputs = reported.outputs()
    assert (outputs["verdict"], outputs["exit-code"], outputs["regressions"]) == ("fail", "1", "1")
    assert outputs["comment-id"] == str(next(iter(hub.comments)))
    assert only_check(hub)["conclusion"] == "failure"
    assert only_body(hub).startswith("<!-- coreml-gate: default -->\n### ❌ coreml-gate: 1 of 3 models")
    assert "`aaaaaaa`" in only_body(hub)
    assert "must not merge" in (reported.folder / "summary.md").read_text()
    assert "::error file=models/net.py,line=41,title=digits%3A parity::" in reported.log.getvalue()
    assert TOKEN not in reported.log.getvalue()


def test_a_second_run_changes_the_comment_in_place(hub: Hub, job: MakeJob) -> None:
    for situation in ("regression", "pass", "pass"):
        again = job("pull_request", pull_request())
        again.leave_report(SITUATIONS[situation]())
        again.run("report")

    assert "all 3 models may merge" in only_body(hub)


def test_a_fork_is_reported_as_far_as_its_token_may(hub: Hub, server: GitHubServer, job: MakeJob) -> None:
    reported = job("pull_request", pull_request(FORK))
    reported.leave_report(SITUATIONS["regression"]())

    assert reported.run("report") == 1
    assert (hub.check_runs, hub.comments) == ({}, {})
    assert server.asked("POST", "") + server.asked("PATCH", "") == 0
    assert "must not merge" in (reported.folder / "summary.md").read_text()
    compare(GOLDEN / "fork.log", without_report(reported.log.getvalue()))


def test_a_stale_run_does_not_comment_but_concludes(hub: Hub, job: MakeJob) -> None:
    hub.add_pull(7, "f" * 40)
    reported = job("pull_request", pull_request())
    reported.leave_report(SITUATIONS["pass"]())
    reported.run("report")

    assert hub.comments == {}
    assert only_check(hub)["conclusion"] == "success"
    assert "no comment: pull request 7 has a newer commit fffffff." in reported.log.getvalue()


def test_a_missing_report_concludes_the_check_as_a_failure(hub: Hub, job: MakeJob) -> None:
    with pytest.raises(RecordError):
        job("pull_request", pull_request()).run("report", "--job-status", "failure")

    assert only_check(hub)["conclusion"] == "failure"
    assert "cannot be read" in only_check(hub)["output"]["summary"]


def test_a_run_that_could_not_start_is_published_with_its_reason(hub: Hub, job: MakeJob) -> None:
    reported = job("pull_request", pull_request())
    reported.leave_report(SITUATIONS["configuration-error"]())

    assert reported.run("report") == 3
    assert only_check(hub)["conclusion"] == "failure"
    assert only_check(hub)["output"]["title"] == "the gate could not do its work"
    assert "unknown key `limit`" in only_body(hub)
    assert "::error title=coreml-gate%3A run::`coreml-gate.toml`: unknown key" in reported.log.getvalue()


def test_a_cancelled_job_concludes_the_check(hub: Hub, job: MakeJob) -> None:
    cancelled = job("pull_request", pull_request())

    assert cancelled.run("report", "--job-status", "cancelled") == 0
    assert only_check(hub)["conclusion"] == "cancelled"
    assert cancelled.outputs()["verdict"] == "none"


@pytest.mark.parametrize(
    ("minutes", "conclusion", "words"),
    [
        ("30", "timed_out", "ran out of its 30 min"),
        ("60", "cancelled", "was cancelled before there was a result"),
        (None, "cancelled", "after 31 min the job was cancelled or ran out of time"),
    ],
)
def test_a_job_that_ran_out_of_its_time_is_told_by_the_clock(
    hub: Hub, job: MakeJob, minutes: str | None, conclusion: str, words: str
) -> None:
    hub.pulls[7]["head"]["sha"] = HEAD
    started = str(NOON.timestamp() - 31 * 60)
    options = () if minutes is None else ("--allowed-minutes", minutes)
    job("pull_request", pull_request()).run(
        "report", "--job-status", "cancelled", "--started", started, *options
    )

    assert only_check(hub)["conclusion"] == conclusion
    assert words in only_check(hub)["output"]["summary"]


def test_an_interrupted_gate_leaves_no_verdict(hub: Hub, job: MakeJob) -> None:
    cancelled = job("pull_request", pull_request())
    cancelled.leave_report(not_run("interrupted.", "", 143))

    assert cancelled.run("report", "--job-status", "cancelled") == 0
    assert only_check(hub)["conclusion"] == "cancelled"


def test_a_run_without_a_verdict_folds_the_last_one(hub: Hub, job: MakeJob) -> None:
    verdicts = job("pull_request", pull_request())
    verdicts.leave_report(SITUATIONS["regression"]())
    verdicts.run("report")
    told = only_body(hub)
    for _ in range(2):
        hub.pulls[7]["head"]["sha"] = NEXT
        payload = pull_request()
        payload["pull_request"]["head"]["sha"] = NEXT
        crashed = job("pull_request", payload)
        (crashed.folder / ".coreml-gate" / "report.json").unlink(missing_ok=True)
        with pytest.raises(RecordError):
            crashed.run("report", "--job-status", "failure")

    body = only_body(hub)
    assert body.splitlines()[1] == f"### ❔ coreml-gate: no verdict for `{NEXT[:7]}`"
    assert "See [the run](https://github.com/acme/models/actions/runs/99)." in body
    assert body.count("<details><summary>Outdated: the report of `aaaaaaa`</summary>") == 1
    assert "must not merge" in body.partition("<summary>Outdated")[2]
    assert "<!-- coreml-gate-run: " + NEXT in body
    assert told.splitlines()[1] in body


def test_a_verdict_takes_the_place_of_what_was_folded(hub: Hub, job: MakeJob) -> None:
    hub.add_comment(
        7, no_verdict_body("default", RunStamp("e" * 40, 1, 1), "it crashed.", "https://x", "old")
    )
    again = job("pull_request", pull_request())
    again.leave_report(SITUATIONS["pass"]())
    again.run("report")

    assert "Outdated" not in only_body(hub)
    assert "all 3 models may merge" in only_body(hub)


@pytest.mark.parametrize("status", ["cancelled", "failure"])
def test_a_cancellation_alone_begins_no_comment(hub: Hub, job: MakeJob, status: str) -> None:
    with suppress(RecordError):
        job("pull_request", pull_request()).run("report", "--job-status", status)

    assert len(hub.comments) == (0 if status == "cancelled" else 1)


def test_the_comment_leads_to_the_run_and_to_the_lines_of_the_head(hub: Hub, job: MakeJob) -> None:
    published = job("pull_request", pull_request())
    published.leave_report(SITUATIONS["regression"]())
    published.run("report")

    line = f"[models/net.py:41](https://github.com/acme/models/blob/{HEAD}/models/net.py#L41)"
    assert line in only_body(hub)
    assert "[The run](https://github.com/acme/models/actions/runs/99)" in only_body(hub)


def test_a_merge_group_concludes_its_check_and_comments_nowhere(hub: Hub, job: MakeJob) -> None:
    reported = job("merge_group", MERGE_GROUP)
    reported.leave_report(SITUATIONS["pass"]())

    assert reported.run("report") == 0
    assert only_check(hub)["conclusion"] == "success"
    assert hub.comments == {}


@pytest.mark.parametrize(("number", "exit_code"), [(7, 0), (8, 1)])
def test_what_a_queued_pull_request_accepted_holds_in_the_queue(
    hub: Hub, job: MakeJob, number: int, exit_code: int
) -> None:
    for each, base in ((7, "main"), (8, "release")):
        hub.add_pull(each, HEAD, body=ACCEPT)
        hub.set_labels(each, "coreml-gate: accept")
        hub.pulls[each]["base"] = hub.pulls[each]["base"] | {"ref": base}
    queue = f"refs/heads/gh-readonly-queue/main/pr-{number}-{BASE}"
    queued = job("merge_group", {"merge_group": MERGE_GROUP["merge_group"] | {"head_ref": queue}})
    failing = model_verdict(finding(status=Status.FAIL))
    queued.leave_report(verdict(failing))

    assert queued.run("report") == exit_code
    assert only_check(hub)["conclusion"] == ("failure" if exit_code else "success")
    assert hub.comments == {}


@pytest.mark.parametrize(
    "fault",
    [Fault("POST", "/comments", 403, NOT_ACCESSIBLE), Fault("POST", "/comments", 500, times=3)],
    ids=["permission", "server error"],
)
def test_a_comment_that_fails_hides_no_verdict(
    hub: Hub, server: GitHubServer, job: MakeJob, fault: Fault
) -> None:
    server.faults.append(fault)
    reported = job("pull_request", pull_request())
    reported.leave_report(SITUATIONS["regression"]())

    assert reported.run("report") == 1
    assert only_check(hub)["conclusion"] == "failure"
    assert "::warning title=coreml-gate::a comment on pull request 7" in reported.log.getvalue()


def test_a_status_stands_in_for_a_check_run(hub: Hub, job: MakeJob) -> None:
    reported = job("pull_request", pull_request())
    reported.leave_report(SITUATIONS["pass"]())
    reported.run("start", "--check", "status")
    reported.run("report", "--check", "status", "--comment", "off")

    assert [status["state"] for status in hub.statuses] == ["pending", "success"]
    assert (hub.check_runs, hub.comments) == ({}, {})


def test_the_origin_of_a_rebuilt_baseline_says_why(hub: Hub, job: MakeJob) -> None:
    reported = job("pull_request", pull_request())
    reported.run("baseline")
    reported.leave_report(SITUATIONS["pass"]())
    reported.run("report")

    origin = "rebuilt in this run: no artifact at bbbbbbb; nor at 1 ancestor"
    assert reported.outputs()["baseline-origin"] == origin
    assert "no artifact at bbbbbbb" in only_body(hub)


def test_a_token_within_reach_of_the_models_is_said(hub: Hub, job: MakeJob) -> None:
    published = job("pull_request", pull_request())
    published.leave_report(SITUATIONS["pass"]())
    published.run("report", "--token-in-reach")
    assert "the job's token was within its reach" in only_body(hub)

    published.run("report")
    assert "within its reach" not in only_body(hub)


def test_the_page_is_linked_once_it_is_uploaded_and_shows_what_was_measured(hub: Hub, job: MakeJob) -> None:
    published = job("pull_request", pull_request())
    measured = record(digits(memory=memory(timeline=(1, 3, 2))), commit=HEAD)
    judged = SITUATIONS["pass"]()
    base = record(digits(memory=memory(timeline=(1, 2, 1))), commit=judged.baseline.commit)
    published.leave_report(judged, measured)
    write_record(base, published.folder / ".coreml-gate" / "base" / "record.json")
    published.run("report", "--formats", "reports", "--page", "coreml-gate-default.html")
    address = "https://github.com/acme/models/actions/runs/99/artifacts/5"
    url = published.outputs()["comment-url"]
    for _ in range(2):
        assert published.run("link", "--comment-url", url, "--page-url", address) == 0

    assert only_body(hub).count(f"[The whole report]({address})") == 1
    page = (published.folder / "coreml-gate-default.html").read_text()
    drawn = '<script type="application/octet-stream">'
    unpublished = FORMATS["html"](judged, ReportOptions(record=measured, base=base))
    assert drawn in page
    assert page.partition(drawn)[2].partition("<")[0] == unpublished.partition(drawn)[2].partition("<")[0]


def test_a_comment_of_a_later_run_is_not_linked(hub: Hub, job: MakeJob) -> None:
    published = job("pull_request", pull_request())
    published.leave_report(SITUATIONS["pass"]())
    published.run("report")
    later = only_body(hub).replace(f"{HEAD} 99 1", f"{HEAD} 100 1")
    next(iter(hub.comments.values()))[1]["body"] = later
    url = published.outputs()["comment-url"]
    published.run("link", "--comment-url", url, "--page-url", "https://github.com/x")

    assert only_body(hub) == later


# report on an untrusted run


def reported(job: MakeJob, run: int, *options: str, conclusion: str = "success") -> Job:
    report = job("workflow_run", workflow_run(run, conclusion=conclusion))
    assert report.run("report", *options) == 0
    return report


def test_an_untrusted_run_is_judged_by_the_base_branch(hub: Hub, job: MakeJob) -> None:
    add_baseline(hub, PARENT)
    hub.files[HEAD, "coreml-gate.toml"] = LOOSE
    report = reported(job, add_record(hub, record(REGRESSED, commit=HEAD)))

    assert only_check(hub)["conclusion"] == "failure"
    assert report.outputs()["exit-code"] == "1"
    compare(GOLDEN / "reported.md", without_figures(only_body(hub)))
    left = sorted(path.name for path in report.folder.iterdir())
    assert left == ["event.json", "output", "summary.md"]


@pytest.mark.parametrize(
    ("opened", "files", "holds"),
    [
        (("models/digits.py",), ["README.md"], True),
        (("models/digits.py",), ["models/digits.py"], False),
        (("weights",), ["weights/digits.bin"], False),
        (("models/digits.py",), ["requirements.txt"], False),
        (("models/digits.py",), ["coreml-gate.toml"], False),
        (None, ["README.md"], False),
        (("models/digits.py",), [f"docs/{number}.md" for number in range(300)], False),
    ],
)
def test_an_ancestors_baseline_serves_only_models_that_did_not_change_since(
    hub: Hub, job: MakeJob, opened: tuple[str, ...] | None, files: list[str], holds: bool
) -> None:
    stored = record(digits(opened=opened), commit=PARENT)
    add_baseline(hub, PARENT, files=baseline_files(PARENT) | {"record.json": json_of(stored)})
    hub.changed_files = files
    hub.files["main", "coreml-gate.toml"] = CONFIG
    reported(job, add_record(hub, record(digits(), commit=HEAD)))

    left_out = "`digits` left out: changed since ccccccc" in only_body(hub)
    assert left_out is not holds


def test_an_accepted_failure_passes_and_is_named(hub: Hub, job: MakeJob) -> None:
    add_baseline(hub)
    hub.set_labels(7, "coreml-gate: accept")
    hub.add_comment(7, ACCEPT, "alice")
    reported(job, add_record(hub, record(REGRESSED, commit=HEAD)))

    assert only_check(hub)["conclusion"] == "success"
    accepted = [comment["body"] for _, comment in hub.comments.values() if "Accepted by" in comment["body"]]
    assert "Accepted by `alice` until 2026-12-31: retrained in December." in accepted[0]


@pytest.mark.parametrize(
    ("permission", "labels", "problem"),
    [
        ("read", ["coreml-gate: accept"], "`alice` has no write permission"),
        ("write", [], "lacks the label `coreml-gate: accept`"),
    ],
)
def test_an_override_that_does_not_count_is_named(
    hub: Hub, job: MakeJob, permission: str, labels: list[str], problem: str
) -> None:
    hub.permissions["alice"] = permission
    hub.pulls[7]["body"] = ACCEPT
    hub.set_labels(7, *labels)
    reported(job, add_record(hub, record(REGRESSED, commit=HEAD)))

    assert only_check(hub)["conclusion"] == "failure"
    assert problem in only_body(hub)


def test_a_newer_commit_gets_no_comment_of_the_older_one(hub: Hub, job: MakeJob) -> None:
    hub.pulls[7]["head"]["sha"] = "f" * 40
    reported(job, add_record(hub, record(digits(), commit=HEAD)))

    assert hub.comments == {}
    assert not hub.satisfies_protection(HEAD)
    assert "pull request 7 has a newer commit fffffff" in only_check(hub)["output"]["summary"]


@pytest.mark.parametrize("conclusion", ["cancelled", "timed_out"])
def test_a_run_that_was_ended_concludes_the_check_like_it(hub: Hub, job: MakeJob, conclusion: str) -> None:
    reported(job, hub.add_run(HEAD, "pull_request"), conclusion=conclusion)

    assert only_check(hub)["conclusion"] == conclusion


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda hub: hub.files.pop(("main", "coreml-gate.toml")), ConfigError),
        (lambda hub: hub.blobs.update({max(hub.blobs): b"<html>"}), Exception),
    ],
    ids=["no configuration", "no zip"],
)
def test_whatever_goes_wrong_concludes_the_check(
    hub: Hub, job: MakeJob, spoil: Callable[[Hub], object], kind: type[Exception]
) -> None:
    run = add_record(hub, record(digits(), commit=HEAD))
    spoil(hub)

    with pytest.raises(kind):
        job("workflow_run", workflow_run(run)).run("report")
    assert only_check(hub)["conclusion"] == "failure"
    assert only_body(hub).splitlines()[1] == "### ❔ coreml-gate: no verdict for `aaaaaaa`"


@pytest.mark.parametrize(
    ("annotation", "conclusion"),
    [
        ("The job has exceeded the maximum execution time of 30m0s", "timed_out"),
        ("The operation was canceled.", "cancelled"),
    ],
)
def test_a_job_that_ran_out_of_time_was_not_cancelled(
    hub: Hub, job: MakeJob, annotation: str, conclusion: str
) -> None:
    run = hub.add_run(HEAD, "pull_request")
    hub.add_job(run, "cancelled", annotation)
    reported(job, run, conclusion="cancelled")

    (check,) = [each for each in hub.check_runs.values() if each["name"] == "coreml-gate"]
    assert check["conclusion"] == conclusion


def test_slow_creep_is_seen_against_the_last_release(hub: Hub, job: MakeJob) -> None:
    release = "9" * 40
    hub.release = ("v1.0", release)
    small = record(digits(package=package(path=PACKAGE, total_bytes=10**7)), commit=release)
    add_baseline(hub, release, files=baseline_files(release) | {"record.json": json_of(small)})
    add_baseline(hub)
    reported(job, add_record(hub, record(digits(), commit=HEAD)), "--release")

    assert only_check(hub)["conclusion"] == "success"
    assert "**creep**: since release `v1.0` (9999999), size of `digits`: package" in only_body(hub)


@pytest.mark.parametrize(
    ("commit", "said"),
    [
        ("9" * 40, "**creep**: since release `v1.0` (9999999), size of `digits`: package"),
        ("8" * 40, None),
    ],
)
def test_a_release_can_carry_its_own_record_which_does_not_expire(
    hub: Hub, server: GitHubServer, job: MakeJob, commit: str, said: str | None
) -> None:
    hub.release = ("v1.0", "9" * 40)
    small = record(digits(package=package(path=PACKAGE, total_bytes=10**7)), commit=commit)
    hub.add_asset("coreml-gate-record-default.json", json_of(small))
    add_baseline(hub)
    report = reported(job, add_record(hub, record(digits(), commit=HEAD)), "--release")

    (asked,) = [each for each in server.requests if "/releases/assets/" in each.path]
    assert asked.headers["Accept"] == "application/octet-stream"
    if said is None:
        assert "**creep**" not in only_body(hub)
        assert f"has a Record of {commit}, not of 9999999" in report.log.getvalue()
    else:
        assert said in only_body(hub)


def test_without_a_release_there_is_nothing_to_compare_with_and_no_error(hub: Hub, job: MakeJob) -> None:
    add_baseline(hub)
    log = reported(job, add_record(hub, record(digits(), commit=HEAD)), "--release").log.getvalue()

    assert only_check(hub)["conclusion"] == "success"
    assert "no comparison with the last release: there is none yet." in log


def test_a_run_of_another_workflow_is_refused_and_the_check_concluded(hub: Hub, job: MakeJob) -> None:
    add_baseline(hub)
    run = add_record(hub, record(REGRESSED, commit=HEAD))
    payload = workflow_run(run)
    payload["workflow_run"]["path"] = ".github/workflows/evil.yml"

    with pytest.raises(EventError, match=r"is of the workflow `\.github/workflows/evil\.yml`, not of"):
        job("workflow_run", payload).run("report", "--workflow", WORKFLOW)
    assert only_check(hub)["conclusion"] == "failure"
    assert hub.comments == {}


def test_without_a_pinned_workflow_the_line_to_add_is_said(hub: Hub, job: MakeJob) -> None:
    run = add_record(hub, record(digits(), commit=HEAD))
    unpinned = job("workflow_run", workflow_run(run))

    assert unpinned.run("report") == 0
    assert "`--workflow` names no file" in unpinned.log.getvalue()


def test_a_run_whose_pull_request_is_not_found_satisfies_no_required_check(hub: Hub, job: MakeJob) -> None:
    hub.pulls[7]["state"] = "closed"
    reported(job, add_record(hub, record(digits(), commit=HEAD)))

    assert not hub.satisfies_protection(HEAD)
    assert "no open pull request has the commit aaaaaaa" in only_check(hub)["output"]["summary"]


# the command line


def test_the_command_line_has_the_steps_and_loads_no_client_to_say_so() -> None:
    code = (
        "import sys; sys.argv = ['coreml-gate', 'github', '--help']\n"
        "from coreml_gate.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('github', 'requests', 'torch', 'coremltools') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert {"start", "baseline", "report", "link"} <= set(done.stdout.split())
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_situation_can_be_published(hub: Hub, job: MakeJob) -> None:
    for situation, build in SITUATIONS.items():
        judged = build()
        published = job("pull_request", pull_request())
        published.leave_report(judged)
        assert published.run("report", "--key", situation) == judged.exit_code

    assert len(hub.comments) == len(hub.check_runs) == len(SITUATIONS)
    assert {run["status"] for run in hub.check_runs.values()} == {"completed"}


# several jobs


def test_the_published_report_is_written_in_every_format(hub: Hub, job: MakeJob) -> None:
    published = job("pull_request", pull_request())
    published.leave_report(SITUATIONS["regression"]())
    published.run("report", "--formats", "reports")

    outputs = published.outputs()
    assert Path(outputs["report"]) == Path(outputs["reports"]) / "report.json"
    written = {path.name for path in Path(outputs["reports"]).iterdir()}
    assert written == {"report.json", "report.md", "report.html", "report.xml", "report.sarif"}
    assert set(SUFFIXES) == set(FORMATS) - {"terminal"}
    assert read_report(Path(outputs["report"])).exit_code == 1


def gathering(hub: Hub, job: MakeJob) -> Job:
    """The last job of a run whose other jobs measured."""
    hub.pulls[7]["head"]["repo"] = hub.pulls[7]["base"]["repo"]
    hub.add_run(HEAD, "pull_request", number=99)
    return job("pull_request", pull_request())


def test_the_records_of_the_other_jobs_are_judged_by_the_base_branch(hub: Hub, job: MakeJob) -> None:
    hub.files[HEAD, "coreml-gate.toml"] = LOOSE
    last = gathering(hub, job)
    add_record(hub, record(digits(), commit="e" * 40), 0, run=99)
    add_record(hub, record(model_record(name="ears"), REGRESSED, commit="e" * 40), 1, run=99)

    assert last.run("report", "--mode", "report", "--records", "2") == 0
    assert "the configuration that judges does not name it" in only_body(hub)
    assert only_check(hub)["conclusion"] == "success"
    assert not (last.folder / "record.json").exists()


def test_a_regression_of_another_job_fails_this_one(hub: Hub, job: MakeJob) -> None:
    hub.files[HEAD, "coreml-gate.toml"] = LOOSE
    last = gathering(hub, job)
    add_record(hub, record(REGRESSED, commit=HEAD), 1, run=99)

    assert last.run("report", "--mode", "report") == 1
    assert "Judged with the limits of the base branch" in only_body(hub)


def test_a_job_that_left_no_record_is_what_the_check_names(hub: Hub, job: MakeJob) -> None:
    last = gathering(hub, job)
    add_record(hub, record(digits(), commit=HEAD), 1, run=99)

    with pytest.raises(RecordError, match="1 of 2 measuring jobs"):
        last.run("report", "--mode", "report", "--records", "2")
    assert "1 of 2 measuring jobs stored a Record" in only_check(hub)["output"]["summary"]
    assert only_check(hub)["conclusion"] == "failure"
    assert "no verdict for `aaaaaaa`" in only_body(hub)


def test_jobs_that_were_cancelled_are_called_so(hub: Hub, job: MakeJob) -> None:
    last = gathering(hub, job)
    hub.add_job(99, "cancelled", "The operation was canceled.")

    assert last.run("report", "--mode", "report") == 0
    (check,) = [each for each in hub.check_runs.values() if each["name"] == "coreml-gate"]
    assert check["conclusion"] == "cancelled"


def test_the_matrix_shares_what_core_ml_has_to_look_at(tmp_path: Path, job: MakeJob) -> None:
    names = ("a", "b", "c")
    models = tuple(model_record(name=name, package=package(fingerprint=name)) for name in names)
    for folder, stored in (("head", models), ("base", models[:1])):
        (tmp_path / folder).mkdir()
        write_record(record(models=stored), tmp_path / folder / "record.json")
    shared = job("pull_request", pull_request())

    assert shared.run("matrix", "head", "--baseline", "base", "--shards", "5") == 0
    legs = json.loads(shared.outputs()["matrix"])["include"]
    assert legs == [{"model": "b", "shard": 1}, {"model": "c", "shard": 2}]
    assert shared.outputs()["records"] == "3"
    shared.run("matrix", "base", "--baseline", "base")
    assert (shared.outputs()["matrix"], shared.outputs()["records"]) == ("", "1")
