"""What a model's child imports before the model's own code, in a fresh process and in a fork alike."""

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
    """Import the same modules in the same order everywhere, so that a model always finds the same process."""
    for module in LIBRARIES:
        importlib.import_module(module)
