"""Stores samples and outputs in one file, with which a Mac without the source compares Core ML."""

import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from coreml_gate.arrays import Array, save_arrays
from coreml_gate.children.files import open_foreign
from coreml_gate.errors import WorkerError

REFERENCE_FILE: Final = "expected.npz"
_DAMAGED: Final = (OSError, ValueError, EOFError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""The errors of numpy and zipfile for a file that is damaged or claims more data than it has."""
Arrays = Mapping[str, Array]
Kind = Literal["input", "source", "fp16", "core-ml"]


@dataclass(frozen=True)
class ReferenceSample:
    """One sample as the package takes it, and the outputs of each side; empty if a side did not run."""

    inputs: Arrays
    source: Arrays
    fp16: Arrays


def reference_beside(package: Path) -> Path:
    """The path of the samples of a package that is not in a Record's folder."""
    return package.with_suffix(".npz")


def write_reference_data(path: Path, samples: Iterable[ReferenceSample]) -> None:
    """Write all samples as plain arrays, so that reading needs no unpickling."""
    arrays: dict[str, Array] = {}
    for index, sample in enumerate(samples):
        arrays |= _named(index, "input", sample.inputs)
        arrays |= _named(index, "source", sample.source)
        arrays |= _named(index, "fp16", sample.fp16)
    _write(path, arrays)


def read_reference_data(path: Path) -> tuple[ReferenceSample, ...]:
    """Read a file written by :func:`write_reference_data`."""
    sides = _read(path)
    return tuple(
        ReferenceSample(
            sides[index].get("input", {}), sides[index].get("source", {}), sides[index].get("fp16", {})
        )
        for index in sorted(sides)
    )


def write_answers(path: Path, answers: Iterable[Arrays]) -> None:
    """Write Core ML's outputs for each sample."""
    named = (_named(index, "core-ml", arrays) for index, arrays in enumerate(answers))
    _write(path, {key: array for arrays in named for key, array in arrays.items()})


def read_answers(path: Path) -> tuple[Arrays, ...]:
    """Read a file written by :func:`write_answers`."""
    sides = _read(path)
    return tuple(sides[index]["core-ml"] for index in sorted(sides))


def _named(index: int, kind: Kind, arrays: Arrays) -> dict[str, Array]:
    return {f"{index}/{kind}/{name}": np.asarray(array) for name, array in arrays.items()}


def _write(path: Path, arrays: dict[str, Array]) -> None:
    with path.open("wb") as file:
        save_arrays(file, arrays)


def _read(path: Path) -> dict[int, dict[str, dict[str, Array]]]:
    """Read untrusted arrays, as the model's own code could write the file; raises :class:`WorkerError`."""
    sides: dict[int, dict[str, dict[str, Array]]] = {}
    try:
        with open_foreign(path) as file, np.load(file, allow_pickle=False) as archive:
            for key in archive.files:
                index, kind, name = key.split("/", 2)
                array = archive[f"{key}.npy"]  # as written: an output may be called `a.npy`
                sides.setdefault(int(index), {}).setdefault(kind, {})[name] = array
    except _DAMAGED as error:
        message = f"`{path.name}`, which the model's own child left, cannot be read: {error}."
        raise WorkerError(message, "measure the model again.") from error
    return sides
