"""What the head is compared with: a stored Record, or the base commit rebuilt; and if none, why.

What rebuilds lies in ``base.py``: ``judge``, which rebuilds nothing, would pay for its imports.
"""

from dataclasses import dataclass
from pathlib import Path

from coreml_gate.errors import RecordError
from coreml_gate.record import RECORD_NAME, Record, read_record
from coreml_gate.verdict import BaselineFacts


@dataclass(frozen=True)
class Baseline:
    """A base Record and its origin, or no Record and the reason."""

    facts: BaselineFacts
    record: Record | None = None
    folder: Path | None = None
    """Where its packages lie, if they are on this machine."""


NO_BASELINE = Baseline(BaselineFacts(origin="none: no base was given"))


def stored_baseline(path: Path) -> Baseline:
    """Read the baseline from a Record file, or from a folder that holds ``record.json``."""
    file = path / RECORD_NAME if path.is_dir() else path
    if not file.exists():
        raise RecordError(
            f"baseline `{path}` has no record: `{file}` does not exist.",
            "name the folder that an earlier `coreml-gate run` or `collect` wrote, or use --base.",
        )
    return as_baseline(read_record(file), f"record `{path}`", file.parent)


def as_baseline(record: Record, origin: str, folder: Path | None = None) -> Baseline:
    """Take a Record as the baseline; ``folder`` holds its packages."""
    return Baseline(BaselineFacts(origin=origin, commit=record.commit, present=True), record, folder)


def no_baseline(reason: str, commit: str | None = None) -> Baseline:
    """Say why there is nothing to compare with."""
    return Baseline(BaselineFacts(origin=reason, commit=commit))
