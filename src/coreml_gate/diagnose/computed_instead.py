"""Finds the usual mistake that explains what a team's package computes instead of its source.

A script converts its own module, so its operations cannot be paired with those of the source. But scripts go
wrong in few ways, and each can be tried on the source: the result is measured, not guessed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import torch
from torch.nn.modules.batchnorm import _NormBase

from coreml_gate.arrays import Array
from coreml_gate.config import ImageInput
from coreml_gate.engines.engine import Outputs, Sample
from coreml_gate.engines.images import bias_of
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import SourceError
from coreml_gate.wording import joined, number

_REST: Final = 0.1
"""The share of the difference that compressed weights may leave unexplained by a mistake."""
_ALIKE: Final = 0.02
"""The share of the greatest value by which compressed weights may change an output without a mistake."""
_PIXELS: Final = 255.0
_CHANNELS, _IMAGE_RANK = 3, 4
_LEAST_ELEMENTS: Final = 8
"""With fewer elements, any factor explains the difference."""
_EVAL: Final = "call `.eval()` on the module before it is traced or exported"
_ORDER: Final = "name `outputs` of `ct.convert` in the order in which the module returns them"
_COLOR: Final = (
    "`color_layout` of the `ct.ImageType` and `color` in `[[model.input]]` must both be the order in which "
    "the source takes the channels"
)
_SCALE: Final = "scale pixels once: in the `ct.ImageType`, as `[[model.input]]` says, or in the module"
_WHOLE: Final = (
    "leave `dtype` of that `ct.TensorType` out, or give it the type that the source takes, float32"
)
_BIAS: Final = "give the `ct.ImageType` the bias of `[[model.input]]`, in the order of the channels"
_STEP: Final = "let the source return what the package returns, or remove that step from the script"

Values = Sequence[Array]
"""One output, or a value derived from it, for each sample."""


@dataclass(frozen=True)
class Instead:
    """What the package computes, as the end of a sentence, and how to fix it."""

    what: str
    hint: str


def computed_instead(
    source: SourceEngine,
    samples: Sequence[Sample],
    expected: Sequence[Outputs],
    found: Sequence[Outputs],
    images: Mapping[str, ImageInput] | None = None,
) -> Instead | None:
    """The mistake with which the source comes nearest to the package's outputs; ``None`` if none does.

    :param expected: The source's outputs for each sample; ``found`` are the package's.
    :param images: The image inputs of the configuration.
    """
    wanted, given = _by_output(expected), _by_output(found)
    known = _other_order(wanted, given) or _other_step(wanted, given)
    tried = () if known else _mistakes(source, samples, images or {})
    made = ((why, _by_output(outputs)) for why, outputs in tried)
    near = {why: _distance(values, given) for why, values in made if _explains(values, wanted, given)}
    return known or min(near, key=near.__getitem__, default=None)


def _by_output(runs: Sequence[Outputs]) -> dict[str, Values]:
    return {name: [outputs[name] for outputs in runs] for name in runs[0]}


def _mistakes(
    source: SourceEngine, samples: Sequence[Sample], images: Mapping[str, ImageInput]
) -> Iterator[tuple[Instead, Sequence[Outputs]]]:
    """Mistakes in the module and at its inputs, each with the source's outputs if it is made."""
    with _in_training(source) as layers:
        outputs = _outputs(source, samples) if layers else None
    if outputs is not None:
        yield Instead("the source with its batch norms in training mode", _EVAL), outputs
    for instead, change in (*_of_images(images), *_changes(samples[0])):
        outputs = _outputs(source, [change(sample) for sample in samples])
        if outputs is not None:
            yield instead, outputs


@contextmanager
def _in_training(source: SourceEngine) -> Iterator[list[torch.nn.Module]]:
    """Let norms use the batch's own statistics within the block; dropout stays off, as in a conversion."""
    model = source.source.model
    modules = model.modules() if isinstance(model, torch.nn.Module) else ()
    layers: list[torch.nn.Module] = [
        layer for layer in modules if isinstance(layer, _NormBase) and not layer.training
    ]
    for layer in layers:
        layer.training = True
    try:
        yield layers
    finally:
        for layer in layers:
            layer.training = False


def _outputs(source: SourceEngine, samples: Sequence[Sample]) -> Sequence[Outputs] | None:
    """The outputs of the source; empty if it rejects the inputs."""
    try:
        return [source.run(sample, index) for index, sample in enumerate(samples)]
    except SourceError:
        return None


def _of_images(images: Mapping[str, ImageInput]) -> Iterator[tuple[Instead, Callable[[Sample], Sample]]]:
    """Mistakes between the pixels and the module, which reads ``pixel * scale + bias``."""
    for name, image in images.items():
        bias = bias_of(image)
        what = f"the source with the channels of `{name}` in the other order, as BGR for RGB"
        yield Instead(what, _COLOR), _changed(name, partial(_in_other_order, bias=bias))
        if bias.any():
            what = f"the source with the bias of `{name}` in the other order"
            yield Instead(what, _BIAS), _changed(name, partial(torch.add, other=bias.flip(1) - bias))
            what = f"the source without the bias of `{name}`"
            yield Instead(what, _BIAS), _changed(name, partial(torch.sub, other=bias))


def _in_other_order(value: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return (value - bias).flip(1) + bias


def _changes(sample: Sample) -> Iterator[tuple[Instead, Callable[[Sample], Sample]]]:
    for name, value in sample.items():
        if not value.is_floating_point():
            continue
        if value.dim() == _IMAGE_RANK and value.shape[1] == _CHANNELS:
            what = f"the source with the channels of `{name}` in the other order, as BGR for RGB"
            yield Instead(what, _COLOR), _changed(name, lambda x: x.flip(1))
        whole = f"the source with `{name}`, which is float32, cut to whole numbers, as an input of int32"
        yield Instead(whole, _WHOLE), _changed(name, torch.trunc)
        by_255 = f"the source with `{name}` divided by 255", f"the source with `{name}` times 255"
        yield Instead(by_255[0], _SCALE), _changed(name, lambda x: x / _PIXELS)
        yield Instead(by_255[1], _SCALE), _changed(name, lambda x: x * _PIXELS)


def _changed(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Sample], Sample]:
    return lambda sample: {**sample, name: change(sample[name])}


def _other_order(wanted: Mapping[str, Values], given: Mapping[str, Values]) -> Instead | None:
    """Outputs that have each other's names."""
    holders = {name: _nearest(name, values, given) for name, values in wanted.items()}
    moved = {name: own for name, own in holders.items() if name != own}
    if not moved or sorted(holders.values()) != sorted(wanted):
        return None
    if not all(_is_nearer(wanted[name], wanted[own], given[own]) for name, own in moved.items()):
        return None
    what = joined([f"`{name}` under the name `{own}`" for name, own in moved.items()])
    return Instead(f"the source with its outputs exchanged, {what}", _ORDER)


def _nearest(name: str, wanted: Values, given: Mapping[str, Values]) -> str:
    """The package's output that is nearest to one of the source; of equals, that of the same name."""
    return min(given, key=lambda own: (_error(wanted, given[own]), own != name))


def _other_step(wanted: Mapping[str, Values], given: Mapping[str, Values]) -> Instead | None:
    """One step too many or too few after every output that differs."""
    steps = [
        _step(name, values, given[name])
        for name, values in wanted.items()
        if not _is_alike(values, given[name])
    ]
    return Instead(joined(steps), _STEP) if steps and all(steps) else None


def _step(name: str, wanted: Values, given: Values) -> str:
    """The step that leads from one side to the other; empty if none is known."""
    if _error(wanted, given) == np.inf or any(value.dtype.kind != "f" for value in wanted):
        return ""
    for title, function in _STEPS.items():
        if _is_nearer([function(value) for value in wanted], wanted, given):
            return f"the {title} of the source's `{name}`"
        if _is_nearer([function(value) for value in given], given, wanted):
            return f"the source's `{name}` without its {title}"
    return _factor(name, wanted, given)


def _factor(name: str, wanted: Values, given: Values) -> str:
    """The single factor between all elements of both sides."""
    before, after = (
        np.concatenate([value.ravel() for value in side]).astype(float) for side in (wanted, given)
    )
    square = float(before @ before)
    if before.size < _LEAST_ELEMENTS or not square:
        return ""
    factor = float(before @ after) / square
    is_factor = _is_nearer([value * factor for value in wanted], wanted, given)
    return f"the source's `{name}` times {number(factor)}" if is_factor else ""


def _softmax(value: Array, axis: int) -> Array:
    over: Array = torch.softmax(torch.from_numpy(value), min(axis, value.ndim - 1)).numpy()
    return over


_STEPS: Final[Mapping[str, Callable[[Array], Array]]] = {
    "softmax": lambda value: _softmax(value, -1),
    "softmax over axis 1": lambda value: _softmax(value, 1),
    "log-softmax": lambda value: torch.log_softmax(torch.from_numpy(value), -1).numpy(),
    "sigmoid": lambda value: torch.sigmoid(torch.from_numpy(value)).numpy(),
    "tanh": np.tanh,
}


def _explains(made: Mapping[str, Values], wanted: Mapping[str, Values], given: Mapping[str, Values]) -> bool:
    """Whether the mistake reproduces every output of the package, or leaves it unchanged."""
    if made.keys() != wanted.keys():
        return False
    nearer = {name: _is_nearer(made[name], wanted[name], given[name]) for name in wanted}
    alike = (_is_alike(made[name], given[name]) for name in wanted if not nearer[name])
    return any(nearer.values()) and all(alike)


def _distance(made: Mapping[str, Values], given: Mapping[str, Values]) -> float:
    return max(_error(values, given[name]) for name, values in made.items())


def _is_nearer(made: Values, wanted: Values, given: Values) -> bool:
    """Whether ``made`` removes almost all of the difference between ``wanted`` and ``given``."""
    before = _error(wanted, given)
    return before > 0 and _error(made, given) <= min(_REST * before, _REST * _greatest(given))


def _is_alike(wanted: Values, given: Values) -> bool:
    return _error(wanted, given) <= _ALIKE * _greatest(wanted)


def _greatest(values: Values) -> float:
    return max(float(np.abs(value).max(initial=0.0)) for value in values)


def _error(one: Values, other: Values) -> float:
    """The greatest difference; infinite if the two cannot be compared."""
    if any(a.shape != b.shape or a.dtype.kind not in "fiub" for a, b in zip(one, other, strict=True)):
        return np.inf
    worst = [float(np.abs(a.astype(float) - b).max(initial=0.0)) for a, b in zip(one, other, strict=True)]
    return max(worst) if np.isfinite(worst).all() else np.inf
