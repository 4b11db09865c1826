"""Finds the line of a key in a TOML file, which ``tomllib`` does not report."""

import re
from collections.abc import Mapping

Place = tuple[str | int, ...]
"""The path to a value: keys by name, elements of lists by number."""

_HEADER = re.compile(r"\s*(\[{1,2})([^\[\]]+)\]{1,2}\s*(#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_KEY_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def line_of(text: str, place: Place) -> int | None:
    """The line of the place, or of the nearest enclosing table with a line of its own."""
    return nearest_line(key_lines(text), place)


def nearest_line(lines: Mapping[Place, int], place: Place) -> int | None:
    """Like :func:`line_of`, in the lines of a text that has been read."""
    prefixes = (place[:length] for length in range(len(place), 0, -1))
    return next((lines[prefix] for prefix in prefixes if prefix in lines), None)


def key_lines(text: str) -> dict[Place, int]:
    """The line of each key and table in a text."""
    lines: dict[Place, int] = {}
    elements: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _open_table(header[2], elements, is_element=header[1] == "[[")
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault(table + _split(key[1]), number)
    return lines


def _open_table(dotted: str, elements: dict[Place, int], *, is_element: bool) -> Place:
    """The place of a header; a list of tables on the way means its last element so far."""
    table: Place = ()
    *parents, last = _split(dotted)
    for part in parents:
        table = (*table, part)
        if table in elements:
            table = (*table, elements[table])
    table = (*table, last)
    if not is_element:
        return table
    elements[table] = elements.get(table, -1) + 1
    return (*table, elements[table])


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _KEY_PART.findall(dotted))
