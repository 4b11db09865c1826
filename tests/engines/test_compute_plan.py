"""What does a compute plan say, and what does it leave open? On objects of coremltools' own classes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from coremltools.models import compute_plan as of_coremltools
from coremltools.models.compute_device import (
    MLComputeDevice,
    MLCPUComputeDevice,
    MLGPUComputeDevice,
    MLNeuralEngineComputeDevice,
)

from coreml_gate.engines import compute_plan
from coreml_gate.engines.compute_plan import read_plan
from coreml_gate.errors import PackageError
from coreml_gate.record import Placement

DEVICES: dict[str, type[MLComputeDevice]] = {
    "CPU": MLCPUComputeDevice,
    "GPU": MLGPUComputeDevice,
    "NE": MLNeuralEngineComputeDevice,
}


def operation(name: str, type_: str, device: str, cost: float | None = None, blocks: Any = ()) -> Any:
    return SimpleNamespace(
        operator_name=type_, outputs=[SimpleNamespace(name=name)], blocks=blocks, device=device, cost=cost
    )


def block(*operations: Any) -> Any:
    return SimpleNamespace(operations=list(operations))


class Plan:
    """What ``MLComputePlan`` answers about such operations; a device that is not there is nil."""

    def __init__(self, program: Any) -> None:
        self.model_structure = SimpleNamespace(program=program)

    def get_compute_device_usage_for_mlprogram_operation(self, asked: Any) -> Any:
        if asked.device not in DEVICES:
            return None
        device = DEVICES[asked.device].__new__(DEVICES[asked.device])
        return of_coremltools.MLComputePlanDeviceUsage(device, [device])

    def get_estimated_cost_for_mlprogram_operation(self, asked: Any) -> Any:
        return None if asked.cost is None else of_coremltools.MLComputePlanCost(asked.cost)


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> Any:
    def place(*operations: Any, program: bool = True, **which: Any) -> Placement:
        """The other function comes first, as an ``NSDictionary`` may give it."""
        other = SimpleNamespace(block=block(operation("z", "ios17.conv", "GPU")))
        functions = {"other": other, "main": SimpleNamespace(block=block(*operations))}
        plan = Plan(SimpleNamespace(functions=functions) if program else None)
        loader = SimpleNamespace(load_from_path=lambda path, compute_units: plan)
        monkeypatch.setattr(compute_plan, "MLComputePlan", loader)
        return read_plan(Path("a.mlmodelc"), "ALL", **which)

    return place


def test_devices_costs_and_segments(placed: Any) -> None:
    placement = placed(
        operation("w", "const", "none"),
        operation("a", "ios17.conv", "NE", 0.5),
        operation("b", "ios17.gather", "CPU", 0.25),
        operation("c", "ios17.conv", "NE", 0.25),
    )
    assert placement.devices == {"NE": 2, "CPU": 1}
    assert placement.cost == {"NE": 0.75, "CPU": 0.25}
    assert placement.segments == 3
    assert [(each.operation, each.operation_type, each.device) for each in placement.off_engine] == [
        ("b", "gather", "CPU")
    ]


def test_what_core_ml_does_not_tell_is_unknown_and_never_zero(placed: Any) -> None:
    placement = placed(operation("a", "conv", "NE", 0.5), operation("b", "relu", "none"))
    assert placement.devices == {"NE": 1, "unknown": 1}
    assert placement.cost is None
    assert placement.segments is None
    assert placement.off_engine == ()


def test_operations_inside_of_loops_count(placed: Any) -> None:
    inner = block(operation("b", "ios17.mul", "GPU"), operation("c", "const", "none"))
    placement = placed(operation("a", "ios17.while_loop", "CPU", blocks=[inner]))
    assert placement.devices == {"CPU": 1, "GPU": 1}


def test_a_model_without_a_program_has_no_placement(placed: Any) -> None:
    with pytest.raises(PackageError, match="no ML Program"):
        placed(program=False)


def test_the_default_function_is_read_whatever_order_the_plan_has(placed: Any) -> None:
    assert placed(operation("a", "ios17.conv", "NE")).devices == {"NE": 1}
    assert placed(operation("a", "ios17.conv", "NE"), default="other").devices == {"GPU": 1}


def test_the_plan_of_another_function_is_refused_rather_than_guessed(placed: Any) -> None:
    with pytest.raises(PackageError, match="cannot plan function `other`: it plans the default one, `main`"):
        placed(operation("a", "ios17.conv", "NE"), function="other")
    with pytest.raises(PackageError, match="no function `triple`, only main, other"):
        placed(operation("a", "ios17.conv", "NE"), default="triple", function="triple")
