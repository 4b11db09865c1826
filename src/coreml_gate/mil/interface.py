"""The interface that a package describes to the app: kinds, shapes, ranges, defaults."""

import math
from collections.abc import Mapping
from typing import Any

from coreml_gate.errors import PackageError
from coreml_gate.mil.dtypes import MOST_BYTES
from coreml_gate.mil.ir import Feature, FeatureKind, Interface

Message = Any  # generated protobuf classes carry no types

# FeatureTypes.proto of apple/coremltools: ArrayDataType and ColorSpace.
_DTYPES = {65568: "fp32", 65600: "fp64", 131104: "int32", 131080: "int8", 65552: "fp16"}
_COLORS = {10: "GRAYSCALE", 20: "RGB", 30: "BGR", 40: "GRAYSCALE_FLOAT16"}
_KINDS: dict[str, FeatureKind] = {
    "multiArrayType": "multiarray",
    "imageType": "image",
    "stateType": "state",
    "stringType": "string",
    "int64Type": "int64",
    "doubleType": "double",
    "dictionaryType": "dictionary",
    "sequenceType": "sequence",
}


def decode_interfaces(description: Message) -> tuple[str, Mapping[str, Interface]]:
    """The default function's name and each function's interface; a single one is called ``main``."""
    if not description.functions:
        return "main", {"main": _interface(description)}
    return description.defaultFunctionName, {item.name: _interface(item) for item in description.functions}


def _interface(message: Message) -> Interface:
    return Interface(
        inputs=tuple(_feature(item) for item in message.input),
        outputs=tuple(_feature(item) for item in message.output),
        states=tuple(_feature(item) for item in message.state),
    )


def _feature(message: Message) -> Feature:
    kind = _KINDS.get(message.type.WhichOneof("Type"))
    if kind is None:
        raise PackageError(f"the interface gives `{message.name}` no type.", "convert the model again.")
    optional = message.type.isOptional
    if kind == "multiarray":
        return _array(message.name, kind, message.type.multiArrayType, optional=optional)
    if kind == "state":
        return _array(message.name, kind, message.type.stateType.arrayType, optional=optional)
    if kind == "image":
        return _image(message.name, message.type.imageType, optional=optional)
    return Feature(message.name, kind, optional=optional)


def _array(name: str, kind: FeatureKind, message: Message, *, optional: bool) -> Feature:
    _check_shape(name, tuple(message.shape))
    if kind == "state" and message.dataType not in _DTYPES:
        raise PackageError(f"the interface gives the state `{name}` no element type.", "convert again.")
    default = message.WhichOneof("defaultOptionalValue")
    return Feature(
        name=name,
        kind=kind,
        dtype=_DTYPES.get(message.dataType, ""),
        shape=tuple(message.shape),
        ranges=tuple(_bounds(item) for item in message.shapeRange.sizeRanges),
        shapes=tuple(tuple(item.shape) for item in message.enumeratedShapes.shapes),
        optional=optional,
        default=None if default is None else getattr(message, default),
    )


def _check_shape(name: str, shape: tuple[int, ...]) -> None:
    if any(size < 0 for size in shape) or math.prod(shape) > MOST_BYTES:
        raise PackageError(
            f"the interface gives `{name}` the shape {shape}, which no array has.", "convert the model again."
        )


def _image(name: str, message: Message, *, optional: bool) -> Feature:
    _check_shape(name, (message.height, message.width))
    sizes = message.imageSizeRange
    flexible = message.WhichOneof("SizeFlexibility") == "imageSizeRange"
    return Feature(
        name=name,
        kind="image",
        dtype="fp32",
        shape=(message.height, message.width),
        ranges=(_bounds(sizes.heightRange), _bounds(sizes.widthRange)) if flexible else (),
        shapes=tuple((item.height, item.width) for item in message.enumeratedSizes.sizes),
        optional=optional,
        color=_COLORS.get(message.colorSpace, ""),
    )


def _bounds(message: Message) -> tuple[int, int | None]:
    return message.lowerBound, None if message.upperBound < 0 else message.upperBound
