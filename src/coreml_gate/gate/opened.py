"""What earlier runs saw models read, taken from their Records: no import need show it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

OpenedByModel = Mapping[str, tuple[str, ...]]


def opened_in(records: Iterable[Path]) -> OpenedByModel:
    """The paths by model, of all these Records together.

    A Record that is missing or that cannot be read lists nothing; it is not validated, since planning must
    not take seconds for a thousand models.
    """
    found: dict[str, set[str]] = {}
    for path in records:
        for model in models_in(path):
            match model:
                case {"name": str(name), "opened": list(paths)}:
                    found.setdefault(name, set()).update(each for each in paths if isinstance(each, str))
    return {name: tuple(sorted(paths)) for name, paths in found.items()}


def models_in(path: Path) -> list[Any]:
    """The models of a Record as plain JSON, its variants under their model's name; none of a broken one."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    match document:
        case {"models": list(models), "skipped": list(skipped)}:
            return [*models, *(variant for model in models for variant in _variants_of(model)), *skipped]
    return []


def _variants_of(model: object) -> list[Any]:
    """A variant's files belong to its model."""
    match model:
        case {"name": str(name), "variants": list(variants)}:
            return [variant | {"name": name} for variant in variants if isinstance(variant, dict)]
    return []
