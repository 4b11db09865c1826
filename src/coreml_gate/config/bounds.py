"""How large a configuration may be: beyond, it is refused before it costs time."""

import re
from typing import Final

from coreml_gate.errors import ConfigError
from coreml_gate.untyped import Json

MAX_CONFIG_BYTES: Final = 512 * 1024
"""A thousand models with twenty lines each."""
MAX_DEPTH: Final = 32
"""Tables and lists inside each other; the deepest key of the gate's own is at 8."""
MAX_INTEGER: Final = 2**63
"""As TOML 1.0 has it."""
MAX_ENTRIES: Final = 1_000
"""Of one list or table, but for the list of models."""
_PART: Final = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY: Final = re.compile(rf"(?<![\w.-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_DEPTH},}}+[ \t]*+[=\]]")
"""``a.a.a = 1``: tomllib takes time with the square of the number of parts."""


def require_size(size: int, name: str) -> None:
    """Raises :class:`ConfigError` for a file of more bytes than are read."""
    if size > MAX_CONFIG_BYTES:
        raise ConfigError(
            f"`{name}` has {size:,} bytes, allowed {MAX_CONFIG_BYTES:,}.",
            "set what models share once, under `[gate]`, or split it and name each with `--config`.",
        )


def require_short_keys(text: str, name: str) -> None:
    """Raises :class:`ConfigError` for a key with too many dots, before the text is parsed."""
    if _LONG_KEY.search(text):
        raise too_deep(name)


def require_bounds(raw: dict[str, Json], name: str) -> None:
    """Raises :class:`ConfigError` for what is nested too deep, too long, or a number that TOML has not."""
    waiting: list[tuple[Json, int]] = [(raw, 0)]
    models = raw.get("model")
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise too_deep(name)
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise ConfigError(
                f"`{name}` holds a number of {value.bit_length():,} bits, allowed 64.",
                "write no more digits than it needs.",
            )
        inner = list(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
        if len(inner) > MAX_ENTRIES and value is not models:
            raise ConfigError(
                f"`{name}` holds a list or table of {len(inner):,} entries, allowed {MAX_ENTRIES:,}.",
                "only the list of models may be longer.",
            )
        waiting += ((each, depth + 1) for each in inner)


def too_deep(name: str) -> ConfigError:
    """The error on a file that nests deeper than anyone needs."""
    return ConfigError(
        f"`{name}` is nested more than {MAX_DEPTH} levels deep.",
        "docs/configuration.md lists every key; none is deeper than 8.",
    )
