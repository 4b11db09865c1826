"""Errors in the form that coremltools' native half gives an ``NSError``: its ``userInfo`` as text.

Core ML's own sentences are those of public reports; each has its source beside it.
"""

from collections.abc import Mapping
from typing import Final

FAILED_PREDICTION: Final = (
    "Unable to compute the prediction using ML Program. "
    "It can be an invalid input data or broken/unsupported model."
)
"""apple/ml-stable-diffusion#280."""


def user_info(description: str, underlying: str = "", code: int = 0) -> str:
    r"""The text of ``userInfo``: sorted keys, quoted values, other characters than ASCII as ``\Uxxxx``."""
    entries = {"NSLocalizedDescription": description}
    if underlying:
        entries["NSUnderlyingError"] = f'Error Domain=com.apple.CoreML Code={code} "{underlying}"'
    return _text(entries)


def core_ml_error(description: str, underlying: str = "", code: int = 0) -> RuntimeError:
    """The exception that the native half raises for an error of Core ML."""
    return RuntimeError(user_info(description, underlying, code))


def only_from(what: str, version: str, verb: str = "is") -> RuntimeError:
    """The native half's error on a macOS that is too old."""
    return RuntimeError(f"{what} {verb} only available on macOS >= {version}")


def _text(entries: Mapping[str, str]) -> str:
    lines = [f"    {key} = {_quoted(value)};" for key, value in sorted(entries.items())]
    return "\n".join(("{", *lines, "}"))


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(each if each.isascii() else f"\\U{ord(each):04x}" for each in escaped) + '"'
