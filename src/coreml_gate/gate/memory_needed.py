"""The memory that a model's child will need: as much as last time, or an estimate from the model's files."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from coreml_gate.gate.opened import models_in

LIBRARIES_BYTES: Final = 0.6e9
"""For torch, coremltools and a small model; 0.42 GB were measured."""
TIMES_FILES: Final = 3.5
"""Memory per byte of a model's files. Decoders (`benchmarks/scale`) needed 2.35 times their float32 weights
with 394 million parameters, and 2.8 times with 100 million and weights of four bits; a quarter is added,
because files may store some weights in half precision."""
LEAST_BYTES: Final = 1.5e9
"""For a model never measured before, whose code may fetch weights that are in no file of the repository."""
MARGIN: Final = 1.1
"""On the memory needed last time, because the change may need more."""


def memory_needed(files: Iterable[Path], held_before: int | None) -> float:
    """Memory in bytes that the model's child will need.

    :param files: The model's files; unreadable ones count as empty.
    :param held_before: Peak memory of the child when the model was last measured, if known.
    """
    if held_before is not None:
        return MARGIN * held_before
    return max(LEAST_BYTES, LIBRARIES_BYTES + TIMES_FILES * sum(map(_size, files)))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def held_in(records: Iterable[Path]) -> Mapping[str, int]:
    """Peak memory of each model's child over these Records, by the model's name.

    Missing or unreadable Records are ignored: an estimate is not worth an error.
    """
    found: dict[str, int] = {}
    for path in records:
        for model in models_in(path):
            match model:
                case {"name": str(name), "peak_bytes": int(held)}:
                    found[name] = max(held, found.get(name, 0))
    return found
