"""``run_package``: what a saved package computes, on any system."""

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
    """The outputs by name, as ``MLModel.predict`` gives them on a Mac, computed by the gate's MIL runtime.

    The runtime is not Core ML: it rounds as Core ML's CPU does, and its figures are levels, not bits
    (docs/runtime.md). A package with states starts from zeros.

    :param inputs: An array or tensor for each input, by its name in the package; images with channels last.
    :param mode: ``fp16`` keeps the package's types, ``fp32`` computes all in float32, ``neural-engine``
        estimates the Neural Engine.
    :param function: Of a package with several functions, the one to run; ``None`` is its default one.
    :raises InputError: An input is missing, unknown, or of another shape.
    :raises PackageError: The package is damaged, or an operation of it failed.
    :raises UnsupportedOperationsError: It holds operations that the runtime does not know; all are named.
    """
    loaded = load_pipeline(Path(package), function, mode)
    state = loaded.make_state()
    return loaded.predict({name: _array(name, value) for name, value in inputs.items()}, state or None)


def _array(name: str, value: ArrayLike | torch.Tensor) -> MilValue:
    array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise InputError(f"input `{name}` holds {array.dtype} values.", "give numbers or booleans.")
    return array
