"""Values at the native border: which become features, which are refused, and which come back.

The rules are those of ``convertValueToObjC``, ``PybindCompatibleArray`` and ``convertValueToPython`` in
coremlpython/ of apple/coremltools 9.0. Core ML's own sentences have their public source beside them.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from coreml_gate.arrays import Array
from coreml_gate.mil.ir import Feature
from coreml_gate.stand_in.ns_error import core_ml_error
from coreml_gate.untyped import CoreMlObject

_ARRAYS: Final = (np.dtype(np.int32), np.dtype(np.float32), np.dtype(np.float64))
"""int8 is refused: the module that reads arrays was built without the switch for macOS 26."""
_IMAGES: Final = ("RGB", "RGBA", "L", "F")


def read_features(given: Mapping[CoreMlObject, CoreMlObject]) -> dict[str, CoreMlObject]:
    """The caller's dictionary as features; lists and tuples are dropped, as in the native half.

    :raises RuntimeError: A key is not a string, or a value cannot become a feature.
    """
    return {_key(key): _value(value) for key, value in given.items() if not isinstance(value, list | tuple)}


def check_features(given: Mapping[str, CoreMlObject], wanted: tuple[Feature, ...]) -> None:
    """Refuse what Core ML itself refuses before computing.

    :raises RuntimeError: A feature is missing, of another kind, or of another shape.
    """
    for feature in wanted:
        if feature.name in given:
            _check(feature, given[feature.name])
        elif not feature.optional:
            raise core_ml_error(f"Feature {feature.name} is required but not specified.", code=1)


def given_back(value: object) -> CoreMlObject:
    """An output as Python sees it; an array of int8 is a null object, which no dictionary takes (9.0)."""
    if isinstance(value, np.ndarray) and value.dtype == np.int8:
        raise SystemError("null argument to internal routine")
    return value


def read_array(value: object) -> Array | None:
    """An array that can share memory with Core ML (three types, one axis or more), or ``None``."""
    array = np.asarray(value)
    shares = array.dtype in _ARRAYS and array.dtype.isnative and array.ndim > 0 and array.flags.writeable
    return array if shares else None


def _key(key: object) -> str:
    if isinstance(key, str | bytes):
        return key.decode() if isinstance(key, bytes) else key
    raise RuntimeError(
        "Unable to cast Python instance of type "
        f"{type(key)} to C++ type '?' (#define PYBIND11_DETAILED_ERROR_MESSAGES or compile in debug mode for "
        "details)"
    )


def _value(value: object) -> object:
    if isinstance(value, int | float | str | bytes | dict | np.integer):
        return value
    if _has_buffer(value) and (array := read_array(value)) is not None:
        return array
    if _is_image(value):
        return _image(value)
    print("Error: value type not convertible:")  # noqa: T201 - so does the native half
    print(value)  # noqa: T201
    raise RuntimeError("value type not convertible")


def _has_buffer(value: CoreMlObject) -> bool:
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def _is_image(value: object) -> bool:
    return hasattr(value, "tobytes") and hasattr(value, "mode") and hasattr(value, "width")


def _image(image: CoreMlObject) -> CoreMlObject:
    if image.mode not in _IMAGES:
        raise RuntimeError(f"Unsupported image type {image.mode}. Supported types are: RGB, RGBA, L.")
    return image


def _check(feature: Feature, value: CoreMlObject) -> None:
    if feature.kind == "image" and not _is_image(value):
        # alibaba/MNN#2207
        raise core_ml_error(
            f"The model expects input feature {feature.name} to be an image, but the input is of type "
            f"{_TYPES.get(type(value), 5)}.",
            code=1,
        )
    if feature.kind == "multiarray":
        _check_array(feature, value)


_TYPES: Final[Mapping[type, int]] = {int: 1, float: 2, str: 3, dict: 6}
"""Raw values of ``MLFeatureType``; 5 is an array."""


def _check_array(feature: Feature, value: CoreMlObject) -> None:
    if not isinstance(value, np.ndarray):
        # apple/coremltools#301
        raise core_ml_error("MultiArrayConstraint only allows MultiArrays", code=1)
    if feature.takes(value.shape):
        return
    # alibaba/MNN#1672, cactus-compute/cactus#570, apple/coremltools#672
    if feature.shapes:
        reason = f"MultiArray Shape ({_sizes(value.shape)}) was not in enumerated set of allowed shapes"
    else:
        reason = (
            f"MultiArray shape ({_sizes(value.shape)}) does not match the shape ({_sizes(feature.shape)}) "
            "specified in the model description"
        )
    raise core_ml_error(
        f"For input feature '{feature.name}', the provided shape ({' × '.join(map(str, value.shape))}) is "  # noqa: RUF001
        "not compatible with the model's feature description.",
        reason,
        code=1,
    )


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
