"""Does the gate do on a Mac what only a Mac can be asked for? Whole commands, in the fake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fake_mac.environment import environment_of


def gate(folder: Path, *arguments: str, macos: str = "26.0") -> subprocess.CompletedProcess[str]:
    environment = environment_of(folder, os.environ, macos) | {"COLUMNS": "200"}
    command = [sys.executable, "-m", "coreml_gate", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_the_process_believes_that_it_runs_on_a_mac_and_other_libraries_do_not(tmp_path: Path) -> None:
    code = (
        "import ctypes.util, psutil, subprocess, torch\n"
        "from coreml_gate.engines.machine import describe_machine\n"
        "from coreml_gate.children.process_memory import greatest_held_bytes, held_bytes\n"
        "from coremltools.models.utils import _is_macos, _macos_version\n"
        "print(_is_macos(), _macos_version(), psutil.LINUX, 0 < held_bytes() <= greatest_held_bytes())\n"
        "print(describe_machine())"
    )
    environment = environment_of(tmp_path, os.environ)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    believes, machine = done.stdout.splitlines()
    assert believes == "True (26, 0) True True"
    assert "chip='Apple M1 (Virtual)' model='VirtualMac2,1' system='macOS 26.0 (25A354)'" in machine
    assert "virtual=True thermal_state='fair' low_power=False stand_in=''" in machine


@pytest.mark.slow
def test_the_doctor_examines_core_ml_and_not_what_stands_in_for_it(tmp_path: Path) -> None:
    done = gate(tmp_path, "doctor", "--units", "CPU_ONLY", "--time-budget-s", "1")
    assert done.returncode == 0, done.stdout
    rows = done.stdout
    assert "ok       system: macOS 26.0 on arm64" in rows
    assert "ok       native module: " in rows
    for package in ("convolution", "state", "functions"):
        assert f"ok       {package} on CPU_ONLY: Core ML: " in rows
    assert "ok       compute plan: 4 on NE; with costs" in rows
    assert "stand-in" not in rows
    assert [row for row in rows.splitlines() if row.startswith("unknown  ") and "timing:" not in row] == []


@pytest.mark.slow
def test_the_doctor_excuses_a_macos_that_is_too_old_for_states(tmp_path: Path) -> None:
    done = gate(tmp_path, "doctor", "--units", "CPU_ONLY", "--time-budget-s", "1", macos="14.5")
    assert done.returncode == 0, done.stdout
    assert "unknown  state: needs macOS 15.0, this is macOS 14.5 (25A354)." in done.stdout
    assert "ok       convolution on CPU_ONLY: " in done.stdout


def test_a_phone_at_rest_is_listed_and_neither_simulators_nor_other_devices_are(tmp_path: Path) -> None:
    done = gate(tmp_path, "device", "--list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "iPhone 12 mini (iPhone13,1, iOS 17.3 (21D50))\n"
    assert (tmp_path / "awake").exists()


def test_rehearsing_is_refused_where_core_ml_is(tmp_path: Path) -> None:
    done = gate(tmp_path, "run", "--core-ml", "stand-in")
    assert done.returncode == 2
    assert "this is a Mac" in done.stderr
