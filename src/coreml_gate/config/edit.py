"""Edits the lines of a configuration file that set one key of one model.

The lines are found by pattern, which multi-line strings and inline tables can deceive. An edit is therefore
accepted only if the edited file is a valid configuration that differs in this value alone.
"""

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from coreml_gate.config.lines import Place, line_of
from coreml_gate.config.load import at_place, parse_config, place_of_gate
from coreml_gate.errors import ConfigError
from coreml_gate.untyped import Json

Key = Literal["keep-fp32", "conversion"]
Value = str | tuple[str, ...]
MAX_LINES: Final = 20
"""Longest list that is replaced."""


@dataclass(frozen=True)
class Edit:
    """A range of lines of a file, counted from 1, and their replacement."""

    first: int
    last: int
    lines: tuple[str, ...]


def edit_of(text: str, name: str, model: str, key: Key, value: Value) -> Edit | None:
    """The edit of the file ``name`` that sets this value of the model; ``None`` if not needed or not certain.

    An existing key is replaced with all its lines; a new one goes below the model's name. Lines must end in a
    plain line feed, the only line end that GitHub counts.
    """
    if text.removesuffix("\n").split("\n") != text.splitlines():
        return None
    try:
        names = [each.name for each in parse_config(text, name).model]
        if model not in names:
            return None
        return _proven(text, name, (*place_of_gate(name), "model", names.index(model)), key, value)
    except (ConfigError, RecursionError):
        return None


def _proven(text: str, name: str, place: Place, key: Key, value: Value) -> Edit | None:
    wanted = tomllib.loads(text)
    table = at_place(wanted, place)
    anchor = key if key in table else "name"
    old, table[key] = table.get(key), list(value) if isinstance(value, tuple) else value
    if old == table[key]:
        return None
    lines = text.splitlines()
    candidates = _candidates(lines, line_of(text, (*place, anchor)), f"{key} = {written(value)}", anchor)
    return next((edit for edit in candidates if _makes(edit, lines, wanted, name)), None)


def written(value: Value) -> str:
    """A string or a list of strings as TOML: JSON's escapes, and the one character that only TOML forbids."""
    shown = value if isinstance(value, str) else list(value)
    return json.dumps(shown, ensure_ascii=False).replace("\x7f", "\\u007f")


def table_with(model: str, key: Key, value: Value) -> tuple[str, ...]:
    """The model's table with the line to add, for a hint without the file itself."""
    return ("[[model]]", f"name = {written(model)}", f"{key} = {written(value)}  # the line to add")


def _candidates(lines: Sequence[str], at: int | None, line: str, anchor: str) -> Iterator[Edit]:
    if at is None:
        return
    old = lines[at - 1]
    line = old[: len(old) - len(old.lstrip())] + line
    if anchor == "name":
        yield Edit(at, at, (old, line))
        return
    for last in range(at, min(at + MAX_LINES, len(lines) + 1)):
        yield Edit(at, last, (line,))


def _makes(edit: Edit, lines: Sequence[str], wanted: dict[str, Json], name: str) -> bool:
    """Whether the edited file is valid and differs in the wanted value alone."""
    edited = "\n".join((*lines[: edit.first - 1], *edit.lines, *lines[edit.last :], ""))
    try:
        if tomllib.loads(edited) != wanted:
            return False
        parse_config(edited, name)
    except (tomllib.TOMLDecodeError, ConfigError):
        return False
    return True
