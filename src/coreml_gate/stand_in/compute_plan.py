"""A made-up compute plan: it has Core ML's form, but its placement is our prediction, not a measurement.

Constants, and operations that the script leaves open, are nil. Costs are equal shares.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from coreml_gate.mil.ir import Operation
from coreml_gate.mil.package import Package
from coreml_gate.placement import predict_placement
from coreml_gate.record import ComputeDevice
from coreml_gate.stand_in.binding import ANY, bound
from coreml_gate.stand_in.model_structure import OperationProxy, of_coremltools, structure_of
from coreml_gate.stand_in.script import Script
from coreml_gate.untyped import CoreMlObject


class CPUDeviceProxy:
    """The processor."""


class GPUDeviceProxy:
    """The graphics processor."""


class NeuralEngineDeviceProxy:
    """The Neural Engine."""

    @bound()
    def get_total_core_count(self, /) -> int:
        """As on every Mac with Apple silicon except an Ultra."""
        return 16


def device(name: ComputeDevice) -> CoreMlObject:
    """A device of coremltools' class."""
    compute_device = importlib.import_module("coremltools.models.compute_device")
    if name == "CPU":
        return compute_device.MLCPUComputeDevice(CPUDeviceProxy())
    if name == "GPU":
        return compute_device.MLGPUComputeDevice(GPUDeviceProxy())
    return compute_device.MLNeuralEngineComputeDevice(NeuralEngineDeviceProxy())


_ALLOWED: Final[Mapping[str, tuple[ComputeDevice, ...]]] = {
    "CPU_ONLY": ("CPU",),
    "CPU_AND_GPU": ("CPU", "GPU"),
    "CPU_AND_NE": ("CPU", "NE"),
    "ALL": ("CPU", "GPU", "NE"),
}


class ComputePlanProxy:
    """The plan of a program on a compute unit; one constructed by Python is empty."""

    def __init__(self, /) -> None:
        self._plan: _Plan | None = None

    @property
    def model_structure(self) -> CoreMlObject:
        """The structure that the plan is about."""
        return None if self._plan is None else self._plan.structure

    @bound(ANY)
    def get_compute_device_usage_for_mlprogram_operation(self, operation: CoreMlObject, /) -> CoreMlObject:
        """Preferred and supported devices; nil for an operation that is not in the plan."""
        known = self._known(operation)
        return None if self._plan is None or known is None else self._plan.usage(known)

    @bound(ANY)
    def get_compute_device_usage_for_neuralnetwork_layer(self, _layer: CoreMlObject, /) -> CoreMlObject:
        """Nil: there is no neural network."""
        return None

    @bound(ANY)
    def get_estimated_cost_for_mlprogram_operation(self, operation: CoreMlObject, /) -> CoreMlObject:
        """The operation's share of the cost; nil if the script has no costs."""
        plan, known = self._plan, self._known(operation)
        if plan is None or known is None or not plan.script.costs:
            return None
        return of_coremltools().MLComputePlanCost(plan.share)

    def _known(self, operation: CoreMlObject) -> Operation | None:
        proxy = operation.__proxy__
        if not isinstance(proxy, OperationProxy):
            raise RuntimeError("Unable to cast Python instance to C++ type")  # noqa: TRY004 - as there
        return None if self._plan is None else self._plan.operations.get(id(proxy.operation))


@dataclass(frozen=True)
class _Plan:
    structure: CoreMlObject
    script: Script
    devices: tuple[ComputeDevice, ...]
    operations: Mapping[int, Operation]
    """The plan's operations by identity; those of another plan are nil."""
    off_engine: frozenset[str]

    @property
    def share(self) -> float:
        return 1.0 / len(self.operations)

    def usage(self, operation: Operation) -> CoreMlObject:
        """The Neural Engine unless a rule excludes it, else the GPU, else the CPU."""
        off = operation.name in self.off_engine
        supported = [each for each in self.devices if not (off and each == "NE")]
        preferred = "NE" if "NE" in supported else supported[-1]
        return of_coremltools().MLComputePlanDeviceUsage(
            device(preferred), [device(each) for each in supported]
        )


def make_plan(proxy: ComputePlanProxy, package: Package, units: str, script: Script) -> None:
    """Fill a plan for the default function, as Core ML does if none is named."""
    off = predict_placement(package, "ALL").off_engine
    operations = package.function().block.walk()
    proxy._plan = _Plan(  # noqa: SLF001 - only the native half fills it
        structure_of(package),
        script,
        tuple(each for each in _ALLOWED[units] if each in script.devices),
        {id(each): each for each in operations if not _is_nil(each, script.nil_types)},
        frozenset(each.operation for each in off),
    )


def _is_nil(operation: Operation, nil: tuple[str, ...]) -> bool:
    return operation.type.startswith("const") or "*" in nil or operation.type in nil
