"""The tables of docs/configuration.md, and the JSON schema of ``coreml-gate.toml``, for editors.

``python -m coreml_gate.config.document docs/configuration.md docs/config.schema.json`` writes both.
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, cast, get_args

from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from coreml_gate.config.limits import Limits
from coreml_gate.config.options import (
    Compression,
    Config,
    Converter,
    GateOptions,
    ImageInput,
    ModelConfig,
    ModelInput,
    ModelOptions,
    ModelVariant,
    RuleOptions,
)
from coreml_gate.config.table import Table
from coreml_gate.described import DescribedSchema
from coreml_gate.untyped import Json


class _WithoutTitles(DescribedSchema):
    """Leaves titles out, because editors would show them instead of the description."""

    def field_title_should_be_set(self, schema: Json) -> bool:  # noqa: ARG002 - as overridden
        return False

    def nullable_schema(self, schema: Json) -> JsonSchemaValue:
        """TOML has no null; a key that is not set means the same."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Json) -> JsonSchemaValue:
        """Only defaults that a user could write: neither null nor a whole table."""
        described = super().default_schema(schema)
        if described.get("default") is None or isinstance(described["default"], dict):
            described.pop("default", None)
        return described

    def model_schema(self, schema: Json) -> JsonSchemaValue:
        described = super().model_schema(schema)
        described.pop("title", None)
        if "description" in described:
            described["description"] = described["description"].split("\n\n")[0].replace("\n", " ")
        return described


def json_schema() -> str:
    """The schema as text, with hyphenated keys, descriptions and defaults from the models."""
    schema = Config.model_json_schema(by_alias=True, schema_generator=_WithoutTitles)
    head = {"$schema": GenerateJsonSchema.schema_dialect, "title": "coreml-gate.toml"}
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"


def _limits_of(field: FieldInfo) -> type[Table]:
    """The class of one check's limits, whether there is one table or one per name."""
    written = get_args(field.annotation) or (field.annotation,)
    return cast("type[Table]", written[-1])


TABLES: Final[dict[str, type[Table]]] = {
    "gate": GateOptions,
    "model": ModelConfig,
    "options": ModelOptions,
    "input": ModelInput,
    "image": ImageInput,
    "compress": Compression,
    "converter": Converter,
    "variant": ModelVariant,
    "rules": RuleOptions,
    **{f"limits.{field.alias}": _limits_of(field) for field in Limits.model_fields.values()},
}
"""The tables of the page by the names in their markers, in the page's order."""
_MARKED = re.compile(r"(<!-- table: ([\w.-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SHARED = frozenset(ModelOptions.model_fields)


def fill(page: str) -> str:
    """The page with each marked table rewritten."""
    definitions = json.loads(json_schema())["$defs"]
    return _MARKED.sub(lambda marked: f"{marked[1]}{_table(TABLES[marked[2]], definitions)}{marked[3]}", page)


def keys_of(table: type[Table]) -> list[str]:
    """The keys that the table's section lists; keys of every model have a section of their own."""
    inherits = issubclass(table, ModelOptions) and table is not ModelOptions
    listed = {name: field for name, field in table.model_fields.items() if not (inherits and name in _SHARED)}
    return [field.alias or name for name, field in listed.items()]


def _table(table: type[Table], definitions: dict[str, Json]) -> str:
    properties = definitions["GateOptions" if table is ModelOptions else table.__name__]["properties"]
    fields = {field.alias: field for field in table.model_fields.values()}
    rows = [_row(key, properties[key], fields[key]) for key in keys_of(table)]
    return "| Key | Type | Default | Meaning |\n|---|---|---|---|\n" + "".join(rows)


def _row(key: str, schema: dict[str, Json], field: FieldInfo) -> str:
    meaning = " ".join(schema["description"].replace("``", "`").replace("|", "\\|").split())
    return f"| `{key}` | {_type(schema)} | {_default(field)} | {meaning} |\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, Table):
        return "see below"
    return "none" if default is None else f"`{json.dumps(default)}`"


def _type(schema: dict[str, Json]) -> str:
    """A type in the user's words, from its JSON schema."""
    if "anyOf" in schema:
        return _alternatives(_type(branch) for branch in schema["anyOf"])
    if "enum" in schema:
        return _alternatives(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "prefixItems" in schema:
        return "`[least, greatest]`"
    if schema.get("type") == "array":
        return f"list of ({_type(schema['items'])})"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
    return words.get(schema.get("type", ""), "table") + _bounds(schema)


def _bounds(schema: dict[str, Json]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    return f" {', '.join(bounds)}" if bounds else ""


def _alternatives(types: Iterable[str]) -> str:
    *first, last = types
    return f"{', '.join(first)} or {last}" if first else last


def main(page: Path, schema: Path) -> None:
    """Rewrite the tables of the page and the schema."""
    page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
    schema.write_text(json_schema(), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
