"""Which names does coremltools' native half lack? ``python -m coreml_gate.worker.native_module`` prints them.

Off a Mac the wheel has no such module; on a Mac one that was built for another Python cannot be loaded. Both
only show when a model is to be loaded, therefore they are asked for here.
"""

import importlib
import sys
from collections.abc import Mapping
from typing import Final

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
"""What coremltools' Python asks of it in the calls that we make: classes, and their methods."""


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


def main() -> int:
    """Print one missing name per line, or why there is no module; 0 when nothing is missing."""
    try:
        missing = missing_names(importlib.import_module(MODULE))
    except ImportError as error:
        print(error)  # noqa: T201 - the answer to the parent
        return 1
    print("\n".join(missing))  # noqa: T201 - the answer to the parent
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
