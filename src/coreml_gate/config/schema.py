"""The JSON schema of ``coreml-gate.toml``, for editors: ``python -m coreml_gate.config.schema`` prints it."""

import json
import sys

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from coreml_gate.config.options import Config
from coreml_gate.untyped import Json


class _WithoutTitles(GenerateJsonSchema):
    """Keys speak for themselves: editors show a title in place of the description."""

    def field_title_should_be_set(self, schema: Json) -> bool:  # noqa: ARG002 - as overridden
        return False

    def nullable_schema(self, schema: Json) -> JsonSchemaValue:
        """TOML has no null: a key that is not set stands for it."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Json) -> JsonSchemaValue:
        """Only defaults that a user could write: neither nothing nor a whole table."""
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
    """The schema as text: keys with hyphens, descriptions and defaults from the models."""
    schema = Config.model_json_schema(by_alias=True, schema_generator=_WithoutTitles)
    head = {"$schema": GenerateJsonSchema.schema_dialect, "title": "coreml-gate.toml"}
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(json_schema())
