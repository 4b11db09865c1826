"""Frozen values change in one typed and validated way."""

import ast
import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from coreml_gate.config import ModelConfig
from coreml_gate.frozen import changed, without_collecting
from coreml_gate.record import Comparison, ModelRecord

ROOT = Path(__file__).parents[1]
COMPARISON = Comparison(
    output="y",
    sample=0,
    reference="source",
    candidate="fp32",
    reference_shape=(2,),
    candidate_shape=(2,),
    elements=2,
)


def test_a_changed_value_differs_in_that_alone_and_the_old_one_stays() -> None:
    record = ModelRecord(name="m", parity=(COMPARISON,))
    other = changed(record, content="a")
    assert (other.name, other.content, record.content) == ("m", "a", "")
    louder = replace(COMPARISON, psnr=40, sample=3)
    assert (louder.psnr, louder.sample, louder.output) == (40.0, 3, "y")
    assert (COMPARISON.psnr, COMPARISON.sample) == (None, 0)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("psnr", float("inf"), "finite number"),
        ("sample", -3, "greater than or equal to 0"),
        ("top1", 7, "TopOne"),
    ],
)
def test_what_the_field_does_not_take_is_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        replace(COMPARISON, **{field: value})


@pytest.mark.parametrize(
    ("field", "value", "said"), [("precision", "float8", "float16"), ("adversarial", 3, "boolean")]
)
def test_what_an_option_does_not_take_is_refused(field: str, value: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        changed(ModelConfig(name="m", source="m.py:build"), **{field: value})


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(TypeError, match="ModelRecord has no field `contnet`"):
        changed(ModelRecord(name="m"), contnet="a")
    misspelt: dict[str, Any] = {"pnsr": 40.0}
    with pytest.raises((TypeError, ValidationError), match="pnsr"):
        replace(COMPARISON, **misspelt)


def test_fields_that_were_not_set_stay_so_and_an_alias_is_no_name() -> None:
    model = ModelConfig(name="m", source="m.py:build", **{"deployment-target": "iOS16"})
    wide = changed(model, precision="float32")
    assert wide.model_fields_set == {"name", "source", "deployment_target", "precision"}
    with pytest.raises(TypeError, match="no field `deployment-target`"):
        changed(model, **{"deployment-target": "iOS17"})


def test_values_inside_are_kept_as_they_are() -> None:
    record = ModelRecord(name="m", parity=(COMPARISON,))
    assert changed(record, content="a").parity[0] is COMPARISON


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks"])
def test_nothing_is_changed_without_validation(folder: str) -> None:
    unchecked = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"model_copy", "model_construct"}
    ]
    assert unchecked == []


def test_the_collector_is_as_it_was() -> None:
    assert gc.isenabled()
    with without_collecting():
        assert not gc.isenabled()
        with without_collecting():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_default_is_one_value_and_not_a_copy_for_each_document() -> None:
    one, other = (ModelConfig(name=name, source="net.py:build") for name in ("one", "other"))
    assert one.limits is other.limits
