"""Judges the numbers of an untrusted run by the base branch's limits, in a job that may write.

It accepts only Records: with a closed schema, limited in size, in memory, and reduced to plain text. It never
checks out, imports, unpacks to disk or renders anything that the pull request wrote.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import ValidationError

from coreml_gate.config import Config
from coreml_gate.errors import ArtifactError, RecordError
from coreml_gate.foreign.escape import plain, shortened
from coreml_gate.frozen import changed
from coreml_gate.gate.judge import judge
from coreml_gate.github.api.artifacts import (
    RECORD_BYTES,
    RECORD_LIMITS,
    ArtifactFacts,
    download,
    read_record,
    records_of_run,
)
from coreml_gate.github.api.client import Client
from coreml_gate.github.api.event import SourceRun
from coreml_gate.github.api.zips import SafeZip
from coreml_gate.record import Measured, ModelRecord, Record, SkippedModel
from coreml_gate.untyped import Json
from coreml_gate.verdict import BaselineFacts, Verdict
from coreml_gate.wording import listed

MAX_SHARDS: Final = 64
MAX_TEXT: Final = 4_000
"""Longest text, or field of a line of a program's outline."""
MAX_ELEMENTS: Final = 20_000
"""Longest list; a model with 1,000 outputs times samples has this many comparisons."""
MAX_INTEGER: Final = 2**53
MAX_FLOAT: Final = 1e100
"""Greatest number: beyond any float32 computation, and its square is still finite."""
_UNTRUSTED: Final = "the Record was not made by coreml-gate; measure again with the action's own steps."
_OF_THE_MERGE: Final = (
    "the numbers are of another commit than the head, probably of its merge with the base branch: check out "
    "`github.event.pull_request.head.sha` to measure the head itself."
)
Whole = TypeVar("Whole", bound=Measured)
_UNSET: Final = "no commit"
_SHARDS: Final = "every job of the matrix must measure the same commit and other models than the rest."


@dataclass(frozen=True)
class Merged:
    """One Record, and notes on its parts."""

    record: Record
    notes: tuple[str, ...] = ()


def read_untrusted(client: Client, run: SourceRun, key: str, expected: int = 1) -> Merged:
    """The Records of an untrusted run's jobs, merged into one, of the commit that GitHub names."""
    artifacts = _newest_by_name(records_of_run(client, run.id, key))
    if not artifacts:
        raise ArtifactError(
            f"run {run.id} stored no artifact `coreml-gate-record-{key}-N` (it ended with "
            f"`{run.conclusion or 'no conclusion'}`).",
            "look at its log: the measuring job did not reach the upload.",
        )
    if len(artifacts) > MAX_SHARDS:
        raise ArtifactError(f"run {run.id} left {len(artifacts)} records, allowed {MAX_SHARDS}.", _UNTRUSTED)
    require_all(len(artifacts), expected)
    merged = merge_records([cleaned(_read(client, artifact)) for artifact in artifacts])
    notes = (*merged.notes, *_other_commit(merged.record, run.head_sha))
    return Merged(changed(merged.record, commit=run.head_sha), notes)


def rejudge(config: Config, head: Record, base: Record | None, facts: BaselineFacts) -> Verdict:
    """Judge an untrusted Record; impossible figures give an error, never a crash."""
    try:
        return judge(config, head, base, facts)
    except (ArithmeticError, ValidationError) as error:
        raise RecordError(
            f"the Record has numbers that cannot be compared ({type(error).__name__}).", _UNTRUSTED
        ) from error


def cleaned(record: Whole) -> Whole:
    """The same Record with short plain texts and numbers that can be computed with."""
    return type(record).model_validate(_clean(record.model_dump()))


def _read(client: Client, artifact: ArtifactFacts) -> Record:
    buffer = io.BytesIO()
    download(client, artifact, buffer, RECORD_BYTES)
    return read_record(SafeZip(buffer, RECORD_LIMITS), f"artifact {artifact.name}")


def _newest_by_name(artifacts: Sequence[ArtifactFacts]) -> list[ArtifactFacts]:
    """One artifact per name, since a job that ran again leaves two."""
    ordered = sorted(artifacts, key=lambda artifact: artifact.id)
    named = {artifact.name: artifact for artifact in ordered}
    return [named[name] for name in sorted(named)]


def _other_commit(record: Record, head_sha: str) -> tuple[str, ...]:
    if record.commit == head_sha:
        return ()
    return (_OF_THE_MERGE,)


def _clean(value: Json) -> Json:
    match value:
        case str():
            return "\t".join(shortened(plain(field), MAX_TEXT) for field in value.split("\t"))
        case bool() | None:
            return value
        case int() if abs(value) > MAX_INTEGER:
            raise RecordError("the Record has an integer beyond 2^53.", _UNTRUSTED)
        case float() if not math.isfinite(value) or abs(value) > MAX_FLOAT:
            raise RecordError(f"the Record has a number beyond {MAX_FLOAT:.0e}.", _UNTRUSTED)
        case dict():
            _check_length(len(value))
            return {_clean(key): _clean(inner) for key, inner in value.items()}
        case list() | tuple():
            _check_length(len(value))
            return tuple(_clean(inner) for inner in value)
        case _:
            return value


def _check_length(length: int) -> None:
    if length > MAX_ELEMENTS:
        raise RecordError(f"the Record has a list of {length:,}, allowed {MAX_ELEMENTS:,}.", _UNTRUSTED)


def merge_records(records: Sequence[Record]) -> Merged:
    """All models of Records of one commit, in the Records' order.

    Of a model that two jobs measured, the first one's figures are taken, and what Core ML said to either.
    Raises :class:`RecordError` for other commits and other engines. Other versions or platforms do not keep
    Records apart: they are said in a note, with the first Record's versions kept as the whole's.
    """
    if not records:
        raise RecordError("there is no Record to merge.", "check that every measuring job uploaded one.")
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
    """Refuse an incomplete set of Records: a crashed job must not look like a model that was not measured."""
    if found < expected:
        raise RecordError(
            f"{found} of {expected} measuring jobs stored a Record.",
            "look at the logs of the others: they did not reach the upload.",
        )


def _require_one(what: str, values: Sequence[str]) -> None:
    if len(set(values)) > 1:
        named = listed(value[:40] for value in dict.fromkeys(values))
        raise RecordError(f"the Records have more than one {what}: {named}.", _SHARDS)


def _joined(measured: Sequence[ModelRecord], notes: list[str]) -> tuple[ModelRecord, ...]:
    """One model per name; of two, the first has the figures, and Core ML's results are added."""
    joined: dict[str, ModelRecord] = {}
    for model in measured:
        known = joined.get(model.name)
        joined[model.name] = model if known is None else _with_core_ml(known, model, notes)
    return tuple(joined.values())


def _with_core_ml(first: ModelRecord, other: ModelRecord, notes: list[str]) -> ModelRecord:
    name = f"`{first.name[:100]}`"
    if other.problem is not None:
        notes.append(f"model {name} was measured by two jobs, one of which failed: {other.problem.message}")
    elif (first.core_ml is None) is (other.core_ml is None):
        notes.append(f"model {name} was measured by two jobs; those of the first are shown.")
    return _with_answers(first, other)


def _with_answers(first: ModelRecord, other: ModelRecord) -> ModelRecord:
    """The first model with the other's results of Core ML and devices, including variants."""
    theirs = {variant.name: variant for variant in other.variants}
    variants = tuple(_with_answers(each, theirs.get(each.name, each)) for each in first.variants)
    answers = {
        "core_ml": first.core_ml or other.core_ml,
        "on_device": first.on_device or other.on_device,
        "variants": variants,
    }
    return changed(first, **answers)


def _unmeasured(skipped: dict[str, SkippedModel], measured: set[str]) -> tuple[SkippedModel, ...]:
    """Skipped models that no other job measured."""
    return tuple(each for name, each in skipped.items() if name not in measured)


def _differences(records: Sequence[Record]) -> list[str]:
    first = records[0].environment
    notes = []
    for field in type(first).model_fields:
        values = list(dict.fromkeys(str(getattr(record.environment, field)) for record in records))
        if len(values) > 1:
            named = listed(value[:60] for value in values)
            notes.append(f"the jobs ran with more than one version of {field}: {named}.")
    return notes
