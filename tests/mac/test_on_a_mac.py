"""What only a Mac can verify: everything that ``coreml-gate doctor`` tries, as tests (``make test-mac``)."""

import os
import subprocess
import sys
from importlib.metadata import version
from typing import Final

import pytest

from coreml_gate.children.process import ProcessLimits
from coreml_gate.children.process_memory import greatest_held_bytes, held_bytes
from coreml_gate.doctor.answer import Probe, Subject
from coreml_gate.doctor.command import examine
from coreml_gate.engines.machine import power_state
from coreml_gate.worker.core_ml import units_to_run
from coreml_gate.worker.supervisor import Supervisor

pytestmark = [
    pytest.mark.mac,
    pytest.mark.skipif(sys.platform != "darwin", reason="needs Core ML: this is not a Mac"),
]
UNITS: Final = units_to_run("ALL", None, os.environ)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Probe]:
    subject = Subject(
        folder=tmp_path_factory.mktemp("doctor"),
        supervisor=Supervisor(dict(os.environ), ProcessLimits(300)),
        is_mac=True,
        units=UNITS,
        versions={name: version(name) for name in ("coremltools", "torch", "numpy")},
    )
    return {answer.what: answer for answer in examine(subject)}


@pytest.mark.parametrize(
    "what",
    [
        "python",
        "versions",
        "native module",
        "machine",
        "conversion",
        "child that must hang",
        "child that must abort",
    ],
)
def test_what_every_mac_has_to_do(answers: dict[str, Probe], what: str) -> None:
    assert answers[what].outcome == "ok", answers[what]


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("package", ["convolution", "state", "functions"])
def test_a_model_with_a_known_answer_gives_it(answers: dict[str, Probe], package: str, units: str) -> None:
    found = answers[f"{package} on {units}"]
    assert found.outcome == "ok" or (found.outcome == "unknown" and units != "CPU_ONLY"), found


@pytest.mark.parametrize("what", ["compute plan", "timing"])
def test_what_a_machine_may_leave_open_but_must_not_get_wrong(answers: dict[str, Probe], what: str) -> None:
    assert answers[what].outcome != "not ok", answers[what]


def test_the_thermal_and_power_state_can_be_read() -> None:
    thermal, low_power = power_state()
    assert thermal in {"nominal", "fair", "serious", "critical"}
    assert low_power in {True, False}


def test_the_footprint_grows_with_what_is_held() -> None:
    before = held_bytes()
    block = bytearray(os.urandom(1) * (64 * 2**20))
    assert held_bytes() >= before + 60 * 2**20
    del block
    assert greatest_held_bytes() >= before + 60 * 2**20


def test_the_stand_in_stays_out_of_the_way() -> None:
    """In a process of its own: in this one coremltools has no native half (tests/conftest.py)."""
    code = "from coreml_gate import stand_in; print(stand_in.install(), stand_in.is_installed())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
