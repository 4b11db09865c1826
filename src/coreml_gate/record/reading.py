"""Reads a Record, checked against the schema model by model."""

from collections import Counter
from pathlib import Path
from typing import Final

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import decode, encode
from pydantic import ValidationError

from coreml_gate.errors import RecordError
from coreml_gate.frozen import changed, first_problem, without_collecting
from coreml_gate.reading import MOST_BYTES, read_named
from coreml_gate.record.document import SCHEMA_VERSION, ModelRecord, Record
from coreml_gate.record_file import RECORD_NAME

_WAY_OUT: Final = "name the record.json of an earlier run."


def read_record(path: Path) -> Record:
    """Read a Record, or the one in a folder; :class:`RecordError` says what is wrong with the file."""
    path = path / RECORD_NAME if path.is_dir() else path
    try:
        text = read_named(path)
    except OSError as error:
        raise RecordError(f"record `{path}` cannot be read: {error}.", _WAY_OUT) from error
    if len(text) > MOST_BYTES:
        raise RecordError(f"record `{path}` has more than {MOST_BYTES / 1e6:,.0f} MB.", _WAY_OUT)
    return parse_record(text, str(path))


def parse_record(text: str | bytes, name: str) -> Record:
    """Check the text of a Record against the schema; ``name`` is its origin in messages."""
    try:
        with without_collecting():
            return _validated(text, name)
    except ValidationError as error:
        raise RecordError(
            f"record `{name}`: {first_problem(error)}.",
            f"this version reads schema version {SCHEMA_VERSION}; measure the baseline again with it.",
        ) from error


class _Named(Struct):
    """A model of which only the name is read."""

    name: str


def _validated(text: str | bytes, name: str) -> Record:
    """The Record; a wrong one is validated as a whole, for complete messages."""
    try:
        return _by_model(text, name)
    except (KeyError, MsgspecError, ValidationError, UnicodeError, RecursionError):
        record = Record.model_validate_json(text)
    (model, count), *_ = Counter(each.name for each in record.models).most_common(1) or [("", 1)]
    if count > 1:
        raise _named_twice(model, count, name)
    return record


def _by_model(text: str | bytes, name: str) -> Record:
    """Validate one model after another, because parsing a large Record at once takes much more memory."""
    fields = decode(text, type=dict[str, Raw])
    rest = b",".join(encode(key) + b":" + bytes(value) for key, value in (fields | {"models": b"[]"}).items())
    record = Record.model_validate_json(b"{" + rest + b"}")
    models: dict[str, ModelRecord] = {}
    for raw in decode(fields["models"], type=list[Raw]):
        model = ModelRecord.model_validate_json(bytes(raw))
        if model.name in models:
            names = decode(fields["models"], type=list[_Named])
            raise _named_twice(model.name, sum(each.name == model.name for each in names), name)
        models[model.name] = model
    return changed(record, models=tuple(models.values()))


def _named_twice(model: str, count: int, name: str) -> RecordError:
    """Refuse two models of one name, of which only the first would be judged."""
    return RecordError(
        f"record `{name}`: {count} models have the name `{model}`, allowed 1.",
        "measure again: no run writes such a record.",
    )
