"""JSON schemas whose fields are described by the docstrings below them, read when a schema is written.

pydantic can read them itself (``use_attribute_docstrings``), while each class is made: a tenth of a second of
every command, for texts that only the generated pages use.
"""

import ast
import inspect
import textwrap
from itertools import pairwise

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from coreml_gate.untyped import Json


class DescribedSchema(GenerateJsonSchema):
    """Each property bears the docstring of its field."""

    def model_schema(self, schema: Json) -> JsonSchemaValue:
        """Of one class, with the fields that it inherits."""
        written = super().model_schema(schema)
        properties, fields = written.get("properties", {}), schema["cls"].model_fields
        for name, text in _docstrings(schema["cls"]).items():
            key = (fields[name].alias or name) if self.by_alias and name in fields else name
            if key in properties:
                properties[key] = {"description": text, **properties[key]}
        return written


def _docstrings(model: type) -> dict[str, str]:
    """By the names of the fields; what a class says of one stands for what those above it say."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if "__annotations__" in vars(each) and each.__module__.startswith("coreml_gate."):
            found |= _below_fields(ast.parse(textwrap.dedent(inspect.getsource(each))))
    return found


def _below_fields(source: ast.Module) -> dict[str, str]:
    (definition,) = source.body
    statements = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(statements)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
