"""The inputs of a model, as far as they are known without a sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch.export import ExportedProgram

from coreml_gate.config import Dimension, ImageInput, ModelConfig, ModelInput
from coreml_gate.engines.source import Source
from coreml_gate.frozen import changed
from coreml_gate.mil import ir as mil

_UNBOUNDED = -1
_COLORS: dict[str, Literal["RGB", "BGR", "GRAYSCALE"]] = {"BGR": "BGR", "GRAYSCALE": "GRAYSCALE"}


@dataclass(frozen=True)
class InputFeature:
    """One input: its dtype and its allowed shapes (``None`` if not known)."""

    name: str
    dtype: str
    shapes: tuple[tuple[Dimension, ...], ...] = ()
    """The allowed shapes, the default first; empty if none is known."""
    image: ImageInput | None = None

    def allows(self, shape: tuple[int, ...]) -> bool:
        """Whether a sample may have this shape; true if no shape is known."""
        return not self.shapes or any(_fits(shape, allowed) for allowed in self.shapes)

    @property
    def allowed(self) -> str:
        """The allowed shapes, written as in the configuration."""
        return " or ".join(_written(shape) for shape in self.shapes)


def known_features(
    config: ModelConfig, source: Source, interface: Sequence[mil.Feature] = ()
) -> dict[str, InputFeature]:
    """The inputs by name, in the source's order; the configuration takes precedence over the model."""
    features = {item.name: _of_package(item) for item in interface}
    if isinstance(source.model, ExportedProgram):
        features |= {feature.name: feature for feature in _program_features(source.model)}
    for item in config.input:
        features[item.name] = _configured(item, features.get(item.name))
    if not features.keys() <= source.parameters.keys():
        return features
    taken = [name for name, needed in source.parameters.items() if needed or name in features]
    return {name: features.get(name, InputFeature(name, "float32")) for name in taken}


def with_program_ranges(config: ModelConfig, source: Source, names: Sequence[str]) -> ModelConfig:
    """The configuration with an exported program's ranges for inputs without a configured shape."""
    if not isinstance(source.model, ExportedProgram):
        return config
    inputs = {item.name: item for item in config.input}
    for feature in _program_features(source.model):
        item = inputs.get(feature.name, ModelInput(name=feature.name))
        says_shape = item.shape is not None or item.shapes is not None
        is_open = any(not isinstance(size, int) for size in feature.shapes[0])
        if feature.name in names and is_open and not says_shape:
            inputs[feature.name] = changed(item, shape=feature.shapes[0])
    return changed(config, input=tuple(inputs.values()))


def _of_package(item: mil.Feature) -> InputFeature:
    if item.kind == "image":
        color = _COLORS.get(item.color, "RGB")
        channels = 1 if color == "GRAYSCALE" else 3
        return InputFeature(item.name, "float32", ((1, channels, *item.shape),), ImageInput(color=color))
    shapes: tuple[tuple[Dimension, ...], ...] = (item.shape,) if item.shape else ()
    if item.shapes:
        shapes = item.shapes
    if item.ranges:
        shapes = (tuple(_dimension_of_range(low, high) for low, high in item.ranges),)
    return InputFeature(item.name, item.dtype, shapes)


def _dimension_of_range(low: int, high: int | None) -> Dimension:
    return low if low == high else (max(low, 1), _UNBOUNDED if high is None else high)


def _configured(item: ModelInput, known: InputFeature | None) -> InputFeature:
    shapes: tuple[tuple[Dimension, ...], ...] = known.shapes if known is not None else ()
    if item.shape is not None:
        shapes = (item.shape,)
    if item.shapes is not None:
        shapes = item.shapes
    dtype = known.dtype if known is not None else "float32"
    return InputFeature(item.name, item.dtype if item.dtype is not None else dtype, shapes, item.image)


def _program_features(program: ExportedProgram) -> list[InputFeature]:
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    return [
        InputFeature(name, _dtype(value), (tuple(_dimension(size, program) for size in value.shape),))
        for name in program.graph_signature.user_inputs
        if isinstance(value := values.get(name), torch.Tensor)
    ]


def _dimension(size: int | torch.SymInt, program: ExportedProgram) -> Dimension:
    """A number, or the range of a symbol; a symbol that the export fixed reads as a number."""
    if isinstance(size, int) or str(size).isdecimal():
        return int(size)
    limits = program.range_constraints.get(size.node.expr)
    low = int(limits.lower) if limits is not None else 1
    high = limits.upper if limits is not None else None
    bounded = high is not None and high.is_finite and int(high) < torch.iinfo(torch.int32).max
    return (max(low, 1), int(high) if bounded and high is not None else _UNBOUNDED)


def _dtype(value: torch.Tensor) -> str:
    if value.is_floating_point():
        return "float32"
    return "bool" if value.dtype == torch.bool else "int32"


def _fits(shape: tuple[int, ...], allowed: tuple[Dimension, ...]) -> bool:
    return len(shape) == len(allowed) and all(map(_size_fits, shape, allowed))


def _size_fits(size: int, allowed: Dimension) -> bool:
    if isinstance(allowed, int):
        return size == allowed
    low, high = allowed
    return low <= size and (high == _UNBOUNDED or size <= high)


def _written(shape: tuple[Dimension, ...]) -> str:
    sizes = (str(size) if isinstance(size, int) else f"[{size[0]}, {size[1]}]" for size in shape)
    return f"[{', '.join(sizes)}]"
