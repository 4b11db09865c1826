"""How a child reports: one JSON line per event, written at once, so that a crash loses nothing before it."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from coreml_gate.worker.job import Step


@dataclass(frozen=True)
class EventLog:
    """The child's side: begins steps and hands over finished parts of a ``ModelRecord``."""

    path: Path
    variant: str = ""
    """Whose parts they are: those of the model itself, or of one of its variants."""

    def of(self, variant: str) -> "EventLog":
        """The same log, for what belongs to a variant."""
        return EventLog(self.path, variant)

    def begin(self, step: Step) -> None:
        """Say that a step starts now: its deadline counts from here."""
        self._append({"step": step})

    def update(self, **parts: object) -> None:
        """Hand over parts of the ``ModelRecord``; a later value of the same part replaces the earlier one."""
        self._append({"parts": {name: _plain(part) for name, part in parts.items()}})

    def _append(self, event: dict[str, Any]) -> None:
        event |= {"variant": self.variant} if self.variant else {}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, allow_nan=False) + "\n")


def _plain(part: object) -> object:
    if isinstance(part, BaseModel):
        return part.model_dump(mode="json")
    if isinstance(part, tuple | list):
        return [_plain(item) for item in part]
    return part


@dataclass(frozen=True)
class Events:
    """The parent's side: how far the child came, and what it handed over."""

    step: Step = "start"
    parts: dict[str, Any] = field(default_factory=dict)
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What was handed over of each variant that was begun."""
    variant: str = ""
    """The variant at which the child is."""


def read_events(path: Path) -> Events:
    """Read all whole lines; a line that the child was still writing when it died is left out."""
    if not path.exists():
        return Events()
    events = Events()
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        events = _with(events, json.loads(line))
    return events


def _with(events: Events, event: dict[str, Any]) -> Events:
    variant = event.get("variant", "")
    into = events.variants.setdefault(variant, {}) if variant else events.parts
    into.update(event.get("parts", {}))
    return replace(events, step=event.get("step", events.step), variant=variant)
