"""What a model's child imports before it comes to the model's own code, in a fresh process and in a fork."""

import importlib
from typing import Final

LIBRARIES: Final = (
    "torch",
    "torch.export._trace",  # most of what the first export imports
    "coremltools",
    "coreml_gate.measurements.bench",
    "coreml_gate.rules.catalogue",
    "coreml_gate.diagnose.diagnosis",
    "coreml_gate.diagnose.parity_diagnosis",
)


def load_libraries() -> None:
    """The same modules in the same order everywhere, so that a model finds the same process everywhere."""
    for module in LIBRARIES:
        importlib.import_module(module)
