"""Our MIL runtime as an engine, which runs a saved package on any machine; its results are not Core ML's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from coreml_gate.arrays import Array
from coreml_gate.config import ModelConfig
from coreml_gate.engines.engine import SEED, Outputs, Sample, as_array
from coreml_gate.engines.images import package_sample
from coreml_gate.errors import PackageError
from coreml_gate.mil.ir import Feature
from coreml_gate.mil.package import Package
from coreml_gate.package_facts.output_order import in_source_order
from coreml_gate.runtime import Model, Observe, load
from coreml_gate.runtime.allocator import give_back, keep_freed_memory
from coreml_gate.untyped import MilValue
from coreml_gate.wording import counted, way_to_another_function

_LABELS = frozenset({"string", "int64"})
_NARROWED = {np.dtype(np.int64): np.int32, np.dtype(np.float64): np.float32, np.dtype(np.bool_): np.float32}
"""Input types that Core ML lacks, and those that the converter uses instead."""


@dataclass(frozen=True)
class MilEngine:
    """A package in one numeric mode; ``output_names`` are the source's, in the source's order.

    A classifier with a source gives the scores in the order of its classes, like the source, and omits the
    label, which the source does not return.
    """

    side: Literal["fp32", "fp16"]
    model: Model
    output_names: tuple[str, ...]
    config: ModelConfig
    outputs: tuple[Feature, ...]
    """The package's own outputs that have these names."""
    has_source: bool = True

    def run(self, sample: Sample, observe: Observe | None = None) -> Outputs:
        """Compute one sample; a stateful package starts from an empty state at every sample.

        The converter saves a tensor that is returned twice as two outputs of one name. Random operations draw
        the numbers that the source draws.
        """
        state = self.model.make_state()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            outputs = self.model.predict(self.inputs(sample), state, observe)
        own = (self._array(outputs[feature.name]) for feature in self.outputs)
        return dict(zip(self.output_names, own, strict=True))

    def release(self) -> None:
        """Release the weights packed by running; the next run packs them again."""
        self.model.release()
        give_back()

    def _array(self, value: MilValue) -> Array:
        if self.has_source and isinstance(value, Mapping):
            return np.asarray([list(value.values())], dtype=np.float32)
        return as_array(value)

    def inputs(self, sample: Sample) -> dict[str, Array]:
        """The sample in the form of ``predict``: arrays, and images with channels last."""
        return package_inputs(sample, self.model.interface.inputs, self.config)


def package_inputs(sample: Sample, interface: Sequence[Feature], config: ModelConfig) -> dict[str, Array]:
    """A sample for a package with these inputs: arrays, and images with channels last.

    A package may have other input names than the source, because a team's own script chooses them, and
    because coremltools renames `state`, a word of MIL. Equal names match, all others go by position.
    """
    features = {feature.name: feature for feature in interface}
    colors = {item.name: item.image.color for item in config.input if item.image is not None}
    given = package_sample(sample, config)
    unmatched = [name for name in given if name not in features]
    free = [name for name in features if name not in given]
    names = dict(zip(unmatched, free, strict=True)) if len(unmatched) == len(free) else {}
    renamed = {names.get(name, name): value for name, value in given.items()}
    colors = {names.get(name, name): color for name, color in colors.items()}
    return {name: _array(value, features.get(name), colors.get(name)) for name, value in renamed.items()}


def load_mil_engine(
    package: Package,
    mode: Literal["fp32", "fp16"],
    output_names: tuple[str, ...] | None,
    config: ModelConfig,
) -> MilEngine:
    """Load a package; without ``output_names`` its own names are kept.

    The process keeps freed memory from now on, because it goes on to run models.

    Raises :class:`PackageError` if the package has another number of outputs than the source.
    """
    keep_freed_memory()
    own = _compared(package.interface.outputs, output_names)
    own = own if output_names is None else in_source_order(own, output_names)
    if output_names is not None and len(output_names) != len(own):
        raise PackageError(
            f"package `{Path(package.path).name}` has {counted(len(own), 'output')}, "
            f"its source has {len(output_names)}.",
            way_to_another_function(package.default_function, package.other_functions)
            or "return every tensor once, because the converter merges outputs that are the same tensor.",
        )
    if output_names is not None:
        _refuse_unscaled_images(package, config)
        package = _with_values_for_images(package)
    names = tuple(feature.name for feature in own) if output_names is None else output_names
    return MilEngine(mode, load(package, mode=mode), names, config, own, output_names is not None)


def _refuse_unscaled_images(package: Package, config: ModelConfig) -> None:
    """Reject images without a configured scale, which relates the package's pixels to the source's values.

    Raises :class:`PackageError` for an image that the configuration does not describe.
    """
    inputs = package.interface.inputs
    known = {item.name for item in config.input if item.image is not None}
    images = [item for item in inputs if item.kind == "image"]
    unknown = [item for item in images if item.name not in known]
    if unknown and len(images) > len(known):
        name, color = unknown[0].name, unknown[0].color
        raise PackageError(
            f"input `{name}` of package `{Path(package.path).name}` is an image, and `[[model.input]]` has "
            "no scale and bias for it.",
            f'copy those of your `ct.ImageType`: `[[model.input]]`, `name = "{name}"`, '
            f'`image = {{ color = "{color}", scale = 0.00392156862745098, bias = [0, 0, 0] }}`; '
            "`color` is the source's order of channels.",
        )


def _with_values_for_images(package: Package) -> Package:
    """The package with arrays instead of image outputs, with the source's values and axes.

    An app receives pixels, rounded and clipped to 0 to 255, which a source does not compute.
    """
    interface = package.interface
    outputs = tuple(
        replace(feature, kind="multiarray") if feature.kind == "image" else feature
        for feature in interface.outputs
    )
    interfaces = {**package.interfaces, package.default_function: replace(interface, outputs=outputs)}
    return replace(package, interfaces=interfaces)


def _compared(own: tuple[Feature, ...], output_names: tuple[str, ...] | None) -> tuple[Feature, ...]:
    """All outputs except a classifier's label, for which the source has no counterpart."""
    if output_names is None or len(own) == len(output_names):
        return own
    return tuple(feature for feature in own if feature.kind not in _LABELS)


def _array(value: torch.Tensor, feature: Feature | None, color: str | None) -> Array:
    """An image as an app passes it; ``color`` is the order of the source's channels.

    The package reorders them to its own order, which may differ from the source's.
    """
    array: Array = value.detach().numpy()
    if feature is None or feature.kind != "image":
        return array.astype(_NARROWED.get(array.dtype, array.dtype), copy=False)
    if feature.color.startswith("GRAYSCALE"):
        plane: Array = array[0, 0]
        return plane
    pixels: Array = array[0].transpose(1, 2, 0)
    return np.flip(pixels, axis=-1) if (color or feature.color) == "BGR" else pixels
