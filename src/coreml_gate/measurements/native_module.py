"""Finds the names that coremltools' native half lacks.

Outside macOS the wheel has no such module; on a Mac, one built for another Python cannot be loaded. Both
appear only when a model is loaded, so a child tries it.
"""

import importlib
from collections.abc import Mapping
from typing import Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import MachineJob
from coreml_gate.errors import WorkerError
from coreml_gate.record.base import WrappedPart

MODULE: Final = "coremltools.libcoremlpython"
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "_MLModelProxy": ("predict", "newState", "compileModel", "get_compute_plan"),
    "_MLComputePlanProxy": (
        "model_structure",
        "get_compute_device_usage_for_mlprogram_operation",
        "get_estimated_cost_for_mlprogram_operation",
    ),
    "_MLCPUComputeDeviceProxy": (),
    "_MLGPUComputeDeviceProxy": (),
    "_MLNeuralEngineComputeDeviceProxy": (),
}
"""The classes and methods that coremltools' Python code uses in the calls that we make."""


class MissingNames(WrappedPart[tuple[str, ...]]):
    """The names of :data:`NEEDED` that the installed module lacks."""

    FIELD = "missing_names"


PARTS: Final = (MissingNames,)
STEPS: Final[Mapping[str, str]] = {"import": "importing coremltools' native half"}
CHILD: Final = "own"


def run(_: MachineJob, log: EventLog) -> None:
    """Import the module; raises :class:`WorkerError` if there is none."""
    log.begin("import")
    try:
        log.put(MissingNames(missing_names(importlib.import_module(MODULE))))
    except ImportError as error:
        raise WorkerError(str(error)) from error


def missing_names(module: object) -> tuple[str, ...]:
    """The names of :data:`NEEDED` that the module lacks, such as ``_MLModelProxy.predict``."""
    absent = [name for name in NEEDED if not hasattr(module, name)]
    methods = [
        f"{name}.{method}"
        for name, needed in NEEDED.items()
        for method in needed
        if name not in absent and not hasattr(getattr(module, name), method)
    ]
    return (*absent, *methods)
