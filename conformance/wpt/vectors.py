"""The vectors as web-platform-tests publishes them: one WebNN operator, its inputs, its expected outputs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).with_name("vectors")
LOST = np.nan
"""What JSON has no number for."""
_DTYPES: dict[str, type[np.generic]] = {
    "float32": np.float32,
    "float16": np.float16,
    "int32": np.int32,
    "uint32": np.uint32,
    "int64": np.int64,
    "uint64": np.uint64,
    "int8": np.int8,
    "uint8": np.uint8,
}


@dataclass(frozen=True, slots=True)
class Vector:
    """One test: ``arguments`` by name, operands among them by the name of their array in ``inputs``."""

    file: str
    name: str
    operator: str
    arguments: Mapping[str, Any]
    options: Mapping[str, Any]
    inputs: Mapping[str, NDArray[Any]]
    expected: Mapping[str, NDArray[Any]]


def read_vectors(folder: Path = FOLDER) -> Iterator[Vector]:
    """All vectors, by file and in the order of their file."""
    for path in sorted(folder.glob("*.json")):
        for test in json.loads(path.read_text())["tests"]:
            (operator,) = test["graph"]["operators"]
            arguments = {name: value for pair in operator["arguments"] for name, value in pair.items()}
            options = arguments.pop("options", {})
            yield Vector(
                path.stem,
                test["name"],
                operator["name"],
                arguments,
                options,
                {name: _array(value) for name, value in test["graph"]["inputs"].items()},
                {name: _array(value) for name, value in test["graph"]["expectedOutputs"].items()},
            )


def _array(operand: Mapping[str, Any]) -> NDArray[Any]:
    """The operand's numbers; one number stands for all of them, and ``null`` for a NaN or an infinity."""
    descriptor, data = operand["descriptor"], operand["data"]
    numbers = [_number(item) for item in (data if isinstance(data, list) else [data])]
    array = np.array(numbers).astype(_DTYPES[descriptor["dataType"]])
    if array.size == 1:
        return np.broadcast_to(array.reshape(()), descriptor["shape"])
    return array.reshape(descriptor["shape"])


def _number(item: Any) -> Any:  # noqa: ANN401  # a number as JavaScript wrote it
    if item is None:
        return LOST
    return int(item.removesuffix("n")) if isinstance(item, str) else item
