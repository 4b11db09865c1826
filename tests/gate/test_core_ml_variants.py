"""Which variants Core ML is run on, and against what they are timed."""

from pathlib import Path
from typing import Any

import pytest

from coreml_gate.children.reference_data import REFERENCE_FILE
from coreml_gate.config import GateOptions, ModelConfig
from coreml_gate.gate import core_ml_run as module
from coreml_gate.gate.core_ml import Question, Stored
from coreml_gate.record import ModelRecord, read_record
from tests.builders import model_config, model_record, package, precision_comparison, record

CONFIG = model_config(variant=({"name": "int8", "compress": {"method": "linear-int8"}},))


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    seen: list[Question] = []

    def answered(variant: ModelRecord, question: Question, session: object) -> ModelRecord:
        seen.append(question)
        return model_record(name=variant.name, content="answered")

    monkeypatch.setattr(module, "answered", answered)
    return seen


def variant(name: str, folder: Path, *, samples: bool = True, **options: Any) -> ModelRecord:
    place = f"models/digits/variants/{name}"
    (folder / place).mkdir(parents=True)
    if samples:
        (folder / place / REFERENCE_FILE).write_bytes(b"")
    defaults: dict[str, Any] = {
        "package": package(path=f"{place}/package.mlpackage", fingerprint=name),
        "precision": (precision_comparison(output="a"), precision_comparison(output="a", sample=1)),
    }
    return model_record(name=name, **(defaults | options))


def asked(
    folder: Path, *variants: ModelRecord, config: ModelConfig = CONFIG, **options: Any
) -> list[ModelRecord]:
    model = model_record(variants=variants, **options)
    stored = Stored(record(model, model_record(name="other")), folder)
    found = module.measure_variants(stored, {"digits": config}, GateOptions(), None)  # type: ignore[arg-type]
    assert read_record(folder / "record.json") == found
    assert found.models[1].content == "", "a model that is not asked about stays as it is"
    return list(found.models[0].variants)


def test_a_variant_is_timed_against_the_package_that_ships(tmp_path: Path, questions: list[Question]) -> None:
    found = asked(tmp_path, variant("int8", tmp_path))
    assert [each.content for each in found] == ["answered"]
    (question,) = questions
    assert question.facts.fingerprint == "int8"
    assert question.base_facts is not None
    assert question.base_facts.fingerprint == package().fingerprint
    assert question.head.path == (tmp_path / "models/digits/variants/int8/package.mlpackage").resolve()
    assert question.folder == (tmp_path / "models/digits/variants/int8").resolve()
    assert question.head.output_names == ("a",), "each output once, under the source's name"
    assert question.config.name == "int8"


@pytest.mark.parametrize(
    "options", [{"package": None}, {"samples": False}], ids=["without a package", "without samples"]
)
def test_a_variant_without_what_is_needed_stays_as_it_is(
    options: dict[str, Any], tmp_path: Path, questions: list[Question]
) -> None:
    found = asked(tmp_path, variant("int8", tmp_path, **options))
    assert [each.content for each in found] == [""]
    assert questions == []


def test_a_variant_that_the_configuration_does_not_name_is_not_run(
    tmp_path: Path, questions: list[Question]
) -> None:
    found = asked(tmp_path, variant("unknown", tmp_path), variant("int8", tmp_path))
    assert [(each.name, each.content) for each in found] == [("unknown", ""), ("int8", "answered")]
    assert len(questions) == 1


def test_without_a_package_that_ships_there_is_nothing_to_time_against(
    tmp_path: Path, questions: list[Question]
) -> None:
    asked(tmp_path, variant("int8", tmp_path), package=None)
    assert questions == []
