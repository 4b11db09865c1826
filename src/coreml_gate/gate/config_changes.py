"""What a change does to the gate's configuration; reported, because it could loosen its own limits."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeGuard

from coreml_gate.config import Config, GateOptions, ModelOptions
from coreml_gate.untyped import Json
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted, first_and_more, listed

CHECK: Final = "policy"
_ABSENT: Final = "not set"
_SHOWN: Final = 3
"""Changes named in the message; the details list all of them."""
_NAMES: Final = 3
_LONGEST: Final = 80
_SHARED: Final = frozenset(ModelOptions.model_fields)


@dataclass(frozen=True)
class ConfigChange:
    """One changed key; ``models`` is empty for a key of ``[gate]``."""

    key: str
    old: str
    new: str
    models: tuple[str, ...] = ()

    def __str__(self) -> str:
        of = f" of {_listed(self.models)}" if self.models else ""
        return f"`{self.key}`{of}: {self.old} → {self.new}"


def config_changes(base: Config, head: Config) -> tuple[ConfigChange, ...]:
    """Every changed key, grouped over models with the same change, and every added or removed model."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for model, key, old, new in _of_models(base, head):
        grouped.setdefault((key, old, new), []).append(model)
    of_models = (ConfigChange(*change, tuple(models)) for change, models in grouped.items())
    return (*_of_gate(base.gate, head.gate), *of_models)


def config_finding(changes: tuple[ConfigChange, ...], judged_with: str) -> Finding | None:
    """One warning about all changes, or ``None``; ``judged_with`` says whose limits were applied."""
    if not changes:
        return None
    shown = first_and_more([str(change) for change in changes], _SHOWN)
    return Finding(
        check=CHECK,
        status=Status.WARN,
        subject="configuration",
        message=f"{counted(len(changes), 'key')} of the gate's configuration changed: {shown}. {judged_with}",
        hint="approving this change also approves these limits.",
        details=tuple(str(change) for change in changes),
    )


def _of_gate(base: GateOptions, head: GateOptions) -> Iterator[ConfigChange]:
    """The gate's own keys; inherited keys show up in the models."""
    own = set(GateOptions.model_fields) - _SHARED
    before = dict(_flat(base.model_dump(mode="json", by_alias=True, include=own)))
    after = dict(_flat(head.model_dump(mode="json", by_alias=True, include=own)))
    for key, old, new in _differences(before, after):
        yield ConfigChange(f"gate.{key}", old, new)


def _of_models(base: Config, head: Config) -> Iterator[tuple[str, str, str, str]]:
    before = {model.name: model for model in base.model}
    after = {model.name: model for model in head.model}
    for name in dict.fromkeys([*before, *after]):
        if name not in before or name not in after:
            yield name, "model", *(("gated", "removed") if name in before else ("absent", "added"))
            continue
        old = dict(_flat(before[name].model_dump(mode="json", by_alias=True)))
        new = dict(_flat(after[name].model_dump(mode="json", by_alias=True)))
        for key, was, now in _differences(old, new):
            yield name, key, was, now


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if old != new:
            yield key, old, new


def _flat(table: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif _are_named(value):
            for named in value:
                yield from _flat(named, f"{prefix}{key}.{named['name']}.")
        else:
            yield f"{prefix}{key}", _shown(value)


def _are_named(value: Json) -> TypeGuard[list[Mapping[str, Json]]]:
    """Tables such as those of the inputs are known by their names, wherever they stand in their list."""
    return isinstance(value, list) and all(isinstance(each, Mapping) and "name" in each for each in value)


def _shown(value: object) -> str:
    if value is None:
        return _ABSENT
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _listed(models: tuple[str, ...]) -> str:
    named = listed(models[:_NAMES])
    return named if len(models) <= _NAMES else f"{named} and {counted(len(models) - _NAMES, 'more model')}"
