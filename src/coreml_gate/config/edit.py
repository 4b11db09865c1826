"""Which lines of a configuration file set a key of one model, and nothing else?

The lines are found by their looks, which multi-line texts and inline tables can deceive. So an edit is
believed only when the edited file, read again, is a valid configuration and differs in that value alone.
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
"""Of a list that stands there already: one that is longer is not replaced."""


@dataclass(frozen=True)
class Edit:
    """Whole lines of a file, the first one being 1, and what is to stand there instead."""

    first: int
    last: int
    lines: tuple[str, ...]


def edit_of(text: str, name: str, model: str, key: Key, value: Value) -> Edit | None:
    """The edit of the file ``name`` that gives the model this value; ``None``: no need, or not certain.

    A key that is there is replaced, whatever lines it takes; a new one goes below the model's name. Lines
    have to end in a plain line feed: GitHub counts no other ends.
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
    """A text or a list of texts as TOML: JSON's escapes, and the one character that only TOML forbids."""
    shown = value if isinstance(value, str) else list(value)
    return json.dumps(shown, ensure_ascii=False).replace("\x7f", "\\u007f")


def table_with(model: str, key: Key, value: Value) -> tuple[str, ...]:
    """The model's table with the line to add, to be shown where the file itself is not at hand."""
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
    """Whether the edited file says what is wanted, and may be said."""
    edited = "\n".join((*lines[: edit.first - 1], *edit.lines, *lines[edit.last :], ""))
    try:
        if tomllib.loads(edited) != wanted:
            return False
        parse_config(edited, name)
    except (tomllib.TOMLDecodeError, ConfigError):
        return False
    return True
