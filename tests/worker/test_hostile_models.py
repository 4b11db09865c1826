"""Whatever a model's code does to its process, only what was measured can pass, and the parent goes on."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coreml_gate.children.job import ModelJob
from coreml_gate.children.output_log import HEAD_BYTES, TAIL_BYTES
from coreml_gate.children.process import ProcessLimits
from coreml_gate.record import ModelRecord
from coreml_gate.worker.models import measure_model
from coreml_gate.worker.supervisor import Supervisor
from tests.warm import ENVIRONMENT, WARM

pytestmark = pytest.mark.attack("the model's own code")
NET = """
import atexit, ctypes, json, os, signal, subprocess, sys, threading, time
from pathlib import Path

import torch

FOLDER = Path({folder!r})
{at_import}


class Net(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x)


def build():
    {in_build}
    return Net()


def samples():
    {in_samples}
    return [torch.ones(1, 4)]
"""
Hostile = Callable[..., ModelRecord]
slow = pytest.mark.slow


@pytest.fixture
def measured(job_of: Callable[..., ModelJob], tree: Path) -> Hostile:
    def measure(at_import: str = "", in_build: str = "pass", in_samples: str = "pass") -> ModelRecord:
        job = job_of(adversarial=False)
        text = NET.format(
            folder=str(job.folder), at_import=at_import, in_build=in_build, in_samples=in_samples
        )
        (tree / "models" / "net.py").write_text(text)
        return measure_model(job, Supervisor(ENVIRONMENT, ProcessLimits(600), start=WARM))

    return measure


@pytest.mark.parametrize(
    "how",
    [
        {"at_import": "os._exit(0)"},
        pytest.param({"in_build": "os._exit(0)"}, marks=slow),
        pytest.param({"in_samples": "os._exit(0)"}, marks=slow),
        {"in_build": "ctypes.CDLL(None).exit(0)"},
        pytest.param({"at_import": "sys.stdout.flush(); ctypes.CDLL(None)._exit(0)"}, marks=slow),
        pytest.param(
            {"in_samples": "threading.Thread(target=os._exit, args=(0,)).start(); time.sleep(60)"}, marks=slow
        ),
        pytest.param({"in_build": "os.execv('/bin/true', ['true'])"}, marks=slow),
    ],
)
def test_an_exit_with_code_0_is_a_crash(measured: Hostile, how: dict[str, str]) -> None:
    record = measured(**how)
    assert record.problem is not None
    assert record.problem.exit_code == 5
    assert record.problem.message == (
        "model `net`: the child process crashed while building and running the source "
        "(ended with exit code 0 before its work was done)."
    )
    assert record.package is None


@pytest.mark.parametrize(
    "how",
    [
        {"at_import": "threading.Thread(target=time.sleep, args=(900,)).start()"},
        pytest.param({"at_import": "atexit.register(time.sleep, 900)"}, marks=slow),
        pytest.param({"at_import": "atexit.register(os._exit, 3)"}, marks=slow),
        pytest.param(
            {"at_import": "json.JSONEncoder.default = json.encoder.c_make_encoder = None"}, marks=slow
        ),
        pytest.param(
            {"in_build": "(FOLDER / 'events.jsonl').unlink(); os.mkfifo(FOLDER / 'events.jsonl')"}, marks=slow
        ),
        pytest.param(
            {"in_build": "(FOLDER / 'log.txt').unlink(); os.mkfifo(FOLDER / 'log.txt')"}, marks=slow
        ),
        pytest.param(
            {"in_build": "(FOLDER / 'events.jsonl').unlink(); (FOLDER / 'events.jsonl').mkdir()"}, marks=slow
        ),
        pytest.param({"in_build": "print('x' * 20_000_000)"}, marks=slow),
        pytest.param(
            {"at_import": "sys.setrecursionlimit(10**6); signal.signal(signal.SIGTERM, signal.SIG_IGN)"},
            marks=slow,
        ),
    ],
)
def test_what_does_not_touch_the_measuring_loses_nothing(measured: Hostile, how: dict[str, str]) -> None:
    started = time.monotonic()
    record = measured(**how)
    assert record.problem is None
    assert len(record.parity) == 1
    assert record.diagnosis is not None
    assert time.monotonic() - started < 800


def _report(line: str) -> str:
    return f"file = (FOLDER / 'events.jsonl').open('ab'); file.write({line}); file.close()"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("b'converted\\n'", "Invalid JSON"),
        pytest.param("b'\\xff\\n'", "Invalid JSON", marks=slow),
        pytest.param("b'[]\\n'", "Input should be an object", marks=slow),
        pytest.param('b\'{"step": "dance"}\\n\'', "unknown step", marks=slow),
        pytest.param('b\'{"part": "dance"}\\n\'', "unknown part", marks=slow),
        pytest.param('b\'{"part": "parity", "content": 3}\\n\'', "valid tuple", marks=slow),
    ],
)
def test_a_report_that_is_none_is_a_worker_error_and_what_was_measured_before_stays(
    measured: Hostile, line: str, said: str
) -> None:
    record = measured(
        at_import=f"class Late:\n    def __del__(self): {_report(line)}\nlate = Late()",
        in_samples="global late; del late",
    )
    assert record.problem is not None
    assert record.problem.exit_code == 15
    assert "of its report is not an event: " in record.problem.message
    assert said in record.problem.message


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"in_build": "raise ValueError('\\ud800 half')"}, "ValueError: \\ud800 half"),
        ({"in_build": "raise KeyboardInterrupt"}, "killed by signal 2 (SIGINT)"),
        pytest.param(
            {"in_build": "os.kill(os.getpid(), signal.SIGRTMIN + 6)"}, "signal 40 (SIGRTMIN+6)", marks=slow
        ),
        pytest.param({"in_build": "sys.exit(0)"}, "SystemExit", marks=slow),
        pytest.param({"in_build": "os.closerange(3, 4096)"}, "", marks=slow),
        pytest.param({"in_build": "os.kill(os.getppid(), 9); time.sleep(60)"}, "SIGKILL", marks=slow),
    ],
)
def test_every_other_end_is_a_problem_of_the_source(
    measured: Hostile, how: dict[str, str], said: str
) -> None:
    record = measured(**how)
    assert record.problem is not None
    assert said in record.problem.message


@slow
def test_a_model_that_prints_for_ever_fills_no_disk(
    measured: Hostile, job_of: Callable[..., ModelJob]
) -> None:
    record = measured(in_build="[print('x' * 2**20) for _ in range(300)]")
    assert record.problem is None
    log = job_of().folder / "log.txt"
    assert log.stat().st_size < HEAD_BYTES + TAIL_BYTES + 100
