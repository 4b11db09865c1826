"""Which names coremltools' native half lacks.

Off a Mac the wheel has no such module; on a Mac one that was built for another Python cannot be loaded. Both
only show when a model is to be loaded, therefore a child tries it.
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
"""What coremltools' Python takes of it in the calls that we make: classes, and their methods."""


class MissingNames(WrappedPart[tuple[str, ...]]):
    """The names of :data:`NEEDED` that the installed module does not have."""

    FIELD = "missing_names"


PARTS: Final = (MissingNames,)
STEPS: Final[Mapping[str, str]] = {"import": "importing coremltools' native half"}
CHILD: Final = "own"


def run(_: MachineJob, log: EventLog) -> None:
    """Import the module; raises :class:`WorkerError` where there is none."""
    log.begin("import")
    try:
        log.put(MissingNames(missing_names(importlib.import_module(MODULE))))
    except ImportError as error:
        raise WorkerError(str(error)) from error


def missing_names(module: object) -> tuple[str, ...]:
    """The names of :data:`NEEDED` that the module does not have, as ``_MLModelProxy.predict``."""
    absent = [name for name in NEEDED if not hasattr(module, name)]
    methods = [
        f"{name}.{method}"
        for name, needed in NEEDED.items()
        for method in needed
        if name not in absent and not hasattr(getattr(module, name), method)
    ]
    return (*absent, *methods)
