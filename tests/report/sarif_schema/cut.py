"""Cuts what our log files use out of the SARIF 2.1.0 schema, for the tests.

::

    python tests/report/sarif_schema/cut.py sarif-schema-2.1.0.json tests/report/sarif_schema/slice.json

Prose is left out, and so is every property that is neither required nor written by us: since no object of the
schema takes unknown properties, a new one in ``report/sarif.py`` fails until the slice is cut anew.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

WRITTEN: Final = {
    "": ("$schema", "version", "runs"),
    "run": ("tool", "invocations", "results", "columnKind"),
    "tool": ("driver",),
    "toolComponent": ("name", "version", "informationUri", "rules"),
    "reportingDescriptor": ("id", "name", "shortDescription"),
    "invocation": ("executionSuccessful", "exitCode", "toolExecutionNotifications"),
    "notification": ("level", "message"),
    "result": (
        "ruleId",
        "ruleIndex",
        "level",
        "message",
        "locations",
        "partialFingerprints",
        "properties",
    ),
    "location": ("physicalLocation", "logicalLocations"),
    "physicalLocation": ("artifactLocation", "region"),
    "artifactLocation": ("uri", "uriBaseId"),
    "region": ("startLine",),
    "logicalLocation": ("name", "kind"),
    "message": ("text",),
    "multiformatMessageString": ("text",),
    "propertyBag": ("tags",),
}
"""Definitions, and those of their properties that are kept."""


def cut(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with nothing but the definitions and properties in :data:`WRITTEN`."""
    definitions = {name: _slim(schema["definitions"][name], kept) for name, kept in WRITTEN.items() if name}
    return {**_slim(schema, WRITTEN[""]), "definitions": definitions}


def _slim(definition: dict[str, Any], kept: tuple[str, ...]) -> dict[str, Any]:
    properties = {name: definition["properties"][name] for name in kept}
    slim = {key: value for key, value in definition.items() if key not in {"properties", "definitions"}}
    return dict(_without_prose({**slim, "properties": properties}))


def _without_prose(value: Any) -> Any:
    match value:
        case dict():
            return {
                key: _without_prose(inner)
                for key, inner in value.items()
                if not (key in {"description", "title"} and isinstance(inner, str))
            }
        case list():
            return [_without_prose(inner) for inner in value]
        case _:
            return value


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    whole = json.loads(source.read_text(encoding="utf-8"))
    target.write_text(json.dumps(cut(whole), indent=1) + "\n", encoding="utf-8")
