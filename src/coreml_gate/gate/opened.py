"""The files that models were seen to read in earlier runs, from their Records; imports may not show them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from coreml_gate.reading import read_bytes

OpenedByModel = Mapping[str, tuple[str, ...]]


def opened_in(records: Iterable[Path]) -> OpenedByModel:
    """Paths by model over all these Records.

    Missing or unreadable Records are ignored. They are not validated, because planning a thousand models must
    not take seconds.
    """
    found: dict[str, set[str]] = {}
    for path in records:
        for model in models_in(path):
            match model:
                case {"name": str(name), "opened": list(paths)}:
                    found.setdefault(name, set()).update(each for each in paths if isinstance(each, str))
    return {name: tuple(sorted(paths)) for name, paths in found.items()}


def models_in(path: Path) -> list[Any]:
    """The models of a Record as plain JSON, variants under their model's name; none if it is broken."""
    try:
        document = json.loads(read_bytes(path))
    except (OSError, ValueError, RecursionError):
        return []
    match document:
        case {"models": list(models), "skipped": list(skipped)}:
            return [*models, *(variant for model in models for variant in _variants_of(model)), *skipped]
    return []


def _variants_of(model: object) -> list[Any]:
    """The variants of a model, whose files belong to the model."""
    match model:
        case {"name": str(name), "variants": list(variants)}:
            return [variant | {"name": name} for variant in variants if isinstance(variant, dict)]
    return []
