"""Reports what is wrong with a configuration: all problems at once, each with its place."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from coreml_gate.config.lines import Place, key_lines, nearest_line
from coreml_gate.config.options import Config
from coreml_gate.config.table import Table
from coreml_gate.errors import ConfigError
from coreml_gate.untyped import Json

_EXPECTED = {
    "string_type": "a text",
    "bool_type": "`true` or `false`",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "model_type": "a table",
    "dict_type": "a table",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "too_short": "a list of at least {min_length}",
    "string_pattern_mismatch": "letters, digits, `.`, `_` and `-`, beginning with a letter or a digit",
}
_VERSION = 'a version of iOS in quotes, such as `"17"`'
_DIMENSION = "a size such as `3`, or a range such as `[1, 512]` (`[1, -1]`: no upper bound)"
_EITHER = {"jobs": '`"auto"` or a whole number > 0'}
"""What a key of two types accepts; the other keys of two types are sizes of a dimension."""
_LONGEST_VALUE = 60
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ALL_KEYS_HINT = "docs/configuration.md lists every key with its type and default."

MOST_SHOWN = 20
"""Most problems shown of one file; a hostile file may have a million."""

MINIMAL_HINT = "write a `coreml-gate.toml` in the repository's root, at least:"
MINIMAL_EXAMPLE = """\
[[model]]
name = "digits"
source = "models/digits.py:build"      # a callable that returns a torch.nn.Module
samples = "models/digits.py:samples"   # a callable that yields example inputs
"""


@dataclass(frozen=True)
class Mistake:
    """One problem and its place."""

    place: Place
    text: str


def config_error(
    problems: Iterable[Mistake], name: str, text: str, prefix: Place, raw: object
) -> ConfigError | None:
    """One error for the first few problems, in the order of the file's lines; ``None`` if there are none.

    No more of ``problems`` are read than are shown, because finding one can be slow.
    """
    found = list(islice(_once(problems), MOST_SHOWN + 1))
    if not found:
        return None
    shown, more = found[:MOST_SHOWN], len(found) > MOST_SHOWN
    no_model = any(problem.place == ("model",) for problem in shown)
    hint, example = (MINIMAL_HINT, MINIMAL_EXAMPLE) if no_model else (_ALL_KEYS_HINT, "")
    lines = _sentences(shown, text, prefix, raw)
    if len(lines) == 1:
        return ConfigError(f"`{name}`, {lines[0]}", hint, example=example)
    count = f"more than {MOST_SHOWN} problems, such as" if more else f"{len(lines)} problems"
    return ConfigError(f"`{name}` has {count}:", hint, lines=lines, example=example)


def _once(problems: Iterable[Mistake]) -> Iterator[Mistake]:
    seen: set[Mistake] = set()
    for problem in problems:
        if problem not in seen:
            seen.add(problem)
            yield problem


def _sentences(problems: Sequence[Mistake], text: str, prefix: Place, raw: object) -> list[str]:
    lines = key_lines(text)
    numbered = [
        (nearest_line(lines, prefix + problem.place), _sentence(problem, prefix, raw)) for problem in problems
    ]
    numbered.sort(key=lambda pair: pair[0] or 0)
    return [f"line {number}: {sentence}" if number else sentence for number, sentence in numbered]


def _sentence(problem: Mistake, prefix: Place, raw: object) -> str:
    return f"`{dotted(prefix + problem.place, _at(raw, problem.place[:2]))}` {problem.text}"


def dotted(place: Place, model: object = None) -> str:
    """A place as text, ``model[digits].limits.parity``: a model by its name, or else by its index."""
    parts: list[str] = []
    for part in place:
        if isinstance(part, str):
            parts.append(f".{_key(part)}")
        elif parts[-1] == ".model" and isinstance(model, Mapping) and isinstance(model.get("name"), str):
            parts.append(f"[{model['name']}]")
        else:
            parts.append(f"[{part}]")
    return "".join(parts).removeprefix(".")


def _key(part: str) -> str:
    """A key as TOML writes it, in quotes if necessary."""
    return shortened(part if _BARE_KEY.fullmatch(part) else json.dumps(part))


def problems_of(error: ValidationError, raw: object) -> Iterator[Mistake]:
    """The problems that pydantic found; the failed branches of a union become one problem."""
    found = (details for details in error.errors(include_url=False) if not _follows_from_others(details))
    return (_problem(details, raw) for details in found)


def _follows_from_others(details: ErrorDetails) -> bool:
    """Whether a list is too short only because some of its elements failed."""
    return details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]


def _problem(details: ErrorDetails, raw: object) -> Mistake:
    place = details["loc"]
    known = _known_length(raw, place)
    if details["type"] == "missing" and known == len(place) - 1:
        return (
            Mistake(place[:-1], f"lacks the key `{place[-1]}`.") if known else Mistake(place, "is missing.")
        )
    if known < len(place):
        value = _at(raw, place[:known])
        expected = _EITHER.get(str(place[known - 1]), _DIMENSION)
        return Mistake(place[:known], f"must be {expected}, not {_shown(value)}.")
    return Mistake(place, _complaint(details, place))


def _complaint(details: ErrorDetails, place: Place) -> str:
    if details["type"] == "extra_forbidden":
        return f"is an unknown key{_suggestion(place)}."
    value = _shown(details["input"])
    expected = _VERSION if place[-1] == "minimum-os" else _EXPECTED.get(details["type"])
    if expected is None:
        return f"is {value}: {details['msg'].lower()}."
    context = {key: str(limit).replace("'", "`") for key, limit in details.get("ctx", {}).items()}
    return f"must be {expected.format_map(context)}, not {value}."


def _suggestion(place: Place) -> str:
    written = str(place[-1])[:_LONGEST_VALUE].replace("_", "-")
    close = difflib.get_close_matches(written, _keys_at(place[:-1]), n=1)
    return f"; perhaps you meant `{close[0]}`" if close else ""


def _keys_at(place: Place) -> list[str]:
    """The keys that the table at this place may have."""
    tables: list[type[Table]] = [Config]
    for part in place:
        fields = {field.alias: field for table in tables for field in table.model_fields.values()}
        if part in fields:
            tables = list(_tables_in(fields[str(part)].annotation))
    return [field.alias or "" for table in tables for field in table.model_fields.values()]


def _tables_in(annotation: Json) -> Iterator[type[Table]]:
    if isinstance(annotation, type) and issubclass(annotation, Table):
        yield annotation
    for argument in get_args(annotation):
        yield from _tables_in(argument)


def _known_length(raw: object, place: Place) -> int:
    """The number of parts of a place that exist in the file."""
    return next(
        (length for length in range(len(place)) if not _has(_at(raw, place[:length]), place[length])),
        len(place),
    )


def _has(container: object, part: str | int) -> bool:
    if isinstance(container, Mapping):
        return part in container
    return isinstance(container, list) and isinstance(part, int) and part < len(container)


def _at(raw: Json, place: Place) -> Json:
    for part in place:
        raw = raw[part] if _has(raw, part) else None
    return raw


def _shown(value: object) -> str:
    return f"`{shortened(json.dumps(value, default=str, ensure_ascii=False))}`"


def shortened(text: str) -> str:
    """The value as written, shortened if necessary."""
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
