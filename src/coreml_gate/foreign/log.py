"""Makes foreign text harmless for terminals and CI logs: it moves no cursor and gives no runner a command.

A runner reads a line of the log that starts with ``::`` as a command (GitHub, docs "Workflow commands"), an
older form that starts with ``##[`` anywhere in a line, and others have forms of their own, such as
``##vso[`` and ``##teamcity[``. Terminals obey control characters, and bidirectional controls show a line in
another order than it has.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

from coreml_gate.errors import GateError
from coreml_gate.foreign.escape import plain

_COMMAND: Final = re.compile(r"(?<!\S)::+|##(?=\w*\[)")
_AT_LINE_START: Final = re.compile(r"^(\s*):(?=:)|#(?=#\w*\[)", re.MULTILINE)
_CONTROLS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, delete, C1
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"  # directions, and what else ends a line
    "\ud800-\udfff]"  # halves of a character: no encoding has them
)


def one_line(text: str) -> str:
    """Foreign text on one line of visible characters, without a command in it."""
    return _COMMAND.sub(lambda found: " ".join(found.group()), plain(text))


def harmless(text: str) -> str:
    """The lines without control characters and without a runner's command at the start of a line."""
    return _AT_LINE_START.sub(lambda found: f"{found.group()} ", _CONTROLS.sub("", text))


@dataclass(frozen=True)
class RunnerCommand:
    """A line of our own that the runner should read as a command; only its values come from outside."""

    line: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The line without control characters."""
        yield Segment(_CONTROLS.sub("", self.line.replace("\n", "%0A")))
        yield Segment.line()


@dataclass(frozen=True)
class _Harmless:
    content: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.content, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)


class _Door(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [each if isinstance(each, RunnerCommand) else _Harmless(each) for each in renderables]


@contextmanager
def only_harmless(*consoles: Console) -> Iterator[None]:
    """Pass everything printed within the block through :func:`harmless`, except a :class:`RunnerCommand`."""
    for console in consoles:
        console.push_render_hook(_Door())
    try:
        yield
    finally:
        for console in consoles:
            console.pop_render_hook()


def say_error(console: Console, error: GateError) -> None:
    """Print an error: message, items, hint, and our example to copy."""
    lines = [f"coreml-gate: {one_line(error.message)}", *(f"  {one_line(line)}" for line in error.lines)]
    console.print("\n".join(lines), style="red")
    if error.hint:
        console.print(f"Hint: {one_line(error.hint)}")
    if error.example:
        console.print(f"\n{error.example}")
    console.print(f"`coreml-gate explain {error.code}` says more.")
