"""Inputs and outputs as in ``MLModel.predict``: numpy or images, validated against the interface."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coreml_gate.errors import InputError, PackageError
from coreml_gate.mil.ir import Feature, Interface
from coreml_gate.runtime.arguments import from_numpy
from coreml_gate.untyped import MilValue
from coreml_gate.wording import listed

_NUMPY: dict[str, type[np.generic]] = {
    "fp16": np.float32,
    "fp32": np.float32,
    "fp64": np.float64,
    "int32": np.int32,
    "int8": np.int8,
}
_CHANNELS = 3


def read_inputs(interface: Interface, given: Mapping[str, MilValue]) -> dict[str, Tensor]:
    """The caller's values as tensors by name, in the order of the interface.

    :raises InputError: A value is missing, unknown, of the wrong shape, or not numeric.
    """
    names = {feature.name for feature in interface.inputs}
    for name in given:
        if name not in names:
            known = listed(sorted(names))
            raise InputError(f"input `{name}`: the package has no such input.", f"its inputs are {known}.")
    return {feature.name: _read(feature, given) for feature in interface.inputs}


def _read(feature: Feature, given: Mapping[str, MilValue]) -> Tensor:
    if feature.name not in given:
        return _default(feature)
    array = _numbers(feature, given[feature.name])
    if feature.kind == "image":
        return from_numpy(_pixels(feature, array))
    array = array.reshape(1) if array.ndim == 0 else array
    if not feature.takes(array.shape):
        raise InputError(
            f"input `{feature.name}`: its shape is {array.shape}, wanted {feature.wanted()}.",
            "give the shape that the package was converted for, or convert it with a "
            "flexible shape (RangeDim).",
        )
    return from_numpy(array)


def _default(feature: Feature) -> Tensor:
    if not feature.optional or feature.default is None:
        raise InputError(
            f"input `{feature.name}` is missing.", f"give an array of the shape {feature.wanted()}."
        )
    return torch.full(feature.shape, feature.default)


def _numbers(feature: Feature, value: MilValue) -> NDArray[np.generic]:
    array: NDArray[np.generic] = (
        value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    )
    if array.dtype.kind not in "biuf":
        raise InputError(f"input `{feature.name}`: {type(value).__name__} of {array.dtype} holds no numbers.")
    return array


def _pixels(feature: Feature, image: NDArray[np.generic]) -> NDArray[np.generic]:
    if image.shape[:2] != feature.shape and not feature.takes(image.shape[:2]):
        raise InputError(
            f"input `{feature.name}`: the image is {image.shape[:2]} (height, width), "
            f"wanted {feature.wanted()}.",
            "resize the image.",
        )
    if feature.color.startswith("GRAYSCALE"):
        return image[None, None].astype(np.float32)
    if image.ndim != _CHANNELS or image.shape[2] < _CHANNELS:
        raise InputError(
            f"input `{feature.name}`: an image of the shape {image.shape} has no three channels."
        )
    channels = image[..., :_CHANNELS][..., :: -1 if feature.color == "BGR" else 1]
    return np.ascontiguousarray(channels.transpose(2, 0, 1)[None]).astype(np.float32)


def write_outputs(interface: Interface, values: Mapping[str, MilValue]) -> dict[str, MilValue]:
    """The outputs of ``MLModel.predict``: half precision widened, rank 0 as one element, images from PIL."""
    return {feature.name: _write(feature, values[feature.name]) for feature in interface.outputs}


def _write(feature: Feature, value: MilValue) -> MilValue:
    if not isinstance(value, Tensor):
        return value
    if feature.kind == "image":
        return _image(feature, value.float().numpy())
    array = value.numpy().astype(_NUMPY.get(feature.dtype, np.float32))
    return array.reshape(1) if array.ndim == 0 else array


def _image(feature: Feature, array: NDArray[np.float32]) -> MilValue:
    try:
        from PIL import Image  # noqa: PLC0415  # only image outputs need it
    except ImportError as error:
        raise PackageError(f"output `{feature.name}` is an image.", "pip install pillow") from error
    planes = array[0]
    if feature.color == "GRAYSCALE_FLOAT16":
        return Image.fromarray(planes[0].astype(np.float16).astype(np.float32))
    pixels = np.clip(np.rint(planes), 0, 255).astype(np.uint8)
    if feature.color == "GRAYSCALE":
        return Image.fromarray(pixels[0])
    colors = pixels[::-1] if feature.color == "BGR" else pixels
    opaque = np.concatenate(
        [colors, np.full_like(colors[:1], 255)]
    )  # Core ML returns BGRA buffers, converted to RGBA
    return Image.fromarray(np.ascontiguousarray(opaque.transpose(1, 2, 0)))
