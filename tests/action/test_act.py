"""The action on a runner: what it stores at a push, and what it says of pull requests. See driver.py."""

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.report.markdown import marker
from tests.action.driver import (
    ACT,
    HOME,
    REPLACED,
    Machine,
    Played,
    can_have_another_user,
    example,
    with_outputs,
)
from tests.action.repository import Repository, check_of, comment_on, demo, open_pull, steps
from tests.github_api.hub import FORKER, WORKFLOW

pytestmark = [
    pytest.mark.act,
    pytest.mark.skipif(not Path(ACT).exists(), reason="act is not installed: `make test-action` does it"),
]

REPORT_WORKFLOW = ".github/workflows/report.yml"
FORK = {
    "id": 666,
    "full_name": "mallory/models",
    "default_branch": "main",
    "owner": {"login": FORKER},
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("models"), example("simple.yml"))


OLD = f"{marker('default')}\n### an old verdict\n"
THIEF = (Path(__file__).parent / "thief.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def pushed(machine: Machine, repository: Repository) -> Played:
    """The first run of all: it installs the environment, which later ones take from the cache."""
    print(REPLACED)  # noqa: T201 - a reader of the log has to know
    payload = {"ref": "refs/heads/main", "after": repository.base, "repository": HOME}
    played = machine.play(repository.folder, "push", payload)
    machine.publish_artifacts(repository.base, "push")
    return played


def test_a_push_stores_a_baseline(machine: Machine, repository: Repository, pushed: Played) -> None:
    assert pushed.exit_code == 0, pushed.log
    done = ("Install", "Collect", "Store the baseline", "Add to the history", "Store the history")
    assert steps(pushed, *done, "Report") == [*["Success"] * len(done), ""]
    assert machine.hub.check_runs == {}
    stored = {artifact["name"] for artifact in machine.hub.artifacts.values()}
    baseline = f"coreml-gate-baseline-default-{repository.base}"
    assert stored == {baseline, "coreml-gate-history-default"}
    assert machine.outputs()["mode"] == "baseline"


def test_a_regression_is_stopped(machine: Machine, repository: Repository) -> None:
    with repository.branch("loud", {}, "fp16-overflow") as head:
        played = machine.play(repository.folder, "pull_request", open_pull(machine, 7, head, repository.base))

    assert played.exit_code == 1, played.log
    assert "the environment is there" in played.log
    ran = steps(
        played, "Open", "Start", "Find the baseline", "Measure", "Report", "Keep the report", "Conclude"
    )
    assert ran == ["Success", "Success", "Success", "Success", "Failure", "Success", "Success"]
    assert check_of(machine, head)["conclusion"] == "failure"
    assert "must not merge" in comment_on(machine, 7)["body"]
    assert "artifact of the merge base" in comment_on(machine, 7)["body"]
    outputs = machine.outputs()
    assert (outputs["mode"], outputs["verdict"], outputs["exit-code"]) == ("compare", "fail", "1")
    assert (outputs["regressions"], outputs["comment-id"]) == ("1", str(comment_on(machine, 7)["id"]))
    assert (outputs["baseline-source"], outputs["baseline-commit"]) == ("merge-base", repository.base)
    assert outputs["check-url"] == check_of(machine, head)["html_url"]
    kept = sorted(path.name for path in (machine.kept / "artifacts").iterdir())
    page = "coreml-gate-default.html"
    assert kept == [page, "coreml-gate-record-default-1.zip", "coreml-gate-report-default.zip"]
    assert "application/octet-stream" in (machine.kept / "artifacts" / page).read_text(encoding="utf-8")
    assert f"[The whole report]({outputs['page-url']})" in comment_on(machine, 7)["body"]


def test_a_harmless_change_passes(machine: Machine, repository: Repository) -> None:
    source = (repository.folder / "models" / "keywords.py").read_text()
    with repository.branch("note", {"models/keywords.py": f"{source}\n# A note.\n"}) as head:
        played = machine.play(repository.folder, "pull_request", open_pull(machine, 8, head, repository.base))

    assert played.exit_code == 0, played.log
    assert check_of(machine, head)["conclusion"] == "success"
    assert (machine.outputs()["verdict"], machine.outputs()["regressions"]) == ("pass", "0")


def test_a_crash_says_so_in_the_comment_of_the_run_before(machine: Machine, repository: Repository) -> None:
    with repository.branch("typo", {"coreml-gate.toml": "[gate]\nno-such-key = 1\n"}) as head:
        payload = open_pull(machine, 9, head, repository.base)
        machine.hub.add_comment(9, OLD)
        played = machine.play(repository.folder, "pull_request", payload)

    assert played.exit_code == 1, played.log
    assert steps(played, "Open", "Start", "Measure", "Conclude") == [
        "Success",
        "Success",
        "Failure",
        "Success",
    ]
    check = check_of(machine, head)
    assert (check["status"], check["conclusion"]) == ("completed", "failure")
    assert "an old verdict" not in comment_on(machine, 9)["body"].partition("<summary>Outdated")[0]


def test_an_installation_that_fails_concludes_the_check(machine: Machine, repository: Repository) -> None:
    with repository.branch("install", {"requirements.txt": "no-such-distribution-of-ours==1\n"}) as head:
        payload = open_pull(machine, 12, head, repository.base)
        machine.hub.add_comment(12, OLD)
        played = machine.play(repository.folder, "pull_request", payload)

    assert played.exit_code == 1, played.log
    ran = steps(played, "Open", "Install the requirements", "Measure", "Conclude")
    assert ran == ["Success", "Failure", "", "Success"]
    check = check_of(machine, head)
    assert (check["status"], check["conclusion"]) == ("completed", "failure")
    body = comment_on(machine, 12)["body"]
    assert body.splitlines()[1] == f"### ❔ coreml-gate: no verdict for `{head[:7]}`"
    assert "an old verdict" in body.partition("<summary>Outdated")[2]


def test_a_change_without_a_model_measures_none_although_the_base_moved_on(
    machine: Machine, repository: Repository
) -> None:
    """`pull_request` checks out the merge with the base as it is now; the event knows an older one."""
    source = (repository.folder / "models" / "keywords.py").read_text()
    with repository.branch("readme", {"README.md": "Models.\n"}) as head:
        pass
    with repository.branch("moved-on", {"models/keywords.py": f"{source}\n# Others did this.\n"}):
        demo.git(repository.folder, "merge", "--quiet", "--no-ff", "-m", "Merge", "readme")
        payload = open_pull(machine, 13, head, repository.base)
        played = machine.play(repository.folder, "pull_request", payload)

    assert played.exit_code == 0, played.log
    assert machine.outputs()["verdict"] == "skipped"
    assert machine.hub.satisfies_protection(head)


def test_a_job_that_is_cancelled_ends_the_gate_and_concludes_the_check(
    machine: Machine, repository: Repository
) -> None:
    """GitHub signals to the process of the step alone; act does not cancel, so the test sends the signal."""
    source = (repository.folder / "models" / "keywords.py").read_text()
    slow = {"models/keywords.py": f"import time\ntime.sleep(300)\n{source}"}
    with repository.branch("slow", slow) as head:
        payload = open_pull(machine, 14, head, repository.base)
        started = time.monotonic()
        played = machine.play(repository.folder, "pull_request", payload, cancel_in="Measure")

    assert time.monotonic() - started < 250
    assert played.exit_code == 1, played.log
    assert played.step("Measure") == "Failure"
    check = check_of(machine, head)
    assert (check["status"], check["conclusion"]) == ("completed", "failure")


@pytest.mark.parametrize("name", ["simple.yml", "three-jobs.yml"])
def test_a_thief_in_a_model_finds_no_token(
    machine: Machine, repository: Repository, name: str, tmp_path: Path
) -> None:
    if not can_have_another_user(tmp_path):
        pytest.skip("no second user can be made here, or none can run this Python")
    source = (repository.folder / "models" / "keywords.py").read_text()
    loot = Path(tempfile.mkdtemp(prefix="coreml-gate-loot-"))
    loot.chmod(0o777)
    thief = THIEF.replace("LOOT_FOLDER", str(loot))
    files = {WORKFLOW: with_outputs(example(name)), "models/keywords.py": f"{thief}\n{source}"}
    number = 15 if name == "simple.yml" else 16
    with repository.branch(f"thief-{number}", files) as head:
        payload = open_pull(machine, number, head, repository.base)
        played = machine.play(repository.folder, "pull_request", payload)
    found = {path.name: path.read_text() for path in loot.iterdir()}
    shutil.rmtree(loot)

    assert found == {"ran": ""}, played.log
    assert check_of(machine, head)["status"] == "completed"
    assert machine.outputs()["mode"] == ("compare" if name == "simple.yml" else "gather")


def test_three_jobs_make_one_comment(machine: Machine, repository: Repository) -> None:
    """examples/workflows/linux-macos.yml, with a stand-in for Core ML in the place of the Mac's."""
    workflow = with_outputs(example("linux-macos.yml", **{"core-ml": "stand-in"}))
    with repository.branch("macs", {WORKFLOW: workflow}, "fp16-overflow") as head:
        played = machine.play(
            repository.folder, "pull_request", open_pull(machine, 10, head, repository.base)
        )

    assert played.exit_code == 1, played.log
    assert "1 model for Core ML" in played.log
    kept = {path.stem for path in (machine.kept / "artifacts").iterdir()}
    assert {f"coreml-gate-record-default-{shard}" for shard in (0, 1)} <= kept
    assert check_of(machine, head)["conclusion"] == "failure"
    assert "must not merge" in comment_on(machine, 10)["body"]
    assert "Engine stand-in CPU\\_ONLY" in comment_on(machine, 10)["body"]
    assert machine.outputs()["mode"] == "gather"


def test_a_fork_is_reported_by_the_half_that_trusts_nothing(machine: Machine, repository: Repository) -> None:
    halves = {
        WORKFLOW: example("fork-measure.yml"),
        REPORT_WORKFLOW: example("fork-report.yml").replace(".github/workflows/fork-measure.yml", WORKFLOW),
    }
    with repository.branch("fork", halves, "fp16-overflow") as head:
        payload = open_pull(machine, 11, head, repository.base, FORK)
        measured = machine.play(repository.folder, "pull_request", payload)
        assert measured.exit_code == 0, measured.log
        assert [run for run in machine.hub.check_runs.values() if run["head_sha"] == head] == []
        run = machine.publish_artifacts(head, "pull_request")
        reported = {
            action: machine.play(
                repository.folder, "workflow_run", workflow_run(run, head, action), REPORT_WORKFLOW
            )
            for action in ("requested", "completed")
        }

    assert [played.exit_code for played in reported.values()] == [0, 0], reported["completed"].log
    assert reported["requested"].step("Report") == ""
    assert check_of(machine, head)["conclusion"] == "failure"
    assert "must not merge" in comment_on(machine, 11)["body"]


def workflow_run(run: int, head: str, action: str) -> Any:
    facts = {
        "id": run,
        "event": "pull_request",
        "path": WORKFLOW,
        "head_sha": head,
        "head_branch": "feature",
        "head_repository": FORK,
        "conclusion": "success" if action == "completed" else None,
    }
    return {"action": action, "workflow_run": facts, "repository": HOME}


def test_nothing_was_sent_that_github_does_not_describe(machine: Machine) -> None:
    assert machine.server.github.violations == []
    assert json.dumps(machine.hub.comments).count("ghs_") == 0
