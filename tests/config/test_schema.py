"""The JSON schema, and the page that is generated from the same models."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from coreml_gate.config.document import TABLES, fill, json_schema, keys_of
from coreml_gate.config.load import parse_config

DOCS = Path(__file__).parents[2] / "docs"

EXAMPLE = """
[gate]
deployment-target = "iOS17"
max-samples = 4

[[model]]
name = "digits"
source = "models/digits.py:build"
samples = "models/digits.py:samples"
evaluate = "models/digits.py:evaluate"
precision = "float16"
input = [{ name = "x", shape = [1, [1, 512]] }]
[model.limits]
parity = { psnr = 40 }
evaluate = { accuracy = { max-drop = 0.002 } }
size = { max-mb = 20, max-ratio = false }
"""


def validate(text: str) -> None:
    jsonschema.validate(tomllib.loads(text), json.loads(json_schema()))


def test_the_committed_schema_is_fresh() -> None:
    assert (DOCS / "config.schema.json").read_text() == json_schema(), (
        "run: python -m coreml_gate.config.document docs/configuration.md docs/config.schema.json"
    )


def test_the_schema_itself_is_valid_and_has_no_null() -> None:
    schema = json.loads(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "null" not in json_schema()


def test_an_example_passes_both_the_schema_and_the_reader() -> None:
    validate(EXAMPLE)
    assert parse_config(EXAMPLE, "coreml-gate.toml").model[0].limits.size.max_ratio is None


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("max-samples = 4", "max_samples = 4"),
        ("max-samples = 4", "max-samples = 0"),
        ("psnr = 40", "psnr = true"),
        ("[1, 512]", "[1, 2, 3]"),
        ('name = "digits"', 'name = "my digits"'),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(right: str, wrong: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(EXAMPLE.replace(right, wrong))


def test_every_key_has_a_description() -> None:
    def undescribed(name: str, table: dict[str, Any]) -> list[str]:
        return [f"{name}.{key}" for key, value in table["properties"].items() if "description" not in value]

    schema = json.loads(json_schema())
    tables = {"top": schema, **schema["$defs"]}
    assert [key for name, table in tables.items() for key in undescribed(name, table)] == []


def test_the_pages_tables_are_fresh() -> None:
    page = (DOCS / "configuration.md").read_text()
    assert fill(page) == page, "run: python -m coreml_gate.config.document docs/configuration.md"


@pytest.mark.parametrize("name", TABLES)
def test_every_key_stands_in_its_table_with_its_default(name: str) -> None:
    page = (DOCS / "configuration.md").read_text()
    section = page.split(f"<!-- table: {name} -->")[1].split("<!-- end -->")[0]
    fields = {field.alias: field for field in TABLES[name].model_fields.values()}
    rows = {line.split("`")[1]: line for line in section.splitlines() if line.startswith("| `")}
    assert list(rows) == keys_of(TABLES[name])
    for key, row in rows.items():
        if isinstance(fields[key].default, str | int | float):
            assert f"| `{json.dumps(fields[key].default)}` |" in row


def test_all_tables_together_hold_every_key_of_the_schema() -> None:
    documented = {key for table in TABLES.values() for key in keys_of(table)}
    definitions = json.loads(json_schema())["$defs"]
    written = {key for name, table in definitions.items() if name != "Limits" for key in table["properties"]}
    assert written == documented


def test_the_pages_example_is_a_configuration() -> None:
    page = (DOCS / "configuration.md").read_text()
    example = page.split("```toml\n")[1].split("```")[0]
    validate(example)
    assert parse_config(example, "coreml-gate.toml").model[0].limits.size.max_mb == 20
