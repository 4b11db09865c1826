"""What happens to Core ML's children: they answer, differ, hang, abort, are killed, print garbage."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from coreml_gate.children.job import DescribedPackage, PackageJob
from coreml_gate.children.process import Hooks
from coreml_gate.children.reference_data import reference_beside
from coreml_gate.figures import byte_unit
from coreml_gate.measurements.trial_programs import write_trial_packages
from coreml_gate.record import ComputeUnits, CoreMlRun
from coreml_gate.stand_in.script import VARIABLE
from coreml_gate.worker.core_ml import engine_refused, lack_of_room, plan_of, predict_on, units_to_run
from tests.children.clock import Clock
from tests.warm import ENVIRONMENT, command_of
from tests.worker.core_ml_case import around, build, expect

MISBEHAVING = """
import ctypes, os, signal, sys, time
import numpy as np
from coreml_gate.engines import coreml
from coreml_gate.stand_in import native
from coreml_gate.children.job import read_job
from coreml_gate.worker import child
from pathlib import Path

job = read_job(Path(sys.argv[1]))
real = native.ModelProxy.predict

def misbehave(self, inputs, state=None, *_):
    {body}

if job.units == "ALL":
    native.ModelProxy.{method} = misbehave
child.main(Path(sys.argv[1]))
"""


class DiskUsage(NamedTuple):
    """As :func:`shutil.disk_usage` returns it."""

    total: int
    used: int
    free: int


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> DescribedPackage:
    return build(tmp_path_factory.mktemp("package"))


def run(
    package: DescribedPackage,
    tmp_path: Path,
    body: str,
    units: tuple[ComputeUnits, ...] = ("ALL",),
    **options: Any,
) -> tuple[CoreMlRun, ...]:
    """ALL misbehaves in the way of ``body``; every other choice of hardware behaves."""
    child = tmp_path / "child.py"
    method = options.pop("method", "predict")
    child.write_text(MISBEHAVING.format(body=body, method=method))
    environment = options.pop("environment", None)
    children = around(child=command_of(child), **options)
    children = children if environment is None else replace(children, environment=environment)
    return predict_on(package, expect(tmp_path / "expected.npz"), units, tmp_path / "runs", children)


def test_a_sound_model_is_equal_to_everybody(package: DescribedPackage, tmp_path: Path) -> None:
    first, second = predict_on(
        package, expect(tmp_path / "expected.npz"), ("CPU_ONLY", "ALL"), tmp_path, around()
    )
    assert first.ending is None
    for group in (first.against_source, first.against_runtime, first.repeated, second.against_units):
        assert [(item.output, item.sample, item.max_abs_error) for item in group] == [
            ("scores", 0, 0),
            ("scores", 1, 0),
        ]
    assert first.against_units == ()
    assert None not in {first.compile_ms, first.load_ms, first.first_predict_ms, first.peak_bytes}


def test_without_room_for_its_copies_core_ml_is_not_started_and_the_room_is_named(
    package: DescribedPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Base and head of one size: two packages compiled and three caches are five sizes."""
    size = sum(file.stat().st_size for file in package.path.rglob("*") if file.is_file())
    job = PackageJob(
        only=("core-ml-timing",), folder=tmp_path, package=package, base=package, units="ALL", stand_in=True
    )
    assert lack_of_room(job, 5 * size) is None
    needed, free = byte_unit((size,)).show(5 * size), byte_unit((size,)).show(size)
    assert lack_of_room(job, size) == (
        f"{needed} of free disk are needed for double.mlpackage compiled and in Core ML's caches, "
        f"{free} are free: free some"
    )
    assert lack_of_room(job, 5 * size - 1) is not None
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(10**9, 10**9, 0))
    (run,) = predict_on(package, expect(tmp_path / "expected.npz"), ("ALL",), tmp_path, around())
    assert run.ending is not None
    assert (run.ending.how, run.ending.phase) == ("failed", "start")
    assert "0.000 kB are free: free some" in run.ending.clause()


@pytest.mark.parametrize("body", ["return real(self, inputs, state)", "os.abort()"])
def test_nothing_that_core_ml_wrote_outlives_its_child(
    package: DescribedPackage, tmp_path: Path, body: str
) -> None:
    """Compiled models and caches: neither in the job's folder nor in the user's home."""
    script, home = tmp_path / "script.json", tmp_path / "home"
    script.write_text(f'{{"home": "{home}"}}')
    run(package, tmp_path, body, environment={**ENVIRONMENT, VARIABLE: str(script)})
    left = [path for path in (tmp_path / "runs").rglob("*") if path.is_dir()]
    assert [path.name for path in left] == ["ALL"]
    assert not home.exists()


def test_a_package_that_differs_is_told_with_both_values(package: DescribedPackage, tmp_path: Path) -> None:
    (only,) = predict_on(package, expect(tmp_path / "expected.npz", 3.0), ("CPU_ONLY",), tmp_path, around())
    place = only.against_source[0].max_abs_place
    assert place is not None
    assert (place.reference, place.candidate) == (12.0, 8.0)


def test_a_child_that_aborts_takes_no_other_with_it(package: DescribedPackage, tmp_path: Path) -> None:
    body = "print('last words', flush=True); os.abort()"
    before, ended, after = run(package, tmp_path, body, ("CPU_ONLY", "ALL", "CPU_AND_GPU"))
    assert ended.ending is not None
    assert (ended.ending.how, ended.ending.phase) == ("crashed", "predict")
    assert ended.ending.message == "killed by signal 6 (SIGABRT)"
    assert "last words" in ended.ending.log_tail
    assert ended.load_ms is not None
    assert ended.against_source == ()
    assert before.ending is None
    assert after.ending is None
    assert len(after.against_units) == 2


@pytest.mark.parametrize(
    ("body", "how", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "out-of-memory", "killed by signal 9 (SIGKILL)"),
        ("os.kill(os.getpid(), signal.SIGFPE)", "crashed", "killed by signal 8 (SIGFPE)"),
        ("raise RuntimeError('Error in declaring network.')", "failed", "Error in declaring network."),
        ("return {'other': np.zeros(4)}", "failed", "gave no output `y`, only 'other'"),
    ],
)
def test_a_child_that_ends_early_is_a_value(
    package: DescribedPackage, tmp_path: Path, body: str, how: str, message: str
) -> None:
    (ended,) = run(package, tmp_path, body)
    assert ended.ending is not None
    assert (ended.ending.how, ended.ending.phase) == (how, "predict")
    assert message in ended.ending.message


def test_a_child_that_hangs_while_loading_is_ended_at_its_deadline(
    package: DescribedPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Hooks(step=Clock(monkeypatch).at("ALL: load"))
    (hung,) = run(package, tmp_path, "time.sleep(600)", step_s=40, method="__init__", hooks=hooks)
    assert hung.ending is not None
    assert (hung.ending.how, hung.ending.phase) == ("timed-out", "load")
    assert "40 s" in hung.ending.message


GARBAGE = """os.write(1, bytes(range(256)))
    os.write(2, b'{"step": "load"}\\n')
    return real(self, inputs, state)"""


def test_garbage_on_every_channel_changes_no_answer(package: DescribedPackage, tmp_path: Path) -> None:
    (noisy,) = run(package, tmp_path, GARBAGE)
    assert noisy.ending is None
    assert noisy.against_source[1].max_abs_error == 0


def test_nan_is_counted_and_never_enters_the_record_as_a_number(
    package: DescribedPackage, tmp_path: Path
) -> None:
    (nan,) = run(package, tmp_path, "return {'y': np.full(4, np.nan, np.float32)}")
    assert nan.ending is None
    assert [item.nonfinite_mismatches for item in nan.against_source] == [4, 4]
    assert [item.nonfinite_mismatches for item in nan.repeated] == [0, 0]
    assert CoreMlRun.model_validate_json(nan.model_dump_json()) == nan


def test_answers_that_change_from_run_to_run_are_measured(package: DescribedPackage, tmp_path: Path) -> None:
    body = "self.n = getattr(self, 'n', 0) + 1; return {'y': real(self, inputs, state)['y'] + self.n}"
    (random,) = run(package, tmp_path, body)
    assert [item.max_abs_error for item in random.repeated] == [2.0, 2.0]


def test_a_state_and_a_function_that_is_not_the_default_one_are_predicted(tmp_path: Path) -> None:
    """The state starts empty at every sample: two equal samples give equal answers."""
    packages = write_trial_packages(tmp_path)
    for name in ("state", "functions"):
        asked = packages[name]
        (only,) = predict_on(asked, reference_beside(asked.path), ("CPU_ONLY",), tmp_path / name, around())
        assert only.ending is None
        assert [item.psnr is None or item.psnr > 70 for item in only.against_source] == [True, True]
        assert [item.max_abs_error for item in only.repeated] == [0, 0]


def test_what_the_neural_engine_refuses_is_known_from_what_core_ml_prints(
    package: DescribedPackage, tmp_path: Path
) -> None:
    """Core ML raises nothing then (apple/coremltools#2758)."""
    script = tmp_path / "script.json"
    script.write_text(
        '{"misbehaviours": [{"phase": "load", "what": "engine-refuses", "units": "CPU_AND_NE"}]}'
    )
    children = around()
    children = replace(children, environment={**children.environment, VARIABLE: str(script)})
    expected = expect(tmp_path / "expected.npz")
    runs = predict_on(package, expected, ("CPU_ONLY", "CPU_AND_NE", "ALL"), tmp_path, children)
    assert [(each.ending, each.engine_refused) for each in runs] == [
        (None, False),
        (None, True),
        (None, False),
    ]


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("Error=_ANECompiler : ANECCompile() FAILED (11)", True),
        ("ANECF error: ANECCompile(/Library/Caches/com.apple.aned/tmp/x/) FAILED: err=(", True),
        ("the compiler of ANE models", False),
    ],
)
def test_the_words_of_a_refusal(tmp_path: Path, said: str, refused: bool) -> None:
    """apple/coremltools#2247, apple/coremltools#1548."""
    (tmp_path / "log.txt").write_text(f"loading\n{said}\n")
    assert engine_refused(tmp_path / "log.txt") is refused
    assert not engine_refused(tmp_path / "no log")


def test_a_plan_that_cannot_be_made_says_why(package: DescribedPackage, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(
        '{"misbehaviours": [{"phase": "plan", "what": "error", "description": "internal failure"}]}'
    )
    children = around()
    children = replace(children, environment={**children.environment, VARIABLE: str(script)})
    placement = plan_of(package, "ALL", tmp_path, children)
    assert placement.devices == {}
    assert placement.ending is not None
    assert (placement.ending.how, placement.ending.phase) == ("failed", "plan")


@pytest.mark.parametrize(
    ("allowed", "wanted", "runner", "expected"),
    [
        ("ALL", None, "github-hosted", ("CPU_ONLY",)),
        ("ALL", None, "self-hosted", ("CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL")),
        ("CPU_AND_NE", None, "", ("CPU_ONLY", "CPU_AND_NE")),
        ("ALL", ("CPU_ONLY", "CPU_AND_GPU"), "github-hosted", ("CPU_ONLY", "CPU_AND_GPU")),
        ("CPU_ONLY", ("ALL",), "", ()),
    ],
)
def test_which_hardware_is_tried(allowed: str, wanted: object, runner: str, expected: object) -> None:
    environment = {"RUNNER_ENVIRONMENT": runner} if runner else {}
    assert units_to_run(allowed, wanted, environment) == expected  # type: ignore[arg-type]
