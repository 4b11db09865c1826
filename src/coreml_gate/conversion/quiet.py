"""Reduces a conversion's output to what is useful: no progress bars, no warnings about versions."""

import importlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from torch.jit import TracerWarning  # type: ignore[attr-defined]

from coreml_gate.conversion.replaced import replaced

_LOGGER = logging.getLogger("coremltools")
_NOISE = (
    "Torch version",
    "scikit-learn version",
    "XGBoost version",
    "TensorFlow version",
    "Failed to load _ML",
    "Fail to import",
    "Support for converting Torch Script Models is experimental",
)


class _WithoutNoise(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(_NOISE)


_LOGGER.addFilter(_WithoutNoise())  # here, because coremltools warns during its import


class _Errors(logging.Handler):
    def __init__(self, into: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        self._into.append(" ".join(record.getMessage().split()))


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Collect the errors that coremltools logs, which name the operation and the module.

    Warnings go to standard error, except the tracer's.
    """
    errors: list[str] = []
    handler = _Errors(errors)
    _LOGGER.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught, _no_progress_bars():
            warnings.simplefilter("always")
            yield errors
    finally:
        _LOGGER.removeHandler(handler)
        _pass_on([warning for warning in caught if not issubclass(warning.category, TracerWarning)])


def _pass_on(caught: list[warnings.WarningMessage]) -> None:
    texts = dict.fromkeys(
        f"{warning.category.__name__}: {warning.message}" for warning in caught if _is_for_users(warning)
    )
    for text in texts:
        sys.stderr.write(text + "\n")


def _is_for_users(warning: warnings.WarningMessage) -> bool:
    """Whether it concerns the model, and not the internals of torch and coremltools."""
    return not issubclass(warning.category, DeprecationWarning | FutureWarning | ResourceWarning)


def _no_progress_bars() -> AbstractContextManager[None]:
    return replaced(importlib.import_module("tqdm").tqdm, "__init__", _disabled)


def _disabled(original: Callable[..., None]) -> Callable[..., None]:
    def disabled(self: object, *args: object, **kwargs: object) -> None:
        original(self, *args, **{**kwargs, "disable": True})

    return disabled
