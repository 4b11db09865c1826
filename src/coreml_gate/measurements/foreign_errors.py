"""Errors of libraries that document none: their words become a value."""

from collections.abc import Iterator
from contextlib import contextmanager

from coreml_gate.children.job import PackageJob
from coreml_gate.engines.core_ml_words import in_words
from coreml_gate.errors import WorkerError


@contextmanager
def in_its_own_words() -> Iterator[None]:
    """Any error, as a :class:`WorkerError` with its type and text; of Core ML's its sentences alone."""
    try:
        yield
    except Exception as error:
        raise WorkerError(in_words(error)) from error


@contextmanager
def core_ml(job: PackageJob) -> Iterator[None]:
    """Core ML, or what stands in for it where the job wants that; its errors come in its own words."""
    from coreml_gate import stand_in

    if job.stand_in:
        stand_in.install(force=True)
    with in_its_own_words():
        yield
