"""Cuts the operations that the gate calls out of GitHub's OpenAPI document, for the tests' server.

::

    npm pack @octokit/openapi && tar xzf octokit-openapi-*.tgz package/generated/api.github.com.json
    python tests/github_api/cut.py package/generated/api.github.com.json tests/github_api/slice.json

Prose and examples are left out, and ``nullable`` (OpenAPI 3.0) becomes an ``anyOf`` that JSON Schema knows.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = "/repos/{owner}/{repo}"
OPERATIONS: Final = {
    "": ("get",),
    "/pulls": ("get",),
    "/pulls/{pull_number}": ("get",),
    "/pulls/{pull_number}/files": ("get",),
    "/pulls/{pull_number}/comments": ("get", "post"),
    "/pulls/comments/{comment_id}": ("get", "patch", "delete"),
    "/issues": ("get",),
    "/issues/{issue_number}/comments": ("get", "post"),
    "/issues/comments/{comment_id}": ("get", "patch", "delete"),
    "/check-runs": ("post",),
    "/check-runs/{check_run_id}": ("get", "patch"),
    "/check-runs/{check_run_id}/annotations": ("get",),
    "/commits/{ref}/check-runs": ("get",),
    "/statuses/{sha}": ("post",),
    "/commits/{ref}/status": ("get",),
    "/commits": ("get",),
    "/commits/{ref}": ("get",),
    "/commits/{commit_sha}/pulls": ("get",),
    "/compare/{basehead}": ("get",),
    "/contents/{path}": ("get",),
    "/collaborators/{username}/permission": ("get",),
    "/releases/latest": ("get",),
    "/releases/assets/{asset_id}": ("get",),
    "/actions/runs/{run_id}": ("get",),
    "/actions/runs/{run_id}/jobs": ("get",),
    "/actions/runs/{run_id}/artifacts": ("get",),
    "/actions/artifacts": ("get",),
    "/actions/artifacts/{artifact_id}/{archive_format}": ("get",),
}
"""Paths under a repository, and the methods that are called."""

_PROSE: Final = frozenset({"example", "examples", "externalDocs", "x-github", "summary", "tags", "title"})
Json = Any


def cut(document: Json) -> Json:
    """The document with the wanted operations and every component that they reach."""
    paths = {
        REPOSITORY + path: {
            key: _slim(value)
            for key, value in document["paths"][REPOSITORY + path].items()
            if key in methods or key == "parameters"
        }
        for path, methods in OPERATIONS.items()
    }
    components: dict[str, dict[str, Json]] = {}
    waiting = list(_references(paths))
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = _slim(document["components"][kind][name])
            waiting += _references(components[kind][name])
    info = {"title": document["info"]["title"], "version": document["info"]["version"], "license": "MIT"}
    return {"info": info, "paths": paths, "components": components}


def _slim(value: Json) -> Json:
    if isinstance(value, list):
        return [_slim(element) for element in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _slim(inner) for key, inner in value.items() if not _is_prose(key, inner)}
    if kept.pop("nullable", None) is True:
        return {"anyOf": [kept, {"type": "null"}]}
    return kept


def _is_prose(key: str, value: Json) -> bool:
    """Whether this is documentation; a property that is called ``description`` has a schema for a value."""
    if key == "description":
        return isinstance(value, str)
    return key in _PROSE and not (isinstance(value, dict) and {"type", "$ref", "anyOf", "oneOf"} & set(value))


def _references(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def main(source: Path, target: Path) -> None:
    """Write the slice, one path and one component a line."""
    document = cut(json.loads(source.read_text(encoding="utf-8")))
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    target.write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
