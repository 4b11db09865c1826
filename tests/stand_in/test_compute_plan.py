"""Has the made-up compute plan the form of Core ML's: nil for constants, devices, costs, one function?"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it
from coremltools.models.compute_device import (
    MLComputeDevice,
    MLCPUComputeDevice,
    MLGPUComputeDevice,
    MLNeuralEngineComputeDevice,
)
from coremltools.models.compute_plan import MLComputePlan, MLModelStructure

from coreml_gate.engines.compute_plan import read_plan
from tests.warm import forked

Build = Callable[..., Any]


@pytest.fixture(scope="module")
def compiled(convert: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One operation that documents rule out on the Neural Engine, between two that they do not."""

    def body(x: Any) -> Any:
        return mb.relu(x=mb.gather(x=mb.relu(x=x, name="before"), indices=np.int32([0, 2]), axis=0), name="y")

    folder = tmp_path_factory.mktemp("plan")
    convert(body, (4, 8), skip_model_load=True).save(str(folder / "net.mlpackage"))
    return Path(ct.utils.compile_model(str(folder / "net.mlpackage"), str(folder / "net.mlmodelc")))


@pytest.mark.parametrize(
    ("units", "devices"),
    [
        ("ALL", {"NE": 4, "GPU": 1}),
        ("CPU_AND_NE", {"NE": 4, "CPU": 1}),
        ("CPU_AND_GPU", {"GPU": 5}),
        ("CPU_ONLY", {"CPU": 5}),
    ],
)
def test_the_engine_reads_devices_and_costs_as_from_core_ml(
    compiled: Path, units: Any, devices: dict[str, int]
) -> None:
    placement = read_plan(compiled, units)
    assert placement.devices == devices
    assert placement.cost is not None
    assert sum(placement.cost.values()) == pytest.approx(1)


def test_constants_are_operations_without_a_device(compiled: Path) -> None:
    plan = MLComputePlan.load_from_path(str(compiled))
    program = plan.model_structure.program
    assert program is not None
    operations = program.functions["main"].block.operations
    usage = {
        each.operator_name: plan.get_compute_device_usage_for_mlprogram_operation(each) for each in operations
    }
    assert usage["const"] is None
    assert isinstance(usage["ios18.relu"].preferred_compute_device, MLNeuralEngineComputeDevice)
    assert [type(each) for each in usage["ios18.gather"].supported_compute_devices] == [
        MLCPUComputeDevice,
        MLGPUComputeDevice,
    ]


def test_operations_of_another_structure_are_nil(compiled: Path) -> None:
    plan = MLComputePlan.load_from_path(str(compiled))
    structure = MLModelStructure.load_from_path(str(compiled))
    assert structure.program is not None
    for operation in structure.program.functions["main"].block.operations:
        assert plan.get_compute_device_usage_for_mlprogram_operation(operation) is None
        assert plan.get_estimated_cost_for_mlprogram_operation(operation) is None


def test_what_the_script_leaves_open_is_nil_as_on_a_virtual_machine(
    compiled: Path, script: Callable[..., None]
) -> None:
    script(devices=("CPU",), nil_types=("gather",), costs=False)
    placement = read_plan(compiled, "ALL")
    assert placement.devices == {"CPU": 4, "unknown": 1}
    assert placement.cost is None
    assert [type(each) for each in MLComputeDevice.get_all_compute_devices()] == [MLCPUComputeDevice]


def test_a_macos_that_is_too_old_says_so(compiled: Path, script: Callable[..., None]) -> None:
    script(macos=(14, 3))
    with pytest.raises(RuntimeError, match=r"^MLComputePlan is only available on macOS >= 14\.4$"):
        read_plan(compiled, "ALL")


def test_the_plan_of_a_package_aborts_the_process(compiled: Path, tmp_path: Path) -> None:
    """apple/coremltools#2757."""
    code = (
        "from coreml_gate import stand_in; stand_in.install(force=True); "
        "from coremltools.models.compute_plan import MLComputePlan; "
        f"MLComputePlan.load_from_path({str(compiled.with_suffix('.mlpackage'))!r})"
    )
    assert forked(code, tmp_path)[0] == -6
