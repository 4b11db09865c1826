"""Whatever a child does, the parent gets a ModelRecord that says how far it came."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from coreml_gate.children.job import ModelJob
from coreml_gate.children.process import Hooks, ProcessLimits
from coreml_gate.frozen import changed
from coreml_gate.record import ModelRecord
from coreml_gate.starting import start_process
from coreml_gate.worker.models import measure_model
from coreml_gate.worker.supervisor import Supervisor
from tests.warm import ENVIRONMENT, WARM

JobOf = Callable[..., ModelJob]
SUPERVISOR = Supervisor(ENVIRONMENT, ProcessLimits(step_s=600), start=WARM)


def test_a_sound_model_comes_back_measured(job_of: JobOf) -> None:
    steps: list[str] = []

    record = measure_model(job_of(), replace(SUPERVISOR, hooks=Hooks(steps.append)))

    assert record.problem is None
    assert len(record.parity) == 3
    assert steps[-1] == "profile"
    assert [phase.step for phase in record.phases] == ["start", "source", "convert", "measure", "profile"]
    assert all(phase.seconds > 0 for phase in record.phases[1:])


def test_a_fork_measures_what_a_fresh_process_measures(job_of: JobOf, tree: Path) -> None:
    fresh = measure_model(job_of(), replace(SUPERVISOR, start=start_process))
    forked = measure_model(changed(job_of(), record_folder=tree.parent / "forked"), SUPERVISOR)

    assert [phase.step for phase in forked.phases] == [phase.step for phase in fresh.phases]
    assert without_times(forked) == without_times(fresh)


TIMES_AND_MEMORY = {"phases", "seconds", "peak_bytes"}


def without_times(record: ModelRecord) -> object:
    def kept(value: object) -> object:
        if isinstance(value, dict):
            return {name: kept(part) for name, part in value.items() if name not in TIMES_AND_MEMORY}
        return [kept(part) for part in value] if isinstance(value, list) else value

    return kept(record.model_dump(mode="json"))


ABORTING = """
import os, tempfile

def build():
    print("loading the weights into", tempfile.mkdtemp(), flush=True)
    os.abort()
"""


def test_a_source_that_takes_the_process_down_is_a_problem_with_its_last_words_and_leaves_no_file(
    job_of: JobOf, tree: Path, tmp_path: Path
) -> None:
    (tree / "models" / "net.py").write_text(ABORTING)
    temporary_files = tmp_path / "tmp"
    temporary_files.mkdir()
    around = {**ENVIRONMENT, "TMPDIR": str(temporary_files)}

    record = measure_model(job_of(), replace(SUPERVISOR, environment=around))

    assert record.problem is not None
    assert record.problem.message == (
        "model `net`: the child process crashed while building and running the source "
        "(killed by signal 6 (SIGABRT))."
    )
    assert record.problem.exit_code == 5
    assert record.problem.log_tail[-1].startswith(f"loading the weights into {temporary_files}/")
    assert [*temporary_files.iterdir()] == []


@pytest.mark.parametrize(
    ("act", "status", "words"),
    [
        pytest.param(
            "time.sleep(600)",
            "timed-out",
            "timed out and was killed while converting (still running after 30 s)",
            marks=pytest.mark.slow,
        ),
        (
            "os.kill(os.getpid(), signal.SIGSEGV)",
            "crashed",
            "crashed while converting (killed by signal 11 (SIGSEGV))",
        ),
    ],
)
def test_a_conversion_that_never_returns_is_a_failed_conversion(
    job_of: JobOf, tree: Path, act: str, status: str, words: str
) -> None:
    (tree / "models" / "net.py").write_text(
        f"""
import os, signal, time
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            {act}
        return x + 1

def build():
    return Net()

def samples():
    return [torch.zeros(1, 4)]
"""
    )

    limits = ProcessLimits(step_s=30 if status == "timed-out" else 600)
    record = measure_model(job_of(), replace(SUPERVISOR, limits=limits))

    assert record.problem is None
    assert record.conversion is not None
    assert record.conversion.status == status
    assert words in record.conversion.message
    assert record.source is not None
