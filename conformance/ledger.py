"""One line of JSON per test: what ran, how it ended and how far the numbers were apart."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

_EARLIER = "earlier"  # stands for the processes of the runs that this one continues
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
    with _part(path, process).open("a") as file:
        file.write(_line(entry))


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry)) + "\n"


def begin(path: Path, *, resume: bool) -> None:
    """Make way for a run: forget what the ledger holds, or keep it as what is done already."""
    earlier, old = _part(path, _EARLIER), parts(path)
    if resume:
        earlier.write_text("".join(map(_line, list(read(old)))))
    for part in old:
        if part != earlier or not resume:
            part.unlink()


def done(path: Path) -> frozenset[tuple[str, str]]:
    """The tests, with their parameters, that a resumed run need not repeat."""
    earlier = _part(path, _EARLIER)
    return frozenset((entry.test, entry.parameters) for entry in read([earlier] if earlier.exists() else []))


def announce(path: Path, wanted: Mapping[str, int], whole: Mapping[str, int]) -> None:
    """Note per group how many tests this run has, and how many the suite."""
    counts = {group: [wanted.get(group, 0), count] for group, count in sorted(whole.items())}
    _count_file(path).write_text(json.dumps(counts))


def announced(path: Path) -> dict[str, tuple[int, int]]:
    """Per group how many tests the run has, and how many the suite; nothing where no run got that far."""
    file = _count_file(path)
    counts = json.loads(file.read_text()) if file.exists() else {}
    return {group: (wanted, whole) for group, (wanted, whole) in counts.items()}


def _count_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.count.json")


def _part(path: Path, process: str) -> Path:
    return path.with_name(f"{path.name}.{process}.jsonl")


def parts(path: Path) -> list[Path]:
    """The files that the processes of one run wrote."""
    return sorted(path.parent.glob(f"{path.name}.*.jsonl"))


def read(paths: Iterable[Path]) -> Iterator[Entry]:
    """The entries of several files; a last line that an abort has cut off is none."""
    for path in paths:
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield Entry(**json.loads(line))
