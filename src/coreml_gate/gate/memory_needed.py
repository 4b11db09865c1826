"""How much memory will a model's child hold: what it held before, or what the size of its files suggests."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from coreml_gate.gate.opened import models_in

LIBRARIES_BYTES: Final = 0.6e9
"""Of torch, coremltools and a small model: 0.42 GB were measured."""
TIMES_FILES: Final = 3.5
"""Of the files of a model, its float32 weights. Beyond the libraries, decoders (`benchmarks/scale`) held 2.35
times their weights with 394 million parameters, and 2.8 times with 100 million and weights of four bits; a
quarter is added, because a file may hold part of its weights in half precision."""
LEAST_BYTES: Final = 1.5e9
"""Of a model that was never measured: its code may fetch weights that are in no file of the repository."""
MARGIN: Final = 1.1
"""On what it held before: the change may need more."""


def memory_needed(files: Iterable[Path], held_before: int | None) -> float:
    """In bytes.

    :param files: Of the model; those that cannot be read take nothing.
    :param held_before: The most that its child ever held when it was measured last, if that is known.
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
    """The most that the child of each model held, by the model's name, of all these Records.

    A Record that is missing or cannot be read lists nothing: an estimate is not worth an error.
    """
    found: dict[str, int] = {}
    for path in records:
        for model in models_in(path):
            match model:
                case {"name": str(name), "peak_bytes": int(held)}:
                    found[name] = max(held, found.get(name, 0))
    return found
