"""Reading takes a Record apart, and must mean and say what the validation of the whole document does."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from coreml_gate.errors import RecordError
from coreml_gate.record import (
    AcceptedFailure,
    Record,
    SkippedModel,
    parse_record,
    read_record,
    reading,
    write_record,
)
from coreml_gate.wording import counted
from tests.builders import comparison, model_record, record


def full() -> Record:
    accepted = {
        "model": "digits",
        "check": "size",
        "by": "ann",
        "until": "2026-03-04",
        "reason": "a larger vocabulary",
        "pull_request": 7,
    }
    return record(
        model_record(name="digits", parity=(comparison(sample=3),)),
        model_record(name="ü/net", parity=(comparison(psnr=None),)),
        skipped=(SkippedModel(name="words", reason="its files have not changed."),),
        accepted=(AcceptedFailure.model_validate(accepted),),
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_record(full(), tmp_path / "record.json")
    found = read_record(tmp_path / "record.json")
    assert found == full()
    assert [model.name for model in found.models] == ["digits", "ü/net"]
    assert found.models[0].parity[0].sample == 3
    assert found.accepted[0].until.isoformat() == "2026-03-04"


@pytest.mark.parametrize("indent", [None, 1, 7])
def test_models_read_one_by_one_are_those_of_the_whole_document(indent: int | None) -> None:
    text = full().model_dump_json(indent=indent)
    assert parse_record(text, "r") == parse_record(text.encode(), "r") == Record.model_validate_json(text)


def stored() -> dict[str, object]:
    document: dict[str, object] = json.loads(full().model_dump_json())
    return document


DAMAGED = {
    "a model with a wrong value": json.dumps(
        stored() | {"models": [{"name": "a"}, {"name": "b", "rules": 3}]}
    ),
    "a model without a name": json.dumps(stored() | {"models": [{}]}),
    "models that are not a list": json.dumps(stored() | {"models": {"name": "a"}}),
    "no models": json.dumps({key: value for key, value in stored().items() if key != "models"}),
    "a key that does not exist": json.dumps(stored() | {"limits": 3}),
    "another version": json.dumps(stored() | {"schema_version": 2}),
    "a list": "[]",
    "nothing": "",
    "half": json.dumps(stored())[:200],
    "more than a document": json.dumps(stored()) + "x",
    "depth": '{"models": ' + "[" * 100_000,
    "depth in a model": json.dumps(stored() | {"models": 0}).replace(
        '"models": 0', '"models": [{"name": ' + "[" * 90_000
    ),
    "half a character": json.dumps(stored()).replace("1a2b", "\ud800", 1),
    "a number that is not one": json.dumps(stored() | {"models": [{"name": "a", "metrics": [float("nan")]}]}),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
def test_what_is_wrong_is_said_as_the_whole_validation_says_it(text: str) -> None:
    with pytest.raises(ValidationError) as expected:
        Record.model_validate_json(text)
    first = expected.value.errors()[0]
    with pytest.raises(RecordError) as raised:
        parse_record(text, "head/record.json")
    where = ".".join(map(str, first["loc"])) or "the top"
    assert raised.value.message == (
        f"record `head/record.json`: {first['msg']} at `{where}` "
        f"({counted(expected.value.error_count(), 'problem')} in all)."
    )


def test_a_wrong_value_is_named_with_its_model() -> None:
    with pytest.raises(RecordError, match=r"at `models\.1\.rules`"):
        parse_record(DAMAGED["a model with a wrong value"], "r")


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(RecordError, match="record `r`"):
        parse_record(full().model_dump_json().encode().replace(b"1a2b", b"\xff", 1), "r")


def test_the_last_of_two_equal_keys_counts_as_everywhere() -> None:
    twice = full().model_dump_json().replace('"commit":', '"models":[],"commit":', 1)
    assert parse_record(twice, "r") == Record.model_validate_json(twice) == full()


@pytest.mark.parametrize("more", ["", ', "metrics": NaN'], ids=["read one by one", "read at once"])
def test_a_name_that_comes_again_is_named_with_its_number(more: str) -> None:
    models = ", ".join(f'{{"name": "{name}"}}' for name in ("a", "b", "c", "b", "b"))
    text = json.dumps(stored() | {"models": 0}).replace('"models": 0', f'"models": [{models}]' + more)
    with pytest.raises(RecordError) as raised:
        parse_record(text, "r")
    if more:
        assert "metrics" in raised.value.message, "what is no Record at all is said first"
    else:
        assert raised.value.message == "record `r`: 3 models have the name `b`, allowed 1."


@pytest.mark.attack("bombs")
def test_a_record_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 10**6)
    with (tmp_path / "record.json").open("wb") as file:
        file.truncate(10**6 + 1)
    with pytest.raises(RecordError, match=r"record.json` has more than 1 MB"):
        read_record(tmp_path / "record.json")
