"""Pre- and post-processing: pixels, channels and labels between the app and the network."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Feature, Operation
from coreml_gate.mil.package import Package
from coreml_gate.rules.evidence import CLASSIFIERS
from coreml_gate.rules.rule import Match, rule

_IMAGES: Final = "https://apple.github.io/coremltools/docs-guides/source/image-inputs.html"
_MEANS: Final = np.array([0.485, 0.456, 0.406])
_STDS: Final = np.array([0.229, 0.224, 0.225])
_ONE_STD: Final = 0.226
"""The single deviation that replaces the three."""
_BIASES: Final = (-_MEANS / _STDS, -_MEANS / _ONE_STD)
_CLOSE: Final = 0.02
_PIXEL: Final = 1 / 255
_TWICE: Final = 1 / 2000
"""A smaller total scale means that pixels were normalised twice; once gives 1/255 to 1/58 (ImageNet)."""
_SCORES, _SCORES_OF_PIXELS = 2, 4
"""Ranks of scores per input and per pixel; the second axis holds the classes."""
_KEYS_OF_NAMES: Final = frozenset({"names", "classes", "labels", "class_names"})
_PREVIEW: Final = "com.apple.coreml.model.preview.params"
_BOUNDED: Final = {"sigmoid": 1.0, "softmax": 1.0, "tanh": 1.0, "sigmoid_hard": 1.0}
_SPATIAL: Final = frozenset({"conv", "linear", "matmul"})


@dataclass(frozen=True)
class _Entry:
    """What happens to pixels before the first layer: a multiplication, then an addition."""

    feature: Feature
    scale: float
    bias: NDArray[np.float64]
    layer: Operation | None


@rule(
    "one-deviation",
    "info",
    on="package",
    evidence=("apple/coremltools#1087", _IMAGES),
    fix="An image's scale is one number. Divide in the model instead, by one deviation per channel:\n"
    "x = (x / 255 - mean[:, None, None]) / std[:, None, None]",
)
def one_deviation(package: Package) -> Iterator[Match]:
    """One scale stands for three standard deviations."""
    for entry in _entries(package):
        normalised = any(_is_close(entry.bias, bias) for bias in (_BIASES[0], _BIASES[0][::-1]))
        if normalised and abs(entry.scale / (_PIXEL / _ONE_STD) - 1) < _CLOSE:
            yield Match(
                entry.feature.name,
                "all channels are divided by one deviation, 0.226, for 0.229, 0.224 and 0.225",
            )


def _entries(package: Package) -> Iterator[_Entry]:
    view = Index(package.function())
    for feature in package.interface.inputs:
        if feature.kind == "image":
            yield _entry(view, feature)


def _entry(view: Index, feature: Feature) -> _Entry:
    scale, bias, name = 1.0, np.zeros(1), feature.name
    while True:
        readers = view.readers.get(name, ())
        step = readers[0] if len(readers) == 1 else None
        factor = None if step is None else _factor(view, step)
        if step is None or factor is None:
            return _Entry(feature, scale, bias, step)
        scale, bias = scale * factor[0], bias * factor[0] + factor[1]
        name = step.name


def _factor(view: Index, step: Operation) -> tuple[float, NDArray[np.float64]] | None:
    """The factor and the summand of a step, per channel; ``None`` for any other operation."""
    if step.type in {"cast", "identity"}:
        return 1.0, np.zeros(1)
    value = view.numbers(step, "y")
    numeric = value is not None and value.dtype.kind in "fiu" and value.size > 0
    if value is None or not numeric or step.type not in {"mul", "real_div", "add", "sub"}:
        return None
    flat = value.astype(np.float64).reshape(-1)
    if step.type in {"add", "sub"}:
        return 1.0, flat if step.type == "add" else -flat
    return (float(flat[0]) if step.type == "mul" else 1 / float(flat[0])), np.zeros(1)


def _is_close(bias: NDArray[np.float64], wanted: NDArray[np.float64]) -> bool:
    return bias.shape == wanted.shape and np.allclose(bias, wanted, rtol=_CLOSE)


@rule(
    "channel-order",
    "silent",
    on="package",
    evidence=("apache/mxnet#7933", "apple/coremltools#2449", _IMAGES),
    fix='Give the biases in the order of the pixels, or read the pixels as RGB:\nimage = { color = "RGB" }',
)
def channel_order(package: Package) -> Iterator[Match]:
    """The means are not in the order of the channels."""
    for entry in _entries(package):
        if len(set(entry.bias.tolist())) == 1:
            continue
        as_rgb = any(_is_close(entry.bias, bias) for bias in _BIASES)
        as_bgr = any(_is_close(entry.bias[::-1], bias) for bias in _BIASES)
        if (entry.feature.color == "BGR" and as_rgb) or (entry.feature.color == "RGB" and as_bgr):
            order = "red first" if as_rgb else "blue first"
            yield Match(
                entry.feature.name, f"pixels come as {entry.feature.color}, ImageNet's means are {order}"
            )


@rule(
    "raw-pixels",
    "info",
    on="package",
    evidence=("xuebinqin/U-2-Net#118", "apple/coremltools#2438", _IMAGES),
    fix="If the network was trained on pixels from 0 to 1:\nimage = { scale = 0.00392156862745098 }",
)
def raw_pixels(package: Package) -> Iterator[Match]:
    """Pixels from 0 to 255 reach the first layer unscaled."""
    for entry in _entries(package):
        if entry.scale == 1 and entry.layer is not None and entry.layer.type in _SPATIAL:
            yield Match(entry.feature.name, f"pixels of 0 to 255 reach `{entry.layer.name}` as they are")


@rule(
    "scaled-twice",
    "silent",
    on="package",
    evidence=(_IMAGES,),
    fix="Scale in the input or in the model, not in both:\nimage = { scale = 1.0 }",
)
def scaled_twice(package: Package) -> Iterator[Match]:
    """Pixels are normalised twice."""
    for entry in _entries(package):
        if 0 < entry.scale < _TWICE:
            yield Match(entry.feature.name, f"pixels are multiplied by {entry.scale:.3g} in all")


@rule(
    "dark-image",
    "silent",
    on="package",
    evidence=(
        "apple/coremltools#2449",
        "apple/coremltools#2213",
        "anilsathyan7/Portrait-Segmentation#42",
    ),
    fix="Pixels go from 0 to 255, so this image is black. End the model with\nreturn torch.sigmoid(x) * 255",
)
def dark_image(package: Package) -> Iterator[Match]:
    """An output image has values from 0 to 1 instead of 0 to 255."""
    view = Index(package.function())
    for feature in package.interface.outputs:
        made = view.origin(feature.name) if feature.kind == "image" else None
        if made is None or made.type not in _BOUNDED:
            continue
        yield Match(feature.name, f"an image of values up to {_BOUNDED[made.type]:g}, out of `{made.type}`")


@rule(
    "repeated-label",
    "silent",
    on="package",
    evidence=("measured: coremltools 9.0 accepts them; a dictionary holds one probability per key",),
    fix='Make the labels unique:\nlabels = [f"{label} ({i})" for i, label in enumerate(labels)]',
)
def repeated_label(package: Package) -> Iterator[Match]:
    """Two classes share a label."""
    for operation, labels in _labels(package):
        repeated = [label for label, count in Counter(labels).items() if count > 1]
        if repeated:
            yield Match(
                operation.name, f"{len(repeated)} of {len(labels)} labels occur twice, first `{repeated[0]}`"
            )


def _labels(package: Package) -> Iterator[tuple[Operation, list[object]]]:
    view = Index(package.function())
    for operation in view.of("classify"):
        labels = view.constant(operation, "classes")
        if labels is not None:
            yield operation, labels.reshape(-1).tolist()


@rule(
    "class-names",
    "silent",
    on="package",
    evidence=("https://apple.github.io/coremltools/docs-guides/source/xcode-model-preview-types.html",),
    fix="An app looks the names up by class number. Write the names of this model's classes:\n"
    'model.user_defined_metadata["names"] = str(names)',
)
def class_names(package: Package) -> Iterator[Match]:
    """The metadata name a different number of classes than the output has."""
    outputs = package.interface.outputs
    scores = outputs[0].shape if len(outputs) == 1 else ()
    if len(scores) not in {_SCORES, _SCORES_OF_PIXELS}:
        return
    for key, text in sorted(package.spec.description.metadata.userDefined.items()):
        count = _named_classes(key, text)
        if count and count not in {scores[1], scores[1] - 1}:  # a background has no name
            yield Match(key, f"{count} names, output `{outputs[0].name}` has {scores[1]} classes")


def _named_classes(key: str, text: str) -> int:
    """How many classes a metadata entry names, as a list or by number; 0 if it names none."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return 0
    if key == _PREVIEW and isinstance(value, dict):
        key, value = "labels", value.get("labels")
    if key not in _KEYS_OF_NAMES or not isinstance(value, list | tuple | dict):
        return 0
    return len(value)


@rule(
    "numbered-labels",
    "info",
    on="package",
    evidence=(CLASSIFIERS,),
    fix='Vision shows the labels to people. Use names:\nct.ClassifierConfig("labels.txt")',
)
def numbered_labels(package: Package) -> Iterator[Match]:
    """The class labels are only numbers."""
    for operation, labels in _labels(package):
        if len(labels) > 1 and all(str(label).isdecimal() for label in labels):
            yield Match(operation.name, f"{len(labels)} labels are numbers, `{labels[0]}` first")


@rule(
    "label-scores",
    "info",
    on="package",
    evidence=(
        "ultralytics/ultralytics#17851",
        CLASSIFIERS,
    ),
    fix="Vision shows them as a confidence. End the model with\nreturn torch.softmax(x, dim=-1)",
)
def label_scores(package: Package) -> Iterator[Match]:
    """A classifier's probabilities are logits."""
    view = Index(package.function())
    for operation in view.of("classify"):
        made = view.maker(operation, "probabilities")
        if made is None or made.type not in {"softmax", "sigmoid", "real_div"}:
            kind = "an input" if made is None else f"`{made.type}`"
            yield Match(operation.name, f"its probabilities come out of {kind}, not of a softmax")


@rule(
    "image-as-array",
    "info",
    on="package",
    evidence=(_IMAGES,),
    fix="The app must copy and normalise camera frames itself. Declare the input as an image:\n"
    "[[model.input]]\n"
    'name = "x"\n'
    "image = { scale = 0.00392156862745098 }",
)
def image_as_array(package: Package) -> Iterator[Match]:
    """An input that looks like an image is declared as an array."""
    for feature in package.interface.inputs:
        looks = len(feature.shape) == 4 and feature.shape[1] == 3 and min(feature.shape[2:]) >= 96  # noqa: PLR2004 - (1, 3, height, width)
        if feature.kind == "multiarray" and looks:
            yield Match(feature.name, f"an array of {feature.shape} looks like an image")
