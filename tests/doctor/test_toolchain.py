"""Is a toolchain that cannot work told from one that can?"""

from pathlib import Path
from types import SimpleNamespace

import pytest

from coreml_gate.children.process import ProcessLimits
from coreml_gate.doctor.answer import Subject
from coreml_gate.doctor.toolchain import free_disk, system, versions
from coreml_gate.measurements.native_module import NEEDED, missing_names
from coreml_gate.stand_in import native
from coreml_gate.worker.supervisor import Supervisor


@pytest.mark.parametrize(
    ("coremltools", "numpy", "outcome"),
    [("9.0", "2.3.5", "ok"), ("9.0", "2.4.0", "not ok"), ("9.1", "2.4.0", "unknown")],
)
def test_versions(coremltools: str, numpy: str, outcome: str) -> None:
    installed = {"coremltools": coremltools, "torch": "2.13.0", "numpy": numpy}
    subject = Subject(Path(), Supervisor({}, ProcessLimits(1)), is_mac=True, units=(), versions=installed)
    assert versions(subject).outcome == outcome


@pytest.mark.parametrize(
    ("macos", "processor", "outcome", "words"),
    [
        ("15.5", "arm64", "ok", "macOS 15.5 on arm64"),
        ("26.0.1", "arm64", "ok", "macOS 26.0.1 on arm64"),
        ("14.5", "arm64", "ok", "too old for: state, functions"),
        ("14.3", "arm64", "ok", "too old for: state, functions, compute plan"),
        ("13.6", "arm64", "not ok", "torch's wheel needs macOS 14"),
        ("15.5", "x86_64", "not ok", "torch has no wheel for it"),
    ],
)
def test_the_oldest_macos_and_what_each_is_too_old_for(
    macos: str, processor: str, outcome: str, words: str
) -> None:
    subject = Subject(Path(), Supervisor({}, ProcessLimits(1)), is_mac=True, units=(), versions={})
    answer = system(subject, macos, processor)
    assert answer.outcome == outcome
    assert words in answer.text


def test_room_is_counted_in_copies_of_a_package() -> None:
    full = free_disk(3.4)
    assert (full.outcome, "7 copies of a package of 0.5 GB" in full.text) == ("not ok", True)
    assert free_disk(3.6).outcome == "ok"
    assert "packages of up to 2 GB" in free_disk(14).text


def test_a_native_module_without_a_name_is_told_by_the_name() -> None:
    model = SimpleNamespace(predict=1, newState=1, compileModel=1)
    plan = SimpleNamespace(**dict.fromkeys(NEEDED["_MLComputePlanProxy"], 1))
    devices = {name: 1 for name, methods in NEEDED.items() if not methods}
    module = SimpleNamespace(_MLModelProxy=model, **devices)
    assert missing_names(module) == ("_MLComputePlanProxy", "_MLModelProxy.get_compute_plan")
    assert missing_names(SimpleNamespace(**vars(module), _MLComputePlanProxy=plan)) == (
        "_MLModelProxy.get_compute_plan",
    )


def test_the_stand_in_has_every_name() -> None:
    assert missing_names(native.native_module("libcoremlpython", "fp16", None)) == ()
