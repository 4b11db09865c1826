"""A repair as a suggestion on a line of the pull request: one a model, there as long as it is needed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.github.publishing.review import shown_ranges
from coreml_gate.record import Diagnosis, Repair
from coreml_gate.verdict import Acceptance, Finding, Status, Verdict
from tests.builders import finding, model_verdict, precision_comparison, record, verdict
from tests.github_api.faults import NOT_ACCESSIBLE, Fault
from tests.github_api.hub import GHOST, Hub
from tests.github_api.server import GitHubServer
from tests.github_side.stored import BASE, HEAD, add_record, digits
from tests.github_side.workflow import FORK, Job, pull_request, workflow_run

CONFIG = '[gate]\n\n[[model]]\nname = "digits"\nsource = "models/digits.py:build"\n'
DIFF = "@@ -2,2 +2,3 @@ [gate]\n \n+[[model]]\n+name = ..."
MARKER = "<!-- coreml-gate-suggestion: default digits -->"
HINT = 'set `keep-fp32 = ["RMSNorm/pow"]` for this model.'
PATCH = ("[[model]]", 'name = "digits"', 'keep-fp32 = ["RMSNorm/pow"]  # the line to add')
Report = Callable[..., Job]


def repaired(patch: tuple[str, ...] = PATCH, **overrides: Any) -> Finding:
    known = {"check": "precision", "status": Status.FAIL, "message": "12 dB.", "hint": HINT, "patch": patch}
    return finding(**(known | overrides))


def of(*findings: Finding) -> Verdict:
    model = model_verdict(*findings)
    return verdict(model)


@pytest.fixture(autouse=True)
def _repository(hub: Hub) -> None:
    hub.add_pull(7, HEAD)
    hub.merge_base = BASE
    hub.files["main", "coreml-gate.toml"] = CONFIG.encode()
    hub.files[HEAD, "coreml-gate.toml"] = CONFIG.encode()
    hub.diffs = {"models/digits.py": "@@ -1 +1 @@\n-a\n+b", "coreml-gate.toml": DIFF}


@pytest.fixture
def report(tmp_path: Path, environment: dict[str, str]) -> Report:
    def run(told: Verdict, *options: str, payload: Any = None) -> Job:
        job = Job(tmp_path, environment, "pull_request", payload or pull_request())
        job.leave_report(told)
        assert job.run("report", *options) == told.exit_code
        return job

    return run


def comments(hub: Hub) -> list[Any]:
    return [comment for _, comment in hub.review_comments.values()]


def test_a_repair_is_suggested_on_its_line_of_the_diff(hub: Hub, report: Report) -> None:
    log = report(of(repaired(), repaired(subject="other"))).log.getvalue()
    (comment,) = comments(hub)
    assert comment["body"] == (
        f"{MARKER}\n**coreml-gate**: `precision` of `digits` can be repaired here: {HINT}\n\n"
        '```suggestion\nname = "digits"\nkeep-fp32 = ["RMSNorm/pow"]\n```\n'
    )
    assert (comment["path"], comment["line"], comment["start_line"]) == ("coreml-gate.toml", 4, None)
    assert (comment["side"], comment["commit_id"]) == ("RIGHT", HEAD)
    assert "::warning" not in log


def test_lines_that_are_replaced_together_are_commented_on_together(hub: Hub, report: Report) -> None:
    listed = CONFIG + 'keep-fp32 = [\n  "a",\n]\n'
    hub.files[HEAD, "coreml-gate.toml"] = listed.encode()
    hub.diffs["coreml-gate.toml"] = "@@ -0,0 +1,8 @@\n+..."
    for _ in range(2):
        report(of(repaired()))
    (comment,) = comments(hub)
    assert (comment["start_line"], comment["line"], comment["start_side"]) == (6, 8, "RIGHT")
    assert '```suggestion\nkeep-fp32 = ["RMSNorm/pow"]\n```' in comment["body"]


@pytest.mark.parametrize(
    "diffs",
    [
        {},
        {"coreml-gate.toml": "@@ -1,3 +1,3 @@\n a\n-b\n+c\n d\n@@ -5 +5 @@\n-e\n+f"},
        {"other/coreml-gate.toml": DIFF},
    ],
)
def test_nothing_is_posted_outside_of_the_diff(hub: Hub, report: Report, diffs: dict[str, str]) -> None:
    hub.diffs = diffs
    report(of(repaired()))
    assert comments(hub) == []
    assert "keep-fp32" in next(iter(hub.comments.values()))[1]["body"]


def test_a_second_run_writes_nothing_and_another_repair_changes_it(
    hub: Hub, server: GitHubServer, report: Report
) -> None:
    report(of(repaired()))
    (first,) = hub.review_comments
    report(of(repaired()))
    assert server.asked("POST", "/pulls/7/comments") == 1
    assert server.asked("PATCH", "/pulls/comments/") == server.asked("DELETE", "") == 0
    report(of(repaired((*PATCH[:2], 'keep-fp32 = ["exp_3"]'))))
    assert list(hub.review_comments) == [first]
    assert 'keep-fp32 = ["exp_3"]\n```' in comments(hub)[0]["body"]


def test_it_goes_when_the_finding_is_gone_and_comments_of_others_stay(hub: Hub, report: Report) -> None:
    foreign = [
        hub.add_review_comment(7, "mallory", body=MARKER),
        hub.add_review_comment(7, GHOST, body=MARKER),
        hub.add_review_comment(7, body=MARKER.replace("default", "vision")),
        hub.add_review_comment(7, body=f"> {MARKER}"),
        hub.add_review_comment(8, body=MARKER),
    ]
    report(of(repaired()))
    assert len(hub.review_comments) == 6
    report(verdict(model_verdict(finding())))
    assert list(hub.review_comments) == foreign


@pytest.mark.parametrize("line", [3, None])
def test_one_whose_line_moved_is_written_anew_and_doubles_become_one(
    hub: Hub, report: Report, line: int | None
) -> None:
    for _ in range(2):
        hub.add_review_comment(7, body=f"{MARKER}\nold", line=line)
    report(of(repaired()))
    assert [comment["line"] for comment in comments(hub)] == [4]


@pytest.mark.parametrize(
    "told",
    [
        of(repaired(status=Status.UNSURE)),
        of(repaired(accepted=Acceptance(by="alice", until="2026-12-31", reason="known"))),
        of(repaired((*PATCH[:2], 'precision = "float32"'))),
        of(repaired((*PATCH, 'conversion = "trace"'))),
        of(repaired(("[[model]]", 'name = "other"', PATCH[2]))),
        of(repaired((*PATCH[:2], "keep-fp32 = ["))),
        of(repaired((*PATCH[:2], "keep-fp32 = []"))),
        of(repaired((*PATCH[:2], r'keep-fp32 = ["a\n"]'))),
        of(repaired((*PATCH[:2], r'keep-fp32 = ["a\u202E"]'))),
        of(repaired((*PATCH, "[gate]", "max-samples = 1"))),
    ],
)
def test_what_is_no_sure_repair_of_this_model_is_not_suggested(
    hub: Hub, server: GitHubServer, report: Report, told: Verdict
) -> None:
    report(told)
    assert comments(hub) == []
    assert server.asked("GET", "/pulls/7/files") == 0


def test_parity_comes_before_precision(hub: Hub, report: Report) -> None:
    other_route = (*PATCH[:2], 'conversion = "trace"  # the line to add')
    report(of(repaired(other_route, check="parity"), repaired()))
    (comment,) = comments(hub)
    assert '```suggestion\nname = "digits"\nconversion = "trace"\n```' in comment["body"]


@pytest.mark.parametrize("options", [("--no-suggestions",), ("--comment", "off")])
def test_it_can_be_switched_off(server: GitHubServer, report: Report, options: tuple[str, ...]) -> None:
    report(of(repaired()), *options)
    assert server.asked("GET", "/pulls/7/comments") == server.asked("POST", "/pulls/7/comments") == 0


def test_the_token_of_a_fork_does_not_try(server: GitHubServer, report: Report) -> None:
    report(of(repaired()), payload=pull_request(FORK))
    assert server.asked("GET", "/pulls/7/comments") == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            Fault("POST", "/pulls/7/comments", 422, {"message": "line must be part of the diff"}),
            "coreml-gate.toml:4: GitHub answered 422: line must be part of the diff.",
        ),
        (Fault("POST", "/pulls/7/comments", 403, NOT_ACCESSIBLE), "`pull-requests: write`"),
        (Fault("GET", "/pulls/7/comments", 403, NOT_ACCESSIBLE), "review comments of pull request 7"),
        (Fault("GET", "/pulls/7/files", 500, times=9), "files of pull request 7: GitHub answered 500"),
    ],
)
def test_what_github_refuses_is_a_notice_and_the_verdict_stands(
    hub: Hub, server: GitHubServer, report: Report, fault: Fault, said: str
) -> None:
    server.faults.append(fault)
    job = report(of(repaired()))
    assert comments(hub) == []
    assert said in job.log.getvalue()
    assert job.outputs()["verdict"] == "fail"
    assert next(iter(hub.check_runs.values()))["conclusion"] == "failure"


def test_a_lost_answer_makes_no_second_one(hub: Hub, server: GitHubServer, report: Report) -> None:
    server.faults.append(Fault("POST", "/pulls/7/comments", 502, kind="done-but"))
    report(of(repaired()))
    assert len(hub.review_comments) == 1


# The privileged half: the Record and the configuration at the head are a stranger's.


def reported(folder: Path, environment: dict[str, str], hub: Hub, *patterns: str) -> None:
    hub.add_pull(7, HEAD, head_repository=FORK["id"])
    failing = (precision_comparison(psnr=12.0),)
    repair = Repair(outcome="found", patterns=patterns, psnr=74.0, half_operations=42, kept=4)
    run = add_record(hub, record(digits(precision=failing, diagnosis=Diagnosis(repair=repair)), commit=HEAD))
    job = Job(folder, environment, "workflow_run", workflow_run(run))
    assert job.run("report") == 0


def test_a_fork_gets_its_suggestion_from_the_second_half(
    hub: Hub, tmp_path: Path, environment: dict[str, str]
) -> None:
    reported(tmp_path, environment, hub, "RMSNorm/pow", "*/soft[!x]*", "exp_3")
    (comment,) = comments(hub)
    assert 'keep-fp32 = ["RMSNorm/pow", "*/soft[!x]*", "exp_3"]\n```' in comment["body"]


@pytest.mark.parametrize(
    "pattern",
    [
        "```\n@everyone",
        "a```",
        'a"]\nsource = "evil.py:f',
        "\\u0022",
        "<!-- x -->",
        "a b",
        "",
    ],
)
def test_a_hostile_operation_is_suggested_to_nobody(
    hub: Hub, tmp_path: Path, environment: dict[str, str], pattern: str
) -> None:
    reported(tmp_path, environment, hub, "RMSNorm/pow", pattern)
    assert comments(hub) == []
    assert "keep-fp32" in next(iter(hub.comments.values()))[1]["body"]


@pytest.mark.parametrize(
    "config",
    [
        CONFIG.replace('"digits"', '"digits"  # ```'),
        CONFIG.replace('"digits"', '"digits"  # \u202e'),
        CONFIG.replace("source", "sauce"),
        CONFIG + f"watch = [{json.dumps('x')}, {'[' * 3_000}",
        CONFIG + "#" * 600_000,
    ],
)
def test_a_hostile_configuration_is_not_edited(
    hub: Hub, tmp_path: Path, environment: dict[str, str], config: str
) -> None:
    hub.files[HEAD, "coreml-gate.toml"] = config.encode()
    reported(tmp_path, environment, hub, "RMSNorm/pow")
    assert comments(hub) == []


def test_the_lines_that_a_diff_shows() -> None:
    patch = "@@ -1,2 +3,4 @@ def f():\n a\n+@@ -9 +90 @@\n@@ -7 +9 @@\n-x\n+y\n@@ -20,2 +21,0 @@\n-z\n-z"
    assert shown_ranges(patch) == (range(3, 7), range(9, 10), range(21, 21))
    assert shown_ranges("") == ()
