"""``run_package``: runs a saved package on any system."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike

from coreml_gate.errors import InputError
from coreml_gate.runtime import load_pipeline
from coreml_gate.untyped import MilValue


def run_package(
    package: str | Path,
    inputs: Mapping[str, ArrayLike | torch.Tensor],
    *,
    mode: Literal["fp16", "fp32", "neural-engine"] = "fp16",
    function: str | None = None,
) -> dict[str, MilValue]:
    """The outputs by name, in the form of ``MLModel.predict`` on a Mac, computed by the gate's MIL runtime.

    The runtime is not Core ML: it rounds like Core ML's CPU but is not equal to the bit (docs/runtime.md). A
    package with states starts from zeros.

    :param inputs: An array or tensor for each input, by its name in the package; images with channels last.
    :param mode: ``fp16`` uses the package's types, ``fp32`` computes all in float32, ``neural-engine``
        estimates the Neural Engine.
    :param function: The function to run, if the package has several; ``None`` for its default one.
    :raises InputError: An input is missing, unknown, or of the wrong shape.
    :raises PackageError: The package is damaged, or one of its operations failed.
    :raises UnsupportedOperationsError: It contains operations that the runtime does not support; all are
    named.
    """
    loaded = load_pipeline(Path(package), function, mode)
    state = loaded.make_state()
    return loaded.predict({name: _array(name, value) for name, value in inputs.items()}, state or None)


def _array(name: str, value: ArrayLike | torch.Tensor) -> MilValue:
    array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise InputError(f"input `{name}` holds {array.dtype} values.", "give numbers or booleans.")
    return array
