"""The samples: example inputs from the user's code, or random ones, checked before anything runs."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from coreml_gate.config import Dimension, ModelConfig, ModelInput
from coreml_gate.engines.engine import NARROWED, SEED, Sample, as_input
from coreml_gate.engines.features import InputFeature, known_features
from coreml_gate.engines.images import check_image, image_pixels, nearest_image
from coreml_gate.engines.python import load_callable, user_code
from coreml_gate.engines.random_samples import draw_samples
from coreml_gate.engines.source import Source, seed
from coreml_gate.errors import SamplesError
from coreml_gate.mil import ir as mil
from coreml_gate.record import ImagePixels
from coreml_gate.wording import counted, listed

_SEED = SEED + 17
"""Different from the model's seed; otherwise its first weights would equal the samples."""
_WRITTEN = bool | int | float | str | None
"""What Python code can write out, and no input of Core ML can be."""


@dataclass(frozen=True)
class Samples:
    """Checked samples, all with the same inputs in the same order, as the source takes them."""

    names: tuple[str, ...]
    samples: tuple[dict[str, torch.Tensor], ...]
    random: bool
    """Whether the gate drew them, because the configuration names none."""
    fingerprint: str
    """Digest of names, shapes, dtypes and data."""
    images: tuple[ImagePixels, ...] = ()
    """Pixels of the user's image samples before rounding."""
    narrow: Mapping[str, torch.dtype] = field(default_factory=dict)
    """The original dtypes of 8- and 16-bit integers, which are int32 in the samples."""


def load_samples(
    config: ModelConfig,
    source: Source,
    root: Path,
    limit: int,
    interface: Sequence[mil.Feature] = (),
) -> Samples:
    """Loads at most ``limit`` samples, or draws random ones if the configuration names none.

    ``interface`` has the inputs of a package, which has no signature. Samples of an image input are the
    source's values (``pixel * scale + bias``), rounded to the nearest 8-bit image, because Core ML passes
    only such images. Samples of a float16 input stay in float32, as in the app; the rounding of the input
    counts as a difference of the package (``comparing/rounded_inputs.py``). The random generators are seeded
    again, so the samples do not depend on what a model draws while it is built. Raises :class:`SamplesError`.
    """
    if config.samples is None:
        features = known_features(config, source, interface)
        drawn = draw_samples(features, limit)
        return _checked(config, source, features, drawn, is_random=True)
    produce = load_callable(config.samples, root, SamplesError)
    seed(_SEED, _SEED)
    with user_code(f"samples {config.samples}", root, SamplesError):
        produced = produce()
    return samples_of(produced, config, source, root, limit, interface)


def samples_of(
    produced: object,
    config: ModelConfig,
    source: Source,
    root: Path,
    limit: int,
    interface: Sequence[mil.Feature] = (),
) -> Samples:
    """As :func:`load_samples`, from values that the user's code has already produced."""
    raw = _taken(produced, config.samples, root, limit)
    return _checked(config, source, known_features(config, source, interface), raw, is_random=False)


def _taken(produced: object, reference: str | None, root: Path, limit: int) -> list[object]:
    """The first samples; ``reference`` is the callable that returned them, if any."""
    hint = "yield tensors, tuples of tensors, or dicts of tensors by input name."
    named = "`samples`" if reference is None else f"samples `{reference}`"
    if isinstance(produced, Mapping | torch.Tensor | str | bytes) or not isinstance(produced, Iterable):
        came = "is" if reference is None else "returned"
        kind = type(produced).__name__
        raise SamplesError(f"{named} {came} a `{kind}`, not an iterable of samples.", hint)
    with user_code(named.replace("`", ""), root, SamplesError):
        yielded = list(itertools.islice(produced, limit))
    if not yielded:
        raise SamplesError(f"{named} yielded no sample.", hint)
    return yielded


def _checked(
    config: ModelConfig,
    source: Source,
    features: Mapping[str, InputFeature],
    raw: Sequence[object],
    *,
    is_random: bool,
) -> Samples:
    names = _names(config, source, features, raw[0])
    declared = {item.name: item for item in config.input}
    own = source.input_names
    ordered = tuple(name for name in own if name in names) if set(names) <= set(own) else names
    samples = tuple(_sample(number, value, names, ordered, declared) for number, value in enumerate(raw))
    for name in names:
        _check_agreement(name, samples, declared.get(name), features.get(name))
    images = () if is_random else tuple(_images(raw, names, declared))
    return Samples(ordered, samples, is_random, _fingerprint(samples), images, _narrow(raw[0], names))


def _narrow(first: object, names: tuple[str, ...]) -> dict[str, torch.dtype]:
    given = {name: getattr(value, "dtype", None) for name, value in _by_name(0, first, names).items()}
    kinds = {name: kind for name, kind in given.items() if isinstance(kind, torch.dtype)}
    return {name: kind for name, kind in kinds.items() if kind in NARROWED and not kind.is_floating_point}


def _images(
    raw: Sequence[object], names: tuple[str, ...], declared: Mapping[str, ModelInput]
) -> Iterator[ImagePixels]:
    """The pixels of each image input before rounding."""
    for name, item in declared.items():
        if item.image is not None:
            values = (_by_name(number, value, names)[name] for number, value in enumerate(raw))
            yield image_pixels(name, item.image, [_tensor(f"input `{name}`", value) for value in values])


def _names(
    config: ModelConfig, source: Source, features: Mapping[str, InputFeature], first: object
) -> tuple[str, ...]:
    """The inputs' names in the source's order, which depend on the form of the first sample."""
    configured = tuple(item.name for item in config.input)
    own = source.input_names if source.kind != "package" else tuple(features)
    if isinstance(first, Mapping):
        names = _names_of_mapping(tuple(map(str, first)), configured, own)
    else:
        names = _names_by_position(_count(first), configured, own)
    _check_required(names, source, configured or own)
    unknown = [name for name in configured if name not in names]
    if unknown:
        raise SamplesError(
            f"input `{unknown[0]}` is configured, but the samples hold {_listed(names)}.",
            "correct the name in `[[model.input]]`, or yield it.",
        )
    return names


def _names_of_mapping(
    given: tuple[str, ...], configured: tuple[str, ...], own: tuple[str, ...]
) -> tuple[str, ...]:
    known = own if set(given) & set(own) or not configured else configured
    strange = [name for name in given if known and name not in known]
    if strange:
        raise SamplesError(
            f"sample 0 has an input `{strange[0]}` that the source does not take: it takes {_listed(known)}.",
            "rename the sample's key, or rename the source's input.",
        )
    return tuple(name for name in known if name in given) or given


def _check_required(names: tuple[str, ...], source: Source, expected: tuple[str, ...]) -> None:
    """Require the arguments of the signature; if the configuration names inputs, require all of those."""
    by_name = bool(source.input_names) and set(names) <= set(source.input_names)
    required = [name for name, needed in source.parameters.items() if needed] if by_name else expected
    missing = [name for name in required if name not in names]
    if missing:
        raise SamplesError(
            f"sample 0 lacks the input `{missing[0]}`: it has {_listed(names)}.",
            "yield every input that the source needs.",
        )


def _names_by_position(count: int, configured: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
    if len(configured) == count:
        return configured
    if len(configured) > count or (own and count > len(own)):
        takes = max(len(configured), len(own))
        raise SamplesError(
            f"sample 0 holds {counted(count, 'input')}, the source takes {takes}: "
            f"{_listed(own or configured)}.",
            "yield one tensor per input, in the order of the source's parameters.",
        )
    return own[:count] or tuple(f"input_{position}" for position in range(count))


def _count(value: object) -> int:
    return len(value) if isinstance(value, tuple | list) else 1


def _sample(
    number: int,
    value: object,
    names: tuple[str, ...],
    ordered: tuple[str, ...],
    declared: Mapping[str, ModelInput],
) -> dict[str, torch.Tensor]:
    """One sample's inputs; ``names`` are those of positions, ``ordered`` is the source's order."""
    by_name = _by_name(number, value, names)
    for name in ordered:
        if isinstance(by_name[name], _WRITTEN | Mapping | list | tuple):
            raise SamplesError(
                f"input `{name}` of sample {number} is {_kind(by_name[name])}, which Core ML cannot take.",
                _with_tensors_alone(
                    {name: by_name[name] for name in ordered}, keywords=isinstance(value, Mapping)
                ),
            )
    return {name: _input(number, name, by_name[name], declared.get(name)) for name in ordered}


def _kind(value: object) -> str:
    return "`None`" if value is None else f"a `{type(value).__name__}`"


def _with_tensors_alone(inputs: Mapping[str, object], *, keywords: bool) -> str:
    """How a module around the source takes tensors, and hands on what the source takes."""
    taken: dict[str, object] = {}
    own = tuple(inputs)
    given = [
        f"{name}={_handed_on(name, value, taken, own)}" if keywords else _handed_on(name, value, taken, own)
        for name, value in inputs.items()
    ]
    numbers = [value for value in inputs.values() if type(value) in {int, float}]
    varying = f"where it changes, yield `torch.tensor([{numbers[0]!r}])`; else " if numbers else ""
    return (
        f"{varying}let `source` give a module around it that takes tensors alone, `def forward(self, "
        f"{', '.join(taken)}): return self.model({', '.join(given)})`, and yield these."
    )


def _handed_on(name: str, value: object, taken: dict[str, object], own: tuple[str, ...]) -> str:
    """The expression that stands for a value; the tensors in it are added to what is ``taken``.

    ``own`` are the source's inputs, whose names the values of a dict do not get.
    """
    if isinstance(value, Mapping):
        pairs = [
            (key, _handed_on(_free(str(key), (*taken, *own)), each, taken, own))
            for key, each in value.items()
        ]
        return "{" + ", ".join(f"{_literal(key)}: {each}" for key, each in pairs) + "}"
    if isinstance(value, list | tuple):
        inside = ", ".join(
            _handed_on(f"{name}_{place}", each, taken, own) for place, each in enumerate(value)
        )
        return f"[{inside}]" if isinstance(value, list) else f"({inside},)"
    if isinstance(value, _WRITTEN):
        return _literal(value)
    taken[name] = value
    return name


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _free(key: str, used: tuple[str, ...]) -> str:
    """A parameter's name for a value of a dict."""
    name = key if key.isidentifier() else f"input_{len(used)}"
    return name if name not in used else f"{name}_{used.count(name)}"


def _by_name(number: int, value: object, names: tuple[str, ...]) -> dict[str, object]:
    if isinstance(value, Mapping):
        if set(value) != set(names):
            raise SamplesError(
                f"sample {number} holds {_listed(tuple(map(str, value)))}, sample 0 holds {_listed(names)}.",
                "yield the same inputs in every sample.",
            )
        return dict(value)
    values = value if isinstance(value, tuple | list) else (value,)
    if len(values) != len(names):
        raise SamplesError(
            f"sample {number} holds {counted(len(values), 'input')}, expected {len(names)}: "
            f"{_listed(names)}.",
            "yield the same inputs in every sample.",
        )
    return dict(zip(names, values, strict=True))


def _input(number: int, name: str, value: object, declared: ModelInput | None) -> torch.Tensor:
    where = f"input `{name}` of sample {number}"
    tensor = _tensor(where, value)
    if declared is not None and declared.dtype is not None:
        _check_dtype(where, tensor, declared.dtype)
    _check_values(where, tensor)
    if declared is not None and declared.image is not None:
        check_image(where, tensor, declared.image)
        return nearest_image(tensor, declared.image)
    return tensor


def _tensor(where: str, value: object) -> torch.Tensor:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        value = torch.from_numpy(np.array(value, order="C"))
    if isinstance(value, torch.Tensor) and value.is_complex():
        raise SamplesError(
            f"{where} is complex, but Core ML supports only real numbers.",
            "make it two inputs, and begin forward with `torch.complex(real, imaginary)`, which converts.",
        )
    if not isinstance(value, torch.Tensor) or value.is_quantized:
        kind = f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__
        raise SamplesError(
            f"{where} is a `{kind}`, which Core ML does not support.",
            "yield tensors or numpy arrays of floats, integers or booleans.",
        )
    if value.dim() == 0:
        raise SamplesError(
            f"{where} is a scalar (rank 0), which Core ML does not support.", "yield it with shape [1]."
        )
    return as_input(value).contiguous().clone()


def _check_dtype(where: str, tensor: torch.Tensor, dtype: str) -> None:
    if tensor.is_floating_point() != dtype.startswith("float") or tensor.dtype == torch.bool:
        got = str(tensor.dtype).removeprefix("torch.")
        raise SamplesError(
            f"{where} is {got}, the configuration allows {dtype}.",
            f"yield {dtype} values, or change `dtype` in `[[model.input]]`.",
        )


def _check_values(where: str, tensor: torch.Tensor) -> None:
    if not tensor.is_floating_point():
        return
    bad = int((~torch.isfinite(tensor)).sum())
    if bad:
        raise SamplesError(
            f"{where} holds NaN or infinity in {counted(bad, 'element')}, allowed 0.",
            "yield values that the app would pass; a mask needs a large finite number, such as -1e4.",
        )


def _check_agreement(
    name: str, samples: Sequence[Sample], declared: ModelInput | None, feature: InputFeature | None
) -> None:
    first = samples[0][name]
    for number, sample in enumerate(samples):
        value = sample[name]
        if value.dtype != first.dtype or value.dim() != first.dim():
            raise SamplesError(
                f"input `{name}` of sample {number} is {_form(value)}, that of sample 0 is {_form(first)}.",
                "yield one dtype and one rank per input.",
            )
        if feature is not None:
            _check_shape(name, number, tuple(value.shape), feature)
    if declared is None or (declared.shape is None and declared.shapes is None):
        _check_fixed(name, [tuple(sample[name].shape) for sample in samples], feature)


def _check_shape(name: str, number: int, shape: tuple[int, ...], feature: InputFeature) -> None:
    if not feature.allows(shape):
        raise SamplesError(
            f"input `{name}` of sample {number} has shape {list(shape)}, allowed is {feature.allowed}.",
            "yield an allowed shape, or change `shape` in `[[model.input]]`.",
        )


def _check_fixed(name: str, shapes: list[tuple[int, ...]], feature: InputFeature | None) -> None:
    if len(set(shapes)) == 1 or (feature is not None and feature.shapes):
        return
    sizes = [(min(column), max(column)) for column in zip(*shapes, strict=True)]
    ranges: list[Dimension] = [low if low == high else (low, high) for low, high in sizes]
    written = ", ".join(
        f"[{size[0]}, {size[1]}]" if isinstance(size, tuple) else str(size) for size in ranges
    )
    other = next(number for number, shape in enumerate(shapes) if shape != shapes[0])
    raise SamplesError(
        f"input `{name}` has shape {list(shapes[0])} in sample 0 and {list(shapes[other])} in sample "
        f"{other}, but no range is configured: without one, a package has fixed shapes.",
        f'write in coreml-gate.toml: [[model.input]] name = "{name}" shape = [{written}]',
    )


def _fingerprint(samples: Sequence[Sample]) -> str:
    digest = hashlib.sha256()
    for sample in samples:
        for name, value in sample.items():
            digest.update(f"{name} {_form(value)}\n".encode())
            digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _form(value: torch.Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"


def _listed(names: Sequence[str]) -> str:
    return listed(names) or "none"
