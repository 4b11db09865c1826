"""A run that is told to stop: its exit code, what it leaves of the models, and that nothing else is left."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coreml_gate.children.events import NOTHING, Events
from coreml_gate.children.job import ModelJob
from coreml_gate.config import Config, GateOptions
from coreml_gate.gate import collect as module
from coreml_gate.gate.collect import RunContext, Tree, collect
from coreml_gate.gate.scratch import LONGEST, for_temporary_files, scratch
from coreml_gate.gate.stopped import judged_so_far
from coreml_gate.interruption import Interrupted
from coreml_gate.record import Record, read_record
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.report.progress import LogProgress
from coreml_gate.verdict import Status
from coreml_gate.worker.models import measure_with_variants
from coreml_gate.worker.supervisor import InterruptedChild, Report, Supervisor
from tests.builders import conversion, model_config, source
from tests.children.test_keeper import runs
from tests.gate.conftest import Folder

pytestmark = pytest.mark.attack("the end of the gate")
NAMES = ("first", "second", "third")
CONFIG = Config(model=tuple(model_config(name=name) for name in NAMES))
SLEEPING = """
import os, time
from pathlib import Path

Path(__file__).with_suffix(".child").write_text(str(os.getpid()))
time.sleep(600)
"""
SOURCES = ("net", "other")
TOML = "[gate]\njobs = 2\n" + "".join(
    f'[[model]]\nname = "{name}"\nsource = "{name}.py:build"\n' for name in SOURCES
)


class StoppedInTheSecond:
    """In the place of a supervisor whose gate is told to stop while the second model is converted."""

    def run(self, job: ModelJob) -> Report:
        parts = NOTHING.having(source()).having(conversion())
        if job.model.name == "second":
            raise InterruptedChild(143, Events("convert", NOTHING.having(source())))
        return Report(Events("measure", parts, finished=True), None)


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    def measure(job: ModelJob, variants: tuple[()], _: Supervisor) -> object:
        return measure_with_variants(job, variants, StoppedInTheSecond())  # type: ignore[arg-type]

    monkeypatch.setattr(module, "measure_with_variants", measure)
    context = RunContext(
        None, {}, lambda: datetime(2025, 1, 2, tzinfo=UTC), LogProgress(lambda _: None, groups=False)
    )
    tree = Tree("head", tmp_path, None)
    with pytest.raises(Interrupted) as raised:
        collect(tree, CONFIG.model, (), GateOptions(jobs=1), tmp_path, context)
    assert raised.value.exit_code == 143
    return read_record(tmp_path / "record.json")


def test_what_was_measured_stays_and_the_rest_says_why_not(stopped: Record) -> None:
    first, second, third = stopped.models
    assert (first.problem, first.conversion) == (None, conversion())
    assert second.source == source()
    for model in (second, third):
        assert model.problem is not None
        assert (model.problem.kind, model.problem.exit_code) == ("interrupted", 143)
    assert second.problem is not None
    assert second.problem.message == (
        "model `second`: the run was interrupted (SIGTERM) before it was measured in full."
    )


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_every_report_says_that_it_is_not_all(stopped: Record, tmp_path: Path, form: str) -> None:
    del stopped
    verdict = judged_so_far(CONFIG, tmp_path, Interrupted(143))
    assert (verdict.verdict, verdict.exit_code) == (Status.FAIL, 143)
    text = FORMATS[form](verdict, ReportOptions())
    assert "the run was interrupted: not everything was measured" in text
    assert "may merge" not in text


def test_without_a_record_there_is_a_verdict_all_the_same(tmp_path: Path) -> None:
    verdict = judged_so_far(CONFIG, tmp_path, Interrupted())
    assert (verdict.verdict, verdict.exit_code, verdict.models) == (Status.FAIL, 130, ())


@pytest.fixture
def running(tmp_path: Path) -> Callable[..., tuple[int, Path]]:
    """Starts the gate, signals it when its children run both sources, and gives its exit code."""
    for name in SOURCES:
        (tmp_path / f"{name}.py").write_text(SLEEPING)
    (tmp_path / "coreml-gate.toml").write_text(TOML)

    def run(*numbers: int, command: str = "run") -> tuple[int, Path]:
        gate = subprocess.Popen([sys.executable, "-m", "coreml_gate", command], cwd=tmp_path)
        try:
            until = time.monotonic() + 600
            while len(children_in(tmp_path)) < len(SOURCES) and time.monotonic() < until:
                time.sleep(0.05)
            for number in numbers:
                gate.send_signal(number)
                time.sleep(0.05)
            return gate.wait(timeout=600), tmp_path / ".coreml-gate"
        finally:
            gate.kill()

    return run


def children_in(folder: Path) -> list[int]:
    return [int(text) for each in folder.glob("*.child") if (text := each.read_text())]


def child_of(output: Path) -> bool:
    children = children_in(output.parent)
    assert len(children) == len(SOURCES)
    return any(map(runs, children))


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        ((signal.SIGTERM,), 143),
        pytest.param((signal.SIGINT, signal.SIGTERM, signal.SIGINT), 130, marks=pytest.mark.slow),
        pytest.param((signal.SIGHUP,), 129, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_the_run_and_its_children_and_leaves_record_and_report(
    running: Callable[..., tuple[int, Path]], numbers: tuple[int, ...], code: int
) -> None:
    ended, output = running(*numbers)
    assert ended == code
    assert not child_of(output)
    report = json.loads((output / "report.json").read_text())
    assert report["exit_code"] == code
    for model in read_record(output / "record.json").models:
        assert model.problem is not None
        assert model.problem.exit_code == code
    assert "the run was interrupted" in (output / "comment.md").read_text()
    assert not (output / "tmp").exists()


@pytest.mark.slow
def test_a_gate_that_is_killed_leaves_no_process_and_the_next_one_removes_its_files(
    running: Callable[..., tuple[int, Path]],
) -> None:
    ended, output = running(signal.SIGKILL)
    assert ended == -signal.SIGKILL
    until = time.monotonic() + 200
    while child_of(output) and time.monotonic() < until:
        time.sleep(0.1)
    assert not child_of(output)
    assert (output / "tmp").exists()
    for name in SOURCES:
        (output.parent / f"{name}.child").unlink()
    running(signal.SIGTERM, command="collect")
    assert not (output / "tmp").exists()


def test_what_a_killed_run_left_is_removed_from_disk_and_from_git(folder: Folder, tmp_path: Path) -> None:
    commit = folder.commit({"a.py": "1"})
    output = tmp_path / "output"
    folder.git("worktree", "add", "--detach", str(output / "tmp" / "tree"), commit)
    (output / "tmp" / "left.txt").write_text("half a package")
    with scratch(output, folder.repository) as place:
        assert place == output / "tmp"
        assert list(place.iterdir()) == []
        assert len(folder.git("worktree", "list").splitlines()) == 1
    assert not (output / "tmp").exists()


def test_a_folder_whose_path_is_too_long_for_sockets_is_not_for_temporary_files() -> None:
    short = Path("/work/repository/.coreml-gate/tmp")
    assert for_temporary_files(short) == short
    assert for_temporary_files(Path("/x") / ("a" * LONGEST)) != Path("/x") / ("a" * LONGEST)
