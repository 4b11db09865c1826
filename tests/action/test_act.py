"""The action on a runner: a push stores a baseline, a pull request is compared with it. See driver.py."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.action.driver import HOME, REPLACED, Machine, Played, without_torch_index
from tests.examples.conftest import EXAMPLES, load_module
from tests.github_api.hub import FULL_NAME, WORKFLOW

pytestmark = pytest.mark.act

demo = load_module(EXAMPLES / "demo.py")
MODEL = """
[gate]
deployment-target = "iOS17"

[[model]]
name = "keywords"
source = "models/keywords.py:build"
samples = "models/keywords.py:samples"
evaluate = "models/keywords.py:evaluate"
output = ["scores"]
watch = ["weights/keywords.safetensors"]
"""
"""The example's smallest model alone."""


@pytest.fixture(scope="module")
def repository(scratch: Path) -> Path:
    """The example with its smallest model, and the workflow that examples/ offers."""
    demo.create_repository(scratch)
    (scratch / "coreml-gate.toml").write_text(MODEL)
    workflow = scratch / WORKFLOW
    workflow.parent.mkdir(parents=True)
    workflow.write_text(without_torch_index(EXAMPLES / "workflows" / "simple.yml"))
    demo.git(scratch, "remote", "add", "origin", f"https://github.com/{FULL_NAME}")
    demo.commit(scratch, "Gate the smallest model")
    return scratch


def head(repository: Path) -> str:
    return subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=repository, text=True).strip()


def opened(machine: Machine, repository: Path, number: int, base: str) -> dict[str, Any]:
    """A pull request of what is checked out, as the server and the event know it."""
    sha = head(repository)
    configuration = (repository / "coreml-gate.toml").read_bytes()
    machine.hub.add_pull(number, sha)
    machine.hub.history, machine.hub.merge_base = [base], base
    machine.hub.files |= {
        ("main", "coreml-gate.toml"): configuration,
        (sha, "coreml-gate.toml"): configuration,
    }
    side = {"sha": sha, "ref": "feature", "repo": HOME}
    pull = {"number": number, "head": side, "base": {"sha": base, "ref": "main", "repo": HOME}}
    return {"number": number, "pull_request": pull, "repository": HOME}


@pytest.fixture(scope="module")
def pushed(machine: Machine, repository: Path) -> Played:
    print(REPLACED)  # noqa: T201 - a reader of the log has to know
    sha = head(repository)
    played = machine.play(repository, "push", {"ref": "refs/heads/main", "after": sha, "repository": HOME})
    machine.publish_artifacts(sha, "push")
    return played


@pytest.fixture(scope="module")
def regressed(machine: Machine, repository: Path, pushed: Played) -> Played:
    base = head(repository)
    demo.apply_change(repository, demo.read_changes()["fp16-overflow"])
    played = machine.play(repository, "pull_request", opened(machine, repository, 7, base))
    machine.publish_artifacts(head(repository), "pull_request")
    demo.git(repository, "switch", "--quiet", "main")
    return played


@pytest.fixture(scope="module")
def harmless(machine: Machine, repository: Path, regressed: Played) -> Played:
    base = head(repository)
    demo.git(repository, "switch", "--quiet", "--create", "harmless")
    with (repository / "models" / "keywords.py").open("a") as file:
        file.write("\n# A comment changes nothing.\n")
    demo.commit(repository, "Say something")
    return machine.play(repository, "pull_request", opened(machine, repository, 8, base))


def test_a_push_stores_a_baseline(machine: Machine, pushed: Played, repository: Path) -> None:
    assert pushed.exit_code == 0, pushed.log
    assert (pushed.step("Collect"), pushed.step("Store the baseline"), pushed.step("Report")) == (
        "Success",
        "Success",
        "",
    )
    (artifact,) = (each for each in machine.hub.artifacts.values() if "baseline" in each["name"])
    assert artifact["name"].startswith("coreml-gate-baseline-default-")
    assert machine.hub.check_runs == {} or pushed.exit_code == 0


def test_a_regression_fails_at_the_report(machine: Machine, regressed: Played) -> None:
    assert regressed.exit_code == 1, regressed.log
    steps = {
        name: regressed.step(name) for name in ("Find the baseline", "Measure", "Report", "Keep the report")
    }
    assert steps == {
        "Find the baseline": "Success",
        "Measure": "Success",
        "Report": "Failure",
        "Keep the report": "Success",
    }
    assert "baseline: merge-base: artifact of the merge base" in regressed.log
