"""A package as the models that run one after another: one for an ML Program, several for a pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coreml_gate.mil.package import read_stages
from coreml_gate.runtime import Mode, Model, load
from coreml_gate.runtime.model import States


def load_stages(path: Path, function: str | None, mode: Mode) -> tuple[Model, ...]:
    """Every model of the package, compiled.

    :raises PackageError: The package is damaged, compiled by Core ML, or holds other than ML Programs.
    """
    return tuple(load(package, function, mode) for package in read_stages(path))


def predict_stages(
    stages: tuple[Model, ...], inputs: Mapping[str, Any], state: States | None
) -> dict[str, Any]:
    """The last outputs of each name: a stage reads the caller's inputs and what earlier stages gave."""
    known = dict(inputs)
    outputs: dict[str, Any] = {}
    for stage in stages:
        wanted = {feature.name for feature in stage.interface.inputs}
        outputs |= stage.predict({name: value for name, value in known.items() if name in wanted}, state)
        known |= outputs
    return outputs
