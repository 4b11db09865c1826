"""Core ML itself as an engine: compiles a package, loads it on a compute unit, and predicts.

Use it in a child process only: Core ML can hang for half an hour or crash the whole process
(apple/coremltools#1473, #2757, #2758), which no ``except`` can catch.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import coremltools as ct
import numpy as np
from coremltools.models import CompiledMLModel
from coremltools.models.utils import compile_model

from coreml_gate.arrays import Array
from coreml_gate.engines.engine import as_array
from coreml_gate.errors import PackageError
from coreml_gate.mil.index import Index
from coreml_gate.mil.package import read_package
from coreml_gate.record import ComputeUnits, FeatureFacts
from coreml_gate.untyped import CoreMlObject

Arrays = Mapping[str, Array]
NANOSECONDS: Final = 1e9
"""In a second."""


def compile_package(package: Path, folder: Path) -> Path:
    """The compiled model, which every load starts from, under a unique name in ``folder``.

    Core ML's caches identify a compiled model by its path or by its program; public reports disagree
    (apple/coremltools#2507). A unique name excludes entries of earlier runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return Path(compile_model(str(package), str(folder / f"{package.stem}-{uuid.uuid4().hex}.mlmodelc")))


@dataclass(frozen=True)
class CoreMlEngine:
    """A loaded model with the inputs and outputs of our runtime, so that the two can be compared."""

    model: CompiledMLModel
    inputs: tuple[FeatureFacts, ...]
    outputs: tuple[FeatureFacts, ...]
    output_names: tuple[str, ...]
    """The source's names, in the order of the package's outputs."""
    stateful: bool = False
    classes: tuple[str | int, ...] = ()
    """For a classifier with a source: the labels in the order of the source's scores."""
    colors: Mapping[str, str] = field(default_factory=dict)
    """For image outputs with a source: the order of the source's channels, by the package's names."""
    side: Literal["core-ml"] = "core-ml"

    def run(self, arrays: Arrays) -> dict[str, Array]:
        """One prediction; a stateful model starts from an empty state each time."""
        return self.predict(self.given(arrays), self.new_state())

    def given(self, arrays: Arrays) -> dict[str, CoreMlObject]:
        """The inputs as coremltools takes them: images as images, everything else as arrays."""
        images = {feature.name: feature for feature in self.inputs if feature.kind == "image"}
        return {name: _image(array) if name in images else array for name, array in arrays.items()}

    def new_state(self) -> CoreMlObject:
        """Zeroed states; ``None`` for a model without states."""
        return self.model.make_state() if self.stateful else None

    def last_prediction_s(self) -> float:
        """How long Core ML itself took for the last prediction, by its own clock.

        It excludes the conversions in Python: PIL images to pixel buffers, copies of arrays, half precision
        to float32. They took 13 % of a prediction in apple/coremltools#196.
        """
        return _seconds(self.model._proxy.get_last_predict_duration_in_nano_seconds())  # noqa: SLF001 - hidden

    def load_s(self) -> float:
        """How long Core ML took to load the model, by its own clock."""
        return _seconds(self.model._proxy.get_load_duration_in_nano_seconds())  # noqa: SLF001 - hidden

    def predict(self, given: Mapping[str, CoreMlObject], state: object) -> dict[str, Array]:
        """The outputs under the source's names; :class:`PackageError` if one is missing."""
        outputs = self.model.predict(dict(given), state)
        missing = [feature.name for feature in self.outputs if feature.name not in outputs]
        if missing:
            raise PackageError(
                f"Core ML gave no output `{missing[0]}`, only {', '.join(map(repr, outputs)) or 'nothing'}.",
                "does the package's interface name outputs that its program does not have?",
            )
        values = (self._array(feature.name, outputs[feature.name]) for feature in self.outputs)
        return dict(zip(self.output_names, values, strict=True))

    def _array(self, name: str, value: CoreMlObject) -> Array:
        """An output in the source's form: scores in the order of classes, images with channels first."""
        if name in self.colors:
            return _planes(_array(value), self.colors[name])
        if self.classes and isinstance(value, Mapping):
            return np.asarray([[value[label] for label in self.classes]], dtype=np.float32)
        return _array(value)


def load_core_ml(
    compiled: Path,
    units: ComputeUnits,
    inputs: Sequence[FeatureFacts],
    outputs: Sequence[FeatureFacts],
    *,
    output_names: Sequence[str] = (),
    stateful: bool = False,
    function: str | None = None,
    classes: tuple[str | int, ...] = (),
    colors: Mapping[str, str] | None = None,
) -> CoreMlEngine:
    """Load a compiled model; ``function`` selects one of several, ``None`` the default one."""
    model = CompiledMLModel(str(compiled), compute_units=ct.ComputeUnit[units], function_name=function)
    names = tuple(output_names) if output_names else tuple(feature.name for feature in outputs)
    return CoreMlEngine(model, tuple(inputs), tuple(outputs), names, stateful, classes, colors or {})


def class_labels(package: Path, function: str | None = None) -> tuple[str | int, ...]:
    """A classifier's labels in the order of its scores; Core ML's dictionary is unordered."""
    program = Index(read_package(package).function(function))
    given = (program.constant(operation, "classes") for operation in program.of("classify"))
    return next((tuple(labels.reshape(-1).tolist()) for labels in given if labels is not None), ())


def image_colors(package: Path, function: str | None = None) -> dict[str, str]:
    """The image outputs by name, with the order of their channels."""
    outputs = read_package(package).choosing(function).interface.outputs
    return {feature.name: feature.color for feature in outputs if feature.kind == "image"}


def _seconds(nanoseconds: int | None) -> float:
    if nanoseconds is None:
        raise PackageError("Core ML has no time to give: it has not done this yet.")
    return float(nanoseconds) / NANOSECONDS


def _image(array: Array) -> CoreMlObject:
    from PIL import Image  # noqa: PLC0415 - only models with images need it

    floating = np.issubdtype(array.dtype, np.floating) and array.ndim == 2 and bool((array % 1).any())  # noqa: PLR2004 - a plane
    return Image.fromarray(array.astype(np.float32 if floating else np.uint8))


def _array(value: object) -> Array:
    """An output as an array; Core ML returns colour images with an opaque fourth channel."""
    array: Array = as_array(value)
    return array[..., :3] if getattr(value, "mode", "") == "RGBA" else array


def _planes(pixels: Array, color: str) -> Array:
    """An image of rows, columns and colours as a batch of one, channels first in the order of ``color``."""
    if pixels.ndim == 2:  # noqa: PLR2004 - a plane
        return pixels[None, None].astype(np.float32)
    colors = pixels[..., ::-1] if color == "BGR" else pixels
    return np.ascontiguousarray(colors.transpose(2, 0, 1)[None].astype(np.float32))
