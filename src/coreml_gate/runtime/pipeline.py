"""Pipelines: ML Programs that run one after another, each reading the caller's inputs and earlier outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coreml_gate.mil.package import read_stages
from coreml_gate.runtime.model import Model, States, load
from coreml_gate.runtime.precision import Mode
from coreml_gate.untyped import MilValue


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The compiled models of a package in the order in which they run; one alone for a lone ML Program."""

    stages: tuple[Model, ...]

    def make_state(self) -> dict[str, NDArray[np.generic]]:
        """Zeroed states of all stages by name."""
        return {name: array for stage in self.stages for name, array in stage.make_state().items()}

    def predict(self, inputs: Mapping[str, MilValue], state: States | None = None) -> dict[str, MilValue]:
        """The last output of each name, as ``MLModel.predict`` gives it.

        :raises InputError: As ``Model.predict``, for the first stage that an input or a state does not fit.
        :raises PackageError: As ``Model.predict``.
        """
        known = dict(inputs)
        outputs: dict[str, MilValue] = {}
        for stage in self.stages:
            wanted = {feature.name for feature in stage.interface.inputs}
            outputs |= stage.predict({name: known[name] for name in known if name in wanted}, state)
            known |= outputs
        return outputs


def load_pipeline(path: Path, function: str | None = None, mode: Mode = "fp16") -> Pipeline:
    """Read and compile every ML Program of a package.

    :raises PackageError: The package is damaged, compiled by Core ML, or holds other than ML Programs.
    """
    return Pipeline(tuple(load(package, function, mode) for package in read_stages(path)))
