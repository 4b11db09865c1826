"""What the head is compared with: a Record, or the reason why there is none.

Measuring a base is in ``base.py``, whose imports ``judge`` need not pay for.
"""

from dataclasses import dataclass
from pathlib import Path

from coreml_gate.errors import RecordError
from coreml_gate.record import RECORD_NAME, Record, read_record
from coreml_gate.verdict import BaselineFacts


@dataclass(frozen=True)
class Baseline:
    """A base Record with its origin, or the reason why there is none."""

    facts: BaselineFacts
    record: Record | None = None
    folder: Path | None = None
    """The folder of its packages, if they are on this machine."""


NO_BASELINE = Baseline(BaselineFacts(origin="none: no base was given"))


def stored_baseline(path: Path) -> Baseline:
    """Read the baseline from a Record file, or from a folder with a ``record.json``."""
    file = path / RECORD_NAME if path.is_dir() else path
    if not file.exists():
        raise RecordError(
            f"baseline `{path}` has no record: `{file}` does not exist.",
            "name the output folder of an earlier `coreml-gate run` or `collect`, or use --base.",
        )
    return as_baseline(read_record(file), f"record `{path}`", file.parent)


def as_baseline(record: Record, origin: str, folder: Path | None = None) -> Baseline:
    """Use a Record as the baseline; ``folder`` contains its packages."""
    if record.dirty:
        origin += ", measured with uncommitted changes"
    return Baseline(BaselineFacts(origin=origin, commit=record.commit, present=True), record, folder)


def no_baseline(reason: str, commit: str | None = None) -> Baseline:
    """A baseline without a Record, and the reason."""
    return Baseline(BaselineFacts(origin=reason, commit=commit))
