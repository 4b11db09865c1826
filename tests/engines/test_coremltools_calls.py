"""Does the installed coremltools take every call that we make, and hold every attribute that we read?"""

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import coremltools as ct
import pytest
from coremltools.models import CompiledMLModel, compute_device, compute_plan, model, utils
from coremltools.models import _compiled_model as compiled_model
from coremltools.models.utils import compile_model

from coreml_gate.measurements.native_module import NEEDED
from coreml_gate.record import ComputeUnits

CALLS: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
    (compile_model, ("a.mlpackage", "a.mlmodelc"), {}),
    (CompiledMLModel.__init__, (None, "a.mlmodelc"), {"compute_units": 0, "function_name": None}),
    (CompiledMLModel.predict, (None, {}, None), {}),
    (CompiledMLModel.make_state, (None,), {}),
    (compute_plan.MLComputePlan.load_from_path, ("a.mlmodelc",), {"compute_units": 0}),
    (compute_plan.MLComputePlan.get_compute_device_usage_for_mlprogram_operation, (None, None), {}),
    (compute_plan.MLComputePlan.get_estimated_cost_for_mlprogram_operation, (None, None), {}),
    (ct.utils.MultiFunctionDescriptor.add_function, (None, "a.mlpackage", "main", "double"), {}),
    (ct.utils.save_multifunction, (None, "both.mlpackage"), {}),
]

READ = [
    (compute_plan.MLModelStructure, {"program"}),
    (compute_plan.MLModelStructureProgram, {"functions"}),
    (compute_plan.MLModelStructureProgramFunction, {"block"}),
    (compute_plan.MLModelStructureProgramBlock, {"operations"}),
    (compute_plan.MLModelStructureProgramOperation, {"operator_name", "outputs", "blocks"}),
    (compute_plan.MLModelStructureProgramNamedValueType, {"name"}),
    (compute_plan.MLComputePlanDeviceUsage, {"preferred_compute_device"}),
    (compute_plan.MLComputePlanCost, {"weight"}),
]


@pytest.mark.parametrize(
    ("function", "args", "kwargs"), CALLS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_call_fits_its_signature(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    inspect.signature(function).bind(*args, **kwargs)


@pytest.mark.parametrize(("type_", "names"), READ, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_read_of_a_plan_is_there(type_: Any, names: set[str]) -> None:
    assert names <= {field.name for field in fields(type_)}


def test_a_plan_tells_its_structure() -> None:
    assert isinstance(compute_plan.MLComputePlan.model_structure, property)


def test_every_choice_of_hardware_is_one_of_coremltools() -> None:
    assert set(ComputeUnits.__args__) == {unit.name for unit in ct.ComputeUnit}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["MLCPUComputeDevice", "MLGPUComputeDevice", "MLNeuralEngineComputeDevice"])
def test_every_device_is_a_class_of_its_own(name: str) -> None:
    assert issubclass(getattr(compute_device, name), compute_device.MLComputeDevice)


SOURCES = "".join(
    Path(str(module.__file__)).read_text(encoding="utf-8")
    for module in (model, compiled_model, compute_plan, compute_device, utils)
)
"""coremltools' own Python around its native half: what it asks of it is what must be there."""


@pytest.mark.parametrize("name", NEEDED)
def test_coremltools_takes_this_class_from_its_native_half(name: str) -> None:
    assert f"libcoremlpython import {name}" in SOURCES


@pytest.mark.parametrize("name", [name for names in NEEDED.values() for name in names])
def test_coremltools_calls_this_name_of_its_native_half(name: str) -> None:
    assert re.search(rf"(_MLModelProxy|proxy|_proxy|__proxy__)\.{name}\b", SOURCES)


def test_a_compiled_model_is_handed_to_the_native_half_as_we_expect() -> None:
    """Path, units, function, hints, asset: a change of this order would show on a Mac only."""
    construction = re.search(r"self\._proxy = _MLModelProxy\(\s*(.*?)\s*\)", SOURCES, re.DOTALL)
    assert construction is not None
    assert construction[1].split(", ") == [
        "path",
        "compute_units.name",
        "function_name",
        "optimization_hints_str_vals",
        "asset_proxy",
    ]
