"""What the action and the image install by hash: all of it, at the pins of constraints.txt."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINNED = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
JOBS = ("measure", "report")


def pins(job: str) -> list[str]:
    """What the gate needs, by its installed dependencies and constraints.txt."""
    command = [sys.executable, ROOT / ".ci/pins.py", job]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def locked(job: str) -> dict[str, list[str]]:
    """Each requirement of a lock with its hashes."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "locks" / f"{job}.txt").read_text(encoding="utf-8").splitlines():
        if "==" in line:
            name, _, marker = line.removesuffix(" \\").partition(" ; ")
            requirement = f"{name}; {marker}".replace("'", '"') if marker else name
            found[requirement] = []
        elif "--hash=" in line:
            found[requirement] += re.findall(r"--hash=sha256:([0-9a-f]{64})(?: \\)?$", line)
    return found


@pytest.mark.skipif(
    f"torch=={version('torch').partition('+')[0]}" not in PINNED,
    reason="the locks are of the torch of constraints.txt",
)
@pytest.mark.parametrize("job", JOBS)
def test_a_lock_has_every_package_at_its_pin_and_by_hash(job: str) -> None:
    lock = locked(job)
    assert list(lock) == pins(job), "renew it: make locks"
    assert [requirement for requirement, hashes in lock.items() if not hashes] == []


def test_a_job_that_only_reports_installs_nothing_that_runs_models() -> None:
    measure, report = set(locked("measure")), set(locked("report"))
    assert report < measure
    missing = {requirement.partition("==")[0] for requirement in measure - report}
    assert missing >= {"torch", "coremltools"}


def test_torch_for_linux_is_pinned_and_comes_from_its_own_index() -> None:
    (torch,) = [requirement for requirement in locked("measure") if requirement.startswith("torch==")]
    assert torch.endswith('; sys_platform == "darwin"')
    assert torch.partition(";")[0] in PINNED
