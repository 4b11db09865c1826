"""Several jobs measured one commit: their Records become one, or the reason is said why they cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from coreml_gate.errors import RecordError
from coreml_gate.frozen import changed
from coreml_gate.record import ModelRecord, Record, SkippedModel

_UNSET: Final = "no commit"
_SHARDS: Final = "every job of the matrix must measure the same commit and other models than the rest."


@dataclass(frozen=True)
class Merged:
    """One Record, and what a reader should know of its parts."""

    record: Record
    notes: tuple[str, ...] = ()


def merge_records(records: Sequence[Record]) -> Merged:
    """All models of Records of one commit, in the Records' order.

    Of a model that two jobs measured, the first one's figures are taken, and what Core ML said to either.
    Raises :class:`RecordError` for other commits and other engines. Other versions or platforms do not keep
    Records apart: they are said in a note, with the first Record's versions kept as the whole's.
    """
    if not records:
        raise RecordError("there is no record to merge.", "check that every measuring job uploaded one.")
    first = records[0]
    _require_one("commit", [record.commit or _UNSET for record in records])
    _require_one("engine", [record.engine for record in records])
    notes = _differences(records)
    models = _joined([model for record in records for model in record.models], notes)
    skipped = {each.name: each for record in records for each in record.skipped}
    merged = changed(
        first,
        created=max(record.created for record in records),
        dirty=any(record.dirty for record in records),
        models=models,
        skipped=_unmeasured(skipped, {model.name for model in models}),
    )
    return Merged(merged, tuple(notes))


def require_all(found: int, expected: int) -> None:
    """Refuses to judge a part: a job that crashed must not look like a model that was not measured."""
    if found < expected:
        raise RecordError(
            f"{found} of {expected} measuring jobs left a record behind.",
            "look at the logs of the others: they did not get to the upload.",
        )


def _require_one(what: str, values: Sequence[str]) -> None:
    if len(set(values)) > 1:
        listed = ", ".join(f"`{value[:40]}`" for value in dict.fromkeys(values))
        raise RecordError(f"the records are of more than one {what}: {listed}.", _SHARDS)


def _joined(measured: Sequence[ModelRecord], notes: list[str]) -> tuple[ModelRecord, ...]:
    """One model a name; of two of a name, the first has the figures, and what Core ML said is added."""
    joined: dict[str, ModelRecord] = {}
    for model in measured:
        known = joined.get(model.name)
        joined[model.name] = model if known is None else _with_core_ml(known, model, notes)
    return tuple(joined.values())


def _with_core_ml(first: ModelRecord, other: ModelRecord, notes: list[str]) -> ModelRecord:
    name = f"`{first.name[:100]}`"
    if other.problem is not None:
        notes.append(f"model {name} was measured by two jobs, and one could not: {other.problem.message}")
    elif (first.core_ml is None) is (other.core_ml is None):
        notes.append(f"model {name} was measured by two jobs; the first one's figures are shown.")
    return _with_answers(first, other)


def _with_answers(first: ModelRecord, other: ModelRecord) -> ModelRecord:
    """The figures of the first with what a Mac and its phones said to the other, variants included."""
    theirs = {variant.name: variant for variant in other.variants}
    variants = tuple(_with_answers(each, theirs.get(each.name, each)) for each in first.variants)
    answers = {
        "core_ml": first.core_ml or other.core_ml,
        "on_device": first.on_device or other.on_device,
        "variants": variants,
    }
    return changed(first, **answers)


def _unmeasured(skipped: dict[str, SkippedModel], measured: set[str]) -> tuple[SkippedModel, ...]:
    """What one job skipped and another measured was measured."""
    return tuple(each for name, each in skipped.items() if name not in measured)


def _differences(records: Sequence[Record]) -> list[str]:
    first = records[0].environment
    notes = []
    for field in type(first).model_fields:
        values = list(dict.fromkeys(str(getattr(record.environment, field)) for record in records))
        if len(values) > 1:
            listed = ", ".join(f"`{value[:60]}`" for value in values)
            notes.append(f"the jobs ran with more than one version of {field}: {listed}.")
    return notes
