"""Errors of libraries that document none: their words become a value."""

from collections.abc import Iterator
from contextlib import contextmanager

from coreml_gate.errors import WorkerError


@contextmanager
def in_its_own_words() -> Iterator[None]:
    """Any error, as a :class:`WorkerError` with its type and text: Core ML's reasons stand in the text."""
    try:
        yield
    except Exception as error:
        raise WorkerError(f"{type(error).__name__}: {error}") from error
