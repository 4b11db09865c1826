"""One line of JSON per test: what ran, how it ended and how far the numbers were apart."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

OUTCOMES = ("passed", "failed", "excluded", "xfailed", "xpassed", "skipped")


@dataclass(slots=True)
class Entry:
    """One test; filled while it runs."""

    test: str
    """The test function, ``iOS17/conv::TestConv::test_builder``."""
    parameters: str
    group: str
    outcome: str = "skipped"
    predictions: int = 0
    comparisons: int = 0
    half: bool = False
    """Whether a predicted program holds half precision."""
    error: float = 0.0
    """The greatest |difference| / max(|expected|, 1) of all comparisons."""
    operations: dict[str, int] = field(default_factory=dict)
    """Operation types of the predicted programs, with the newest opset of their programs."""
    message: str = ""
    reason: str = ""
    """Why a failure is excluded."""
    seconds: float = 0.0


def append(path: Path, process: str, entry: Entry) -> None:
    """Add one line to the ledger's part of this process."""
    with path.with_name(f"{path.name}.{process}.jsonl").open("a") as file:
        file.write(json.dumps(asdict(entry)) + "\n")


def parts(path: Path) -> list[Path]:
    """The files that the processes of one run wrote."""
    return sorted(path.parent.glob(f"{path.name}.*.jsonl"))


def read(paths: Iterable[Path]) -> Iterator[Entry]:
    """The entries of several files."""
    for path in paths:
        for line in path.read_text().splitlines():
            yield Entry(**json.loads(line))
