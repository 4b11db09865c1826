"""GitHub's own description of its API: finds operations, judges what is sent, makes least bodies."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT4

SLICE = Path(__file__).with_name("slice.json")
MOMENT = "2026-11-24T09:00:00Z"
_NAME = "github"
_MULTI_SEGMENT = {"path", "basehead", "ref"}
Json = Any


@dataclass(frozen=True)
class Operation:
    """One call of the API: its name, its description, and the values in its path."""

    name: str
    description: Json
    path: Mapping[str, str]
    address: str
    """The path as it was asked for."""


@cache
def load() -> "Document":
    return Document(json.loads(SLICE.read_text(encoding="utf-8")))


class Document:
    """The slice, ready to be asked."""

    def __init__(self, contents: Json) -> None:
        self.contents = _absolute(contents)
        resource = DRAFT4.create_resource(self.contents)
        self.registry: Registry[Json] = Registry().with_resource(_NAME, resource)
        paths = sorted(self.contents["paths"], key=lambda path: (path.count("{"), -len(path)))
        self.routes = [(_expression(path), path) for path in paths]

    def find(self, method: str, path: str) -> Operation | None:
        """The operation behind a method and a path, or ``None`` where GitHub has none."""
        for expression, template in self.routes:
            match = expression.fullmatch(path)
            described = self.contents["paths"][template].get(method.lower())
            if match and described:
                return Operation(described["operationId"], described, match.groupdict(), path)
        return None

    def request_errors(self, operation: Operation, query: Mapping[str, str], body: Json) -> list[str]:
        """What GitHub would not take, or would silently ignore."""
        parameters = map(self.resolved, operation.description.get("parameters", []))
        known = {each["name"]: each["schema"] for each in parameters if each["in"] == "query"}
        problems = [f"query parameter {name} is unknown" for name in query if name not in known]
        for name, text in query.items():
            schema = known.get(name, {})
            problems += self.errors(schema, int(text) if text.isdigit() else text)
        return problems + self._body_errors(operation, body)

    def response_errors(self, operation: Operation, status: int, body: Json) -> list[str]:
        """How an answer of our own differs from one of GitHub's."""
        described = operation.description["responses"].get(str(status))
        if described is None:
            return [f"status {status} is not described"]
        content = self.resolved(described).get("content", {}).get("application/json")
        return self.errors(content["schema"], body) if content else []

    def least(self, operation: Operation, status: int, known: Json) -> Json:
        """The least body that fits the answer's schema, with the known fields laid over it."""
        described = self.resolved(operation.description["responses"][str(status)])
        return self.fill(described["content"]["application/json"]["schema"], known)

    def component(self, name: str, known: Json) -> Json:
        """The least value of a named schema, with the known fields laid over it."""
        return self.fill({"$ref": f"{_NAME}#/components/schemas/{name}"}, known)

    def fill(self, schema: Json, known: Json = None, key: str = "") -> Json:
        described = self.resolved(schema)
        for way in ("anyOf", "oneOf"):
            if way in described and "properties" not in described:
                return self._fill_alternative(described[way], known, key)
        if "allOf" in described:
            return {
                name: value
                for part in described["allOf"]
                for name, value in self.fill(part, known, key).items()
            }
        if known is not None and not isinstance(known, dict):
            return known
        if described.get("type") == "object" or "properties" in described:
            return self._fill_object(described, known or {})
        return _least_scalar(described, key)

    def errors(self, schema: Json, value: Json) -> list[str]:
        validator = Draft4Validator(schema, registry=self.registry, format_checker=FormatChecker())
        return [
            f"{'/'.join(map(str, error.absolute_path)) or 'body'}: {error.message[:200]}"
            for error in validator.iter_errors(value)
        ]

    def resolved(self, value: Json) -> Json:
        while "$ref" in value:
            _, kind, name = value["$ref"].partition("#/")[2].split("/")
            value = self.contents["components"][kind][name]
        return value

    def _body_errors(self, operation: Operation, body: Json) -> list[str]:
        described = operation.description.get("requestBody")
        if not described or body is None:
            return []
        schema = self.resolved(described)["content"]["application/json"]["schema"]
        known = self.resolved(schema).get("properties", {})
        unknown = [f"body field {name} is unknown" for name in body if known and name not in known]
        return unknown + self.errors(schema, body)

    def _fill_alternative(self, alternatives: list[Json], known: Json, key: str) -> Json:
        if known is None and {"type": "null"} in alternatives:
            return None
        return self.fill(alternatives[0], known, key)

    def _fill_object(self, described: Json, known: Json) -> Json:
        properties = described.get("properties", {})
        names = dict.fromkeys(
            [*(name for name in described.get("required", []) if name in properties), *known]
        )
        return {name: self.fill(properties.get(name, {}), known.get(name), name) for name in names}


def _least_scalar(described: Json, key: str) -> Json:
    if "enum" in described:
        return described["enum"][0]
    simple = {"array": [], "integer": 0, "number": 0, "boolean": False}
    if described.get("type") in simple:
        return simple[described["type"]]
    if described.get("type") != "string":
        return None
    if described.get("format") == "date-time":
        return MOMENT
    return "https://github.invalid/x" if described.get("format") == "uri" or key.endswith("url") else "x"


def _absolute(value: Json) -> Json:
    if isinstance(value, list):
        return [_absolute(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _NAME + inner if key == "$ref" and isinstance(inner, str) else _absolute(inner)
        for key, inner in value.items()
    }


def _expression(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    names = (f"(?P<{name}>{'.+' if name in _MULTI_SEGMENT else '[^/]+'})" for name in parts[1::2])
    return re.compile("".join(a + b for a, b in zip(map(re.escape, parts[::2]), [*names, ""], strict=True)))
