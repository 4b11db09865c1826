"""The action on a runner that believes it is a Mac: a push and two pull requests. See tests/fake_mac."""

import json
import os
import pwd
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import yaml

from tests.action.driver import ACT, HOME, PYTHON, ROOT, Machine, Played, can_have_another_user, example
from tests.action.repository import Repository, check_of, comment_on, open_pull, steps
from tests.fake_mac.environment import environment_of_a_runner
from tests.github_api.server import RunningServer

pytestmark = [
    pytest.mark.act,
    pytest.mark.skipif(not Path(ACT).exists(), reason="act is not installed: `make test-action` does it"),
]


def recording_steps() -> str:
    """Those of self.yml, without the condition on the system: act takes every runner for a Linux."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/self.yml").read_text(encoding="utf-8"))["jobs"]
    found = [step for step in jobs["gate"]["steps"] if "runner.os == 'macOS'" in step.get("if", "")]
    played = [{**step, "if": "github.event_name == 'push'"} for step in found]
    return "".join(f"      - {json.dumps(step)}\n" for step in played)


WORKFLOW = f"{example('simple.yml')}{recording_steps()}".replace("${{ matrix.image }}", "macos-15").replace(
    "ubuntu-latest", "macos-15"
)


@pytest.fixture(scope="module")
def mac(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Its folder lies where the user of the models' code can enter it."""
    if not can_have_another_user(tmp_path_factory.mktemp("probe")):
        pytest.skip("no second user can be made here, or none can run this Python")
    folder = Path(tempfile.mkdtemp(prefix="coreml-gate-mac-"))
    folder.chmod(0o755)
    server = RunningServer()
    runner = environment_of_a_runner(folder, os.environ, PYTHON)
    python = str(folder / "played" / "runner" / "python3")
    made = Machine(tmp_path_factory.mktemp("act"), server, {"STAND_IN_PYTHON": python}, runner)
    yield made
    made.remove()
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("models"), WORKFLOW)


@pytest.fixture(scope="module", autouse=True)
def pushed(mac: Machine, repository: Repository) -> Played:
    payload = {"ref": "refs/heads/main", "after": repository.base, "repository": HOME}
    played = mac.play(repository.folder, "push", payload)
    record = (mac.kept / "artifacts" / f"coreml-gate-baseline-default-{repository.base}.zip").exists()
    assert record, played.log
    mac.publish_artifacts(repository.base, "push")
    return played


def test_a_push_stores_a_baseline_that_core_ml_measured(mac: Machine, pushed: Played) -> None:
    assert pushed.exit_code == 0, pushed.log
    assert steps(pushed, "Install", "Collect", "Store the baseline") == ["Success"] * 3
    user = pwd.getpwnam(mac.models_user)
    assert (user.pw_shell, user.pw_dir, user.pw_uid // 100) == ("/usr/bin/false", "/var/empty", 7)  # by dscl
    assert mac.outputs()["mode"] == "baseline"


def test_the_recording_of_self_yml_is_of_this_mac(mac: Machine, pushed: Played) -> None:
    assert steps(pushed, "Record how Core ML behaves here") == ["Success"]
    (number,) = (id_ for id_, each in mac.hub.artifacts.items() if each["name"] == "recording-macos-15")
    with zipfile.ZipFile(BytesIO(mac.hub.blobs[number])) as artifact:
        content = artifact.read("mac.zip")
    with zipfile.ZipFile(BytesIO(content)) as recording:
        machine = json.loads(recording.read("machine.json"))
    assert (machine["model"], machine["stand_in"]) == ("VirtualMac2,1", "")


def test_a_regression_is_stopped_in_the_name_of_core_ml(mac: Machine, repository: Repository) -> None:
    with repository.branch("loud", {}, "fp16-overflow") as head:
        played = mac.play(repository.folder, "pull_request", open_pull(mac, 7, head, repository.base))

    assert played.exit_code == 1, played.log
    assert steps(played, "Open", "Measure", "Report", "Conclude") == [
        "Success",
        "Success",
        "Failure",
        "Success",
    ]
    assert check_of(mac, head)["conclusion"] == "failure"
    body = comment_on(mac, 7)["body"]
    assert "must not merge" in body
    assert "Core ML CPU\\_ONLY" in body
    assert "stand-in" not in body


def test_a_harmless_change_passes_and_is_timed_against_the_base(mac: Machine, repository: Repository) -> None:
    source = (repository.folder / "models" / "keywords.py").read_text()
    with repository.branch("note", {"models/keywords.py": f"{source}\n# A note.\n"}) as head:
        played = mac.play(repository.folder, "pull_request", open_pull(mac, 8, head, repository.base))

    assert played.exit_code == 0, played.log
    assert check_of(mac, head)["conclusion"] == "success"
    assert mac.outputs()["verdict"] == "pass"


def test_nothing_was_sent_that_github_does_not_describe(mac: Machine) -> None:
    assert mac.server.github.violations == []
