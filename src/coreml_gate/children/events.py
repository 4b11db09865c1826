"""How a child reports: one JSON line per event, written at once, so that a crash loses nothing before it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from coreml_gate.record.base import Part, WrappedPart

EVENTS_FILE: Final = "events.jsonl"
"""A child's report, in the folder of its job."""
START: Final = "start"
"""The step of a child that has not begun one."""

AnyPart = Part | WrappedPart[Any]
SomePart = TypeVar("SomePart", bound=Part)
SomeContent = TypeVar("SomeContent")
PartTypes = Mapping[str, type[AnyPart]]
"""The parts that a child may hand over, by field."""


@dataclass(frozen=True)
class EventLog:
    """The child's side: begins steps and hands over parts."""

    folder: Path
    variant: str = ""
    """Whose parts they are: those of the model itself, or of one of its variants."""

    def of(self, variant: str) -> "EventLog":
        """The same log, for what belongs to a variant."""
        return EventLog(self.folder, variant)

    def begin(self, step: str) -> None:
        """Say that a step starts now: its deadline counts from here."""
        self._append({"step": step})

    def put(self, part: AnyPart) -> None:
        """Hand over a part; a later one of the same field replaces the earlier one."""
        self._append({"part": part.FIELD, "content": part.model_dump(mode="json")})

    def _append(self, event: dict[str, Any]) -> None:
        event |= {"variant": self.variant} if self.variant else {}
        with (self.folder / EVENTS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, allow_nan=False) + "\n")


@dataclass(frozen=True)
class Parts:
    """What a child handed over of one model or package, by field."""

    by_field: Mapping[str, AnyPart] = field(default_factory=dict)

    def get(self, kind: type[SomePart]) -> SomePart | None:
        """The part of that type, or ``None``."""
        found = self.by_field.get(kind.FIELD)
        return found if isinstance(found, kind) else None

    def content(self, kind: type[WrappedPart[SomeContent]]) -> SomeContent | None:
        """What the part of that type holds, or ``None``."""
        found = self.by_field.get(kind.FIELD)
        return found.root if isinstance(found, kind) else None

    def contents(self) -> dict[str, object]:
        """Each part as the value of its field."""
        return {name: part.content for name, part in self.by_field.items()}

    def having(self, part: AnyPart) -> "Parts":
        """These parts with another one, or with one in the place of the earlier one."""
        return Parts({**self.by_field, part.FIELD: part})


NOTHING: Final = Parts()


@dataclass(frozen=True)
class Events:
    """The parent's side: how far the child came, and what it handed over."""

    step: str = START
    parts: Parts = NOTHING
    variants: Mapping[str, Parts] = field(default_factory=dict)
    """What was handed over of each variant that was begun."""
    variant: str = ""
    """The variant at which the child is."""


def read_step(folder: Path) -> str:
    """The step at which the child is; the parts are not looked at."""
    steps = (event["step"] for event in _events(folder) if "step" in event)
    return str(max(enumerate(steps), default=(0, START))[1])


def read_events(folder: Path, types: PartTypes) -> Events:
    """Read all whole lines; a line that the child was still writing when it died is left out."""
    events = Events()
    for event in _events(folder):
        events = _with(events, event, types)
    return events


def _events(folder: Path) -> list[dict[str, Any]]:
    path = folder / EVENTS_FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _with(events: Events, event: Mapping[str, Any], types: PartTypes) -> Events:
    variant = event.get("variant", "")
    before = events.variants.get(variant, NOTHING) if variant else events.parts
    after = before
    if "part" in event:
        after = before.having(types[event["part"]].model_validate(event["content"]))
    events = replace(events, step=event.get("step", events.step), variant=variant)
    if variant:
        return replace(events, variants={**events.variants, variant: after})
    return replace(events, parts=after)
