"""Do our scripts and the Makefile run on bash 3.2 and GNU make 3.81 themselves, and do the same as today's?

Where ``make test-old-tools`` has not built both, the scripts run on today's bash alone; test_old_tools.py
then finds what the old ones lack.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.fake_mac.old_tools import BUILT
from tests.fake_mac.test_old_tools import ROOT, SCRIPTS

OLD_BASH: Final = BUILT / "bash"
OLD_MAKE: Final = BUILT / "make"
BUILD: Final = "not built here: `make test-old-tools` does it"
needs_bash: Final = pytest.mark.skipif(not OLD_BASH.exists(), reason=f"bash 3.2 is {BUILD}")
needs_make: Final = pytest.mark.skipif(not OLD_MAKE.exists(), reason=f"GNU make 3.81 is {BUILD}")
STEPS: Final = {
    re.sub(r".*/(\S+\.sh).*", r"\1", step["run"]): step["env"]
    for step in yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    if "run" in step
}
SWITCHES: Final = {"ANNOTATIONS", "SUGGESTIONS", "SUMMARY", "COMPARE_RELEASE", "REBUILD_BASE"}
PRINTS: Final = """#!/bin/sh
echo "folder=$RUNNER_TEMP"
printf '[%s]\\n' "$@"
"""
"""In the place of every Python: its arguments, after the one line that a step reads of it."""


def blocks_of_mac_jobs() -> Iterator[tuple[str, str]]:
    """Every ``run:`` block that a Mac's shell may be given, by its place."""
    for path in sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("examples/workflows/*.yml")]):
        for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
            for number, step in enumerate(job.get("steps", [])):
                if "run" in step:
                    yield f"{path.name} {name} {number}", step["run"]


@pytest.fixture
def world(tmp_path: Path) -> dict[str, str]:
    """A runner's variables and a Python that prints what it is given."""
    for place in ("venv/bin/python", "bin/python3", "requirements-venv/bin/python"):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(PRINTS)
        file.chmod(0o755)
    (tmp_path / "venv/lib/python3.12/site-packages").mkdir(parents=True)
    return {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "RUNNER_TEMP": str(tmp_path),
        "RUNNER_OS": "macOS",
        "RUNNER_ARCH": "ARM64",
    }


def environment_of_step(world: dict[str, str], step: dict[str, Any], *, filled: bool) -> dict[str, str]:
    """Every input of a step: a word with a blank or, where a user gives none, nothing."""
    folder = Path(world["RUNNER_TEMP"])
    given = {name: f"{name.lower()} {name.lower()}" if filled else "" for name in step}
    places = {
        "VENV": str(folder / "venv"),
        "PYTHON": str(folder / "bin/python3"),
        "FOLDER": str(folder),
        "REQUIREMENTS_VENV": str(folder / "requirements-venv"),
        "REQUIREMENTS": "",
        "CACHE_KEY": "key",
    }
    switches = dict.fromkeys(SWITCHES, "true" if filled else "false")
    return {
        **given,
        **{name: {**places, **switches}.get(name, value) for name, value in given.items()},
        **world,
    }


def outcome(bash: str, script: str, environment: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, what was printed, and the outputs of a step."""
    output = Path(environment["GITHUB_OUTPUT"])
    output.write_text("")
    (output.parent / "venv/coreml-gate.key").unlink(missing_ok=True)  # of the step before, which installed
    done = subprocess.run(
        [bash, "--noprofile", "--norc", "-eo", "pipefail", str(ROOT / "action" / script)],
        env=environment,
        cwd=environment["RUNNER_TEMP"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, output.read_text()


@pytest.mark.parametrize("filled", [True, False], ids=["every input", "no input"])
@pytest.mark.parametrize("script", STEPS)
def test_a_step_starts_its_command_with_every_input_and_with_none(
    script: str, filled: bool, world: dict[str, str]
) -> None:
    environment = environment_of_step(world, STEPS[script], filled=filled)
    code, printed, outputs = outcome("bash", script, environment)
    assert code == 0, printed
    assert "unbound" not in printed
    started = [line[1:-1] for line in printed.splitlines() if line.startswith("[")]
    if script not in {"prepare.sh", "install.sh"}:
        assert started[0] in {"-P", "-I"}
        assert "" not in started or script in {"collect.sh", "measure.sh", "requirements.sh"}  # no other user
    if script == "prepare.sh":
        assert f"folder={environment['RUNNER_TEMP']}\n" in outputs


@needs_bash
@pytest.mark.parametrize("filled", [True, False], ids=["every input", "no input"])
@pytest.mark.parametrize("script", STEPS)
def test_a_step_does_the_same_on_bash_3_2(script: str, filled: bool, world: dict[str, str]) -> None:
    environment = environment_of_step(world, STEPS[script], filled=filled)
    assert outcome(str(OLD_BASH), script, environment) == outcome("bash", script, environment)


@needs_bash
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_bash_3_2_reads_a_script(script: Path) -> None:
    done = subprocess.run([str(OLD_BASH), "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs_bash
@pytest.mark.parametrize(("place", "block"), list(blocks_of_mac_jobs()), ids=lambda value: value[:40])
def test_bash_3_2_reads_a_block_of_a_workflow(place: str, block: str) -> None:
    done = subprocess.run([str(OLD_BASH), "-n"], input=block, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), place


@needs_bash
def test_it_is_bash_3_2_and_refuses_what_came_later() -> None:
    def result(code: str) -> int:
        return subprocess.run([str(OLD_BASH), "-uc", code], capture_output=True, check=False).returncode

    assert result("[[ ${BASH_VERSINFO[0]}.${BASH_VERSINFO[1]} == 3.2 ]]") == 0
    for newer in (
        "declare -A seen",
        "name=A; echo ${name,,}",
        "mapfile -t a </dev/null",
        'a=(); echo "${a[@]}"',
    ):
        assert result(newer) != 0, newer


def targets() -> list[str]:
    return re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@needs_make
@pytest.mark.parametrize("target", targets())
def test_make_3_81_runs_the_same_commands_for_a_target(target: str) -> None:
    def commands(make: str) -> list[list[str]]:
        done = subprocess.run(
            [make, "-n", "--no-print-directory", target], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return [words for line in done.stdout.splitlines() if (words := line.split())]

    version = subprocess.run([str(OLD_MAKE), "--version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("GNU Make 3.81\n")
    assert commands(str(OLD_MAKE)) == commands("make")
