"""Is a toolchain that cannot work told from one that can?"""

from pathlib import Path
from types import SimpleNamespace

import pytest

from coreml_gate.children.process import ProcessLimits
from coreml_gate.doctor.answer import Subject
from coreml_gate.doctor.toolchain import free_disk, versions
from coreml_gate.measurements.native_module import NEEDED, missing_names
from coreml_gate.stand_in import native
from coreml_gate.worker.supervisor import Supervisor


@pytest.mark.parametrize(
    ("coremltools", "numpy", "outcome"),
    [("9.0", "2.3.5", "ok"), ("9.0", "2.4.0", "not ok"), ("9.1", "2.4.0", "cannot tell")],
)
def test_versions(coremltools: str, numpy: str, outcome: str) -> None:
    installed = {"coremltools": coremltools, "torch": "2.13.0", "numpy": numpy}
    subject = Subject(Path(), Supervisor({}, ProcessLimits(1)), is_mac=True, units=(), versions=installed)
    assert versions(subject).outcome == outcome


def test_a_full_disk_is_told_before_a_compile_fails() -> None:
    assert free_disk(4.9).outcome == "not ok"
    assert free_disk(5.1).outcome == "ok"


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
