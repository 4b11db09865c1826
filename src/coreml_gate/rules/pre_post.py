"""Pre- and post-processing: pixels, channels and labels between the app and the network."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Feature, Operation
from coreml_gate.mil.package import Package
from coreml_gate.rules.rule import Match, Rule

_IMAGES: Final = "https://apple.github.io/coremltools/docs-guides/source/image-inputs.html"
_MEANS: Final = np.array([0.485, 0.456, 0.406])
_STDS: Final = np.array([0.229, 0.224, 0.225])
_CLOSE: Final = 0.02
_PIXEL: Final = 1 / 255
_TWICE: Final = 1 / 2000
"""Pixels times less than this were normalised twice: once gives 1/255 to 1/58 (by ImageNet's deviations)."""
_BOUNDED: Final = {"sigmoid": 1.0, "softmax": 1.0, "tanh": 1.0, "sigmoid_hard": 1.0}
_SPATIAL: Final = frozenset({"conv", "linear", "matmul"})


@dataclass(frozen=True)
class _Entry:
    """What happens to pixels before the first layer: they are multiplied, then something is added."""

    feature: Feature
    scale: float
    bias: NDArray[np.float64]
    layer: Operation | None


def _entries(package: Package) -> Iterator[tuple[Index, _Entry]]:
    view = Index(package.function())
    for feature in package.interface.inputs:
        if feature.kind == "image":
            yield view, _entry(view, feature)


def _entry(view: Index, feature: Feature) -> _Entry:
    scale, bias, name = 1.0, np.zeros(1), feature.name
    while True:
        readers = view.readers.get(name, ())
        step = readers[0] if len(readers) == 1 else None
        factor = None if step is None else _factor(view, step)
        if step is None or factor is None:
            return _Entry(feature, scale, bias, step)
        scale, bias = scale * factor[0], bias * factor[0] + factor[1]
        name = step.outputs[0].name


def _factor(view: Index, step: Operation) -> tuple[float, NDArray[np.float64]] | None:
    """What a step multiplies by and adds, per channel; ``None`` for any other operation."""
    if step.type in {"cast", "identity"}:
        return 1.0, np.zeros(1)
    value = view.constant(step, "y")
    if value is None or step.type not in {"mul", "real_div", "add", "sub"}:
        return None
    flat = value.astype(np.float64).reshape(-1)
    if step.type in {"add", "sub"}:
        return 1.0, flat if step.type == "add" else -flat
    return (float(flat[0]) if step.type == "mul" else 1 / float(flat[0])), np.zeros(1)


def _one_deviation(package: Package) -> Iterator[Match]:
    for _, entry in _entries(package):
        wanted = -_MEANS / _STDS
        biases = (wanted, wanted[::-1])
        normalised = any(
            entry.bias.shape == item.shape and np.allclose(entry.bias, item, rtol=_CLOSE) for item in biases
        )
        if normalised and abs(entry.scale / (_PIXEL / 0.226) - 1) < _CLOSE:
            yield Match(
                entry.feature.name,
                "all channels are divided by one deviation, 0.226, for 0.229, 0.224 and 0.225",
            )


def _channel_order(package: Package) -> Iterator[Match]:
    for _, entry in _entries(package):
        if entry.bias.size != len(_MEANS) or len(set(entry.bias.tolist())) == 1:
            continue
        as_rgb = any(
            np.allclose(entry.bias, item, rtol=_CLOSE) for item in (-_MEANS / _STDS, -_MEANS / 0.226)
        )
        as_bgr = any(
            np.allclose(entry.bias[::-1], item, rtol=_CLOSE) for item in (-_MEANS / _STDS, -_MEANS / 0.226)
        )
        if (entry.feature.color == "BGR" and as_rgb) or (entry.feature.color == "RGB" and as_bgr):
            order = "red first" if as_rgb else "blue first"
            yield Match(
                entry.feature.name, f"pixels come as {entry.feature.color}, ImageNet's means stand {order}"
            )


def _raw_pixels(package: Package) -> Iterator[Match]:
    for _, entry in _entries(package):
        if entry.scale == 1 and entry.layer is not None and entry.layer.type in _SPATIAL:
            yield Match(entry.feature.name, f"pixels of 0 to 255 reach `{entry.layer.name}` as they are")


def _scaled_twice(package: Package) -> Iterator[Match]:
    for _, entry in _entries(package):
        if 0 < entry.scale < _TWICE:
            yield Match(entry.feature.name, f"pixels are multiplied by {entry.scale:.3g} in all")


def _bounded_image(package: Package) -> Iterator[Match]:
    view = Index(package.function())
    for feature in package.interface.outputs:
        made = view.origin(feature.name) if feature.kind == "image" else None
        if made is None or made.type not in _BOUNDED:
            continue
        yield Match(feature.name, f"an image of values up to {_BOUNDED[made.type]:g}, out of `{made.type}`")


def _repeated_label(package: Package) -> Iterator[Match]:
    for operation, labels in _labels(package):
        repeated = [label for label, count in Counter(labels).items() if count > 1]
        if repeated:
            yield Match(
                operation.name, f"{len(repeated)} of {len(labels)} labels occur twice, first `{repeated[0]}`"
            )


def _numbered_labels(package: Package) -> Iterator[Match]:
    for operation, labels in _labels(package):
        if len(labels) > 1 and all(str(label).isdecimal() for label in labels):
            yield Match(operation.name, f"{len(labels)} labels are numbers, `{labels[0]}` first")


def _labels(package: Package) -> Iterator[tuple[Operation, list[object]]]:
    view = Index(package.function())
    for operation in view.of("classify"):
        labels = view.constant(operation, "classes")
        if labels is not None:
            yield operation, labels.reshape(-1).tolist()


def _label_scores(package: Package) -> Iterator[Match]:
    view = Index(package.function())
    for operation in view.of("classify"):
        made = view.maker(operation, "probabilities")
        if made is None or made.type not in {"softmax", "sigmoid", "real_div"}:
            kind = "an input" if made is None else f"`{made.type}`"
            yield Match(operation.name, f"its probabilities come out of {kind}, not of a softmax")


def _image_as_array(package: Package) -> Iterator[Match]:
    for feature in package.interface.inputs:
        looks = len(feature.shape) == 4 and feature.shape[1] == 3 and min(feature.shape[2:]) >= 96  # noqa: PLR2004 - (1, 3, height, width)
        if feature.kind == "multiarray" and looks:
            yield Match(feature.name, f"an array of {feature.shape} looks like an image")


RULES: Final = (
    Rule(
        id="one-deviation",
        severity="info",
        part="package",
        question="Does one scale stand for three deviations?",
        evidence=("apple/coremltools#1087", _IMAGES),
        fix="An image's scale is one number. Divide in the model, by one deviation per channel:\n"
        "x = (x / 255 - mean[:, None, None]) / std[:, None, None]",
        find=_one_deviation,
    ),
    Rule(
        id="channel-order",
        severity="silent",
        part="package",
        question="Do the means stand in the order of the channels?",
        evidence=("apache/mxnet#7933", "apple/coremltools#2449", _IMAGES),
        fix='Give the biases in the order of the pixels, or take them as RGB:\nimage = { color = "RGB" }',
        find=_channel_order,
    ),
    Rule(
        id="raw-pixels",
        severity="info",
        part="package",
        question="Do pixels reach the first layer unscaled?",
        evidence=("xuebinqin/U-2-Net#118", "apple/coremltools#2438", _IMAGES),
        fix="If the network was trained on 0 to 1:\nimage = { scale = 0.00392156862745098 }",
        find=_raw_pixels,
    ),
    Rule(
        id="scaled-twice",
        severity="silent",
        part="package",
        question="Are pixels normalised twice?",
        evidence=(_IMAGES,),
        fix="Scale in the input or in the model, not in both:\nimage = { scale = 1.0 }",
        find=_scaled_twice,
    ),
    Rule(
        id="dark-image",
        severity="silent",
        part="package",
        question="Is an image output limited to 0 to 1?",
        evidence=(
            "apple/coremltools#2449",
            "apple/coremltools#2213",
            "anilsathyan7/Portrait-Segmentation#42",
        ),
        fix="Pixels go from 0 to 255, this one is black. End the model with\nreturn torch.sigmoid(x) * 255",
        find=_bounded_image,
    ),
    Rule(
        id="repeated-label",
        severity="silent",
        part="package",
        question="Do two classes share a label?",
        evidence=("measured: coremltools 9.0 accepts them; a dictionary holds one probability per key",),
        fix='Make the labels unique:\nlabels = [f"{label} ({i})" for i, label in enumerate(labels)]',
        find=_repeated_label,
    ),
    Rule(
        id="numbered-labels",
        severity="info",
        part="package",
        question="Are class labels only numbers?",
        evidence=("https://apple.github.io/coremltools/docs-guides/source/classifiers.html",),
        fix='Vision shows labels to people. Give their names:\nct.ClassifierConfig("labels.txt")',
        find=_numbered_labels,
    ),
    Rule(
        id="label-scores",
        severity="info",
        part="package",
        question="Are a classifier's probabilities logits?",
        evidence=(
            "ultralytics/ultralytics#17851",
            "https://apple.github.io/coremltools/docs-guides/source/classifiers.html",
        ),
        fix="Vision shows them as confidence. End the model with\nreturn torch.softmax(x, dim=-1)",
        find=_label_scores,
    ),
    Rule(
        id="image-as-array",
        severity="info",
        part="package",
        question="Does an input that looks like an image come as an array?",
        evidence=(_IMAGES,),
        fix="Camera frames then have to be copied and normalised in the app:\n"
        '[[model.input]]\nname = "x"\nimage = { scale = 0.00392156862745098 }',
        find=_image_as_array,
    ),
)
