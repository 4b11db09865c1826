"""Several jobs measured one commit: their Records become one, or the reason is said why they cannot."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from coreml_gate.errors import RecordError
from coreml_gate.record import Record, SkippedModel

_UNSET: Final = "no commit"
_SHARDS: Final = "every job of the matrix must measure the same commit and other models than the rest."


@dataclass(frozen=True)
class Merged:
    """One Record, and what a reader should know of its parts."""

    record: Record
    notes: tuple[str, ...] = ()


def merge_records(records: Sequence[Record]) -> Merged:
    """All models of Records of one commit, in the Records' order.

    Raises :class:`RecordError` for other commits, other engines and models that were measured twice. Other
    versions or platforms do not keep Records apart: they are said in a note, with the first Record's versions
    kept as the whole's.
    """
    if not records:
        raise RecordError("there is no record to merge.", "check that every measuring job uploaded one.")
    first = records[0]
    _require_one("commit", [record.commit or _UNSET for record in records])
    _require_one("engine", [record.engine for record in records])
    models = tuple(model for record in records for model in record.models)
    _require_disjoint([model.name for model in models])
    skipped = {each.name: each for record in records for each in record.skipped}
    merged = first.model_copy(
        update={
            "created": max(record.created for record in records),
            "dirty": any(record.dirty for record in records),
            "models": models,
            "skipped": _unmeasured(skipped, {model.name for model in models}),
        }
    )
    return Merged(merged, _differences(records))


def _require_one(what: str, values: Sequence[str]) -> None:
    if len(set(values)) > 1:
        listed = ", ".join(f"`{value[:40]}`" for value in dict.fromkeys(values))
        raise RecordError(f"the records are of more than one {what}: {listed}.", _SHARDS)


def _require_disjoint(names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise RecordError(f"model `{twice[0][:100]}` was measured more than once.", _SHARDS)


def _unmeasured(skipped: dict[str, SkippedModel], measured: set[str]) -> tuple[SkippedModel, ...]:
    """What one job skipped and another measured was measured."""
    return tuple(each for name, each in skipped.items() if name not in measured)


def _differences(records: Sequence[Record]) -> tuple[str, ...]:
    first = records[0].environment
    notes = []
    for field in type(first).model_fields:
        values = list(dict.fromkeys(str(getattr(record.environment, field)) for record in records))
        if len(values) > 1:
            listed = ", ".join(f"`{value[:60]}`" for value in values)
            notes.append(f"the jobs ran with more than one version of {field}: {listed}.")
    return tuple(notes)
