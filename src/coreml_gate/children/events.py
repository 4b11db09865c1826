"""A child's report: one JSON line per event, written at once, so that a crash loses no earlier event.

The content of the file is untrusted, because the model's own code runs in the process that writes it. The
parent makes the file and reads it through its own descriptor; it accepts only known steps, parts of the right
form, and no more bytes than any honest report has.
"""

import math
import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coreml_gate.children.files import fresh_file
from coreml_gate.record.base import Part, WrappedPart
from coreml_gate.untyped import Json

EVENTS_FILE: Final = "events.jsonl"
"""A child's report, in the folder of its job."""
START: Final = "start"
"""The step of a child that has not begun any."""
MOST_BYTES: Final = 256 * 2**20
"""The limit of a whole report; the outline of a program with a million operations takes 100 MB."""
MOST_DETAIL: Final = 200
"""Characters of a progress message: one line of a terminal."""
DETAIL_EVERY_S: Final = 1.0
"""Seconds between written progress messages, because a loop reports each of thousands of samples."""
_CHUNK: Final = 2**20

AnyPart = Part | WrappedPart[Json]
SomePart = TypeVar("SomePart", bound=Part)
SomeContent = TypeVar("SomeContent")
PartTypes = Mapping[str, type[AnyPart]]
"""The parts that a child may report, by field."""


class EventLog:
    """The child's side: begins steps and reports parts."""

    def __init__(
        self,
        folder: Path,
        variant: str = "",
        descriptor: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``variant``: the variant to which the parts belong; empty for the model itself."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self.folder = folder
        self._variant = variant
        self._file = os.open(folder / EVENTS_FILE, flags) if descriptor is None else descriptor
        self._clock, self._detailed = clock, -math.inf

    def of(self, variant: str) -> "EventLog":
        """The same log for the parts of a variant."""
        return EventLog(self.folder, variant, self._file, self._clock)

    def begin(self, step: str) -> None:
        """Report that a step starts now; its deadline counts from here."""
        self._append({"step": step})

    def advance(self, detail: str) -> None:
        """Report the step's progress (``312 of 1,000 predictions``) for display; it is not in the Record."""
        now = self._clock()
        if now - self._detailed >= DETAIL_EVERY_S:
            self._detailed = now
            self._append({"detail": detail[:MOST_DETAIL]})

    def put(self, part: AnyPart) -> None:
        """Report a part; a later one of the same field replaces the earlier one."""
        self._append({"part": part.FIELD, "content": part})

    def end(self) -> None:
        """Report the end: everything required is done or reported as a problem."""
        self._append({"end": True})

    def _append(self, event: dict[str, object]) -> None:
        line = pydantic_core.to_json(event | ({"variant": self._variant} if self._variant else {})) + b"\n"
        while line:
            line = line[os.write(self._file, line) :]


@dataclass(frozen=True)
class Parts:
    """The parts that a child reported for one model or package, by field."""

    by_field: Mapping[str, AnyPart] = field(default_factory=dict)

    def get(self, kind: type[SomePart]) -> SomePart | None:
        """The part of that type, or ``None``."""
        found = self.by_field.get(kind.FIELD)
        return found if isinstance(found, kind) else None

    def content(self, kind: type[WrappedPart[SomeContent]]) -> SomeContent | None:
        """The content of the part of that type, or ``None``."""
        found = self.by_field.get(kind.FIELD)
        return found.root if isinstance(found, kind) else None

    def contents(self) -> dict[str, object]:
        """Each part as the value of its field."""
        return {name: part.content for name, part in self.by_field.items()}

    def having(self, part: AnyPart) -> "Parts":
        """These parts with another one, which replaces an earlier one of the same field."""
        return Parts({**self.by_field, part.FIELD: part})


NOTHING: Final = Parts()


@dataclass(frozen=True)
class Events:
    """How far a child came, and what it reported."""

    step: str = START
    parts: Parts = NOTHING
    variants: Mapping[str, Parts] = field(default_factory=dict)
    """The parts of each variant that the child has begun."""
    variant: str = ""
    """The child's current variant."""
    finished: bool = False
    """Whether it has reported its end."""
    detail: str = ""
    """The step's progress, in words; empty if none was reported."""


@dataclass(frozen=True)
class Vocabulary:
    """The steps and parts that an honest child can report."""

    parts: PartTypes
    steps: Collection[str]
    variants: Collection[str] = ()


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    step: str = ""
    detail: str = Field(default="", max_length=MOST_DETAIL)
    part: str = ""
    content: Json = None
    variant: str = ""
    end: bool = False


class EventReader:
    """The parent's side: makes the file before the child starts and reads it as it grows."""

    def __init__(
        self, folder: Path, vocabulary: Vocabulary, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = fresh_file(folder / EVENTS_FILE)
        self._vocabulary = vocabulary
        self._clock, self._since = clock, clock()
        self._seconds: dict[str, float] = {}
        self._rest = b""
        self._read, self._lines = 0, 0
        self.events = Events()
        self.fault = ""
        """The error in the first line that is not an event; the other lines remain valid."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    @property
    def step(self) -> str:
        """The child's current step."""
        return self.events.step

    @property
    def detail(self) -> str:
        """That step's progress, in the child's words."""
        return self.events.detail

    @property
    def finished(self) -> bool:
        """Whether the child has reported its end."""
        return self.events.finished

    @property
    def seconds(self) -> Mapping[str, float]:
        """The seconds that the child spent in each step, in the order of the steps."""
        return {**self._seconds, self.step: self._seconds.get(self.step, 0.0) + self._clock() - self._since}

    def read(self) -> None:
        """Read all new complete lines; a line that is still being written waits."""
        while not self.finished and (chunk := os.pread(self._file, _CHUNK, self._read)):
            self._read += len(chunk)
            if self._read > MOST_BYTES:
                self._blame(f"it reported more than {MOST_BYTES / 1e6:,.0f} MB")
                return
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                if not self.finished:
                    self._take(line)

    def _take(self, line: bytes) -> None:
        self._lines += 1
        try:
            event = _Line.model_validate_json(line)
            seconds = self.seconds
            self.events = _with(self.events, event, self._vocabulary)
            if event.step:
                self._seconds, self._since = dict(seconds), self._clock()
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            self._blame(f"line {self._lines} of its report is not an event: {first['msg']}")
        except _UnknownError as error:
            self._blame(f"line {self._lines} of its report is not an event: {error}")

    def _blame(self, fault: str) -> None:
        self.fault = self.fault or fault


class _UnknownError(Exception):
    """A line that no honest child writes."""


def _with(events: Events, event: _Line, known: Vocabulary) -> Events:
    if event.step and event.step not in known.steps:
        raise _UnknownError("unknown step")
    if event.variant and event.variant not in known.variants:
        raise _UnknownError("unknown variant")
    before = events.variants.get(event.variant, NOTHING) if event.variant else events.parts
    after = before.having(_part(event, known.parts)) if event.part else before
    events = replace(
        events,
        step=event.step or events.step,
        detail=event.detail or ("" if event.step else events.detail),
        variant=event.variant,
        finished=events.finished or event.end,
    )
    if event.variant:
        return replace(events, variants={**events.variants, event.variant: after})
    return replace(events, parts=after)


def _part(event: _Line, types: PartTypes) -> AnyPart:
    kind = types.get(event.part)
    if kind is None:
        raise _UnknownError("unknown part")
    return kind.model_validate(event.content)
