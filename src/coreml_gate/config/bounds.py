"""Size limits of a configuration, which is refused before a hostile one can cost time."""

import re
from typing import Final

from coreml_gate.errors import ConfigError
from coreml_gate.untyped import Json

MAX_CONFIG_BYTES: Final = 512 * 1024
"""Enough for a thousand models with twenty lines each."""
MAX_DEPTH: Final = 32
"""Nesting of tables and lists; the gate's own deepest key is at 8."""
MAX_INTEGER: Final = 2**63
"""As in TOML 1.0."""
MAX_ENTRIES: Final = 1_000
"""Most entries of one list or table, except the list of models."""
_PART: Final = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY: Final = re.compile(rf"(?<![\w.-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_DEPTH},}}+[ \t]*+[=\]]")
"""``a.a.a = 1``: tomllib takes time quadratic in the number of parts."""


def require_size(size: int, name: str) -> None:
    """Raise :class:`ConfigError` for a file that is too large."""
    if size > MAX_CONFIG_BYTES:
        raise ConfigError(
            f"`{name}` has {size:,} bytes, allowed {MAX_CONFIG_BYTES:,}.",
            "set shared options once, under `[gate]`, or split the file and name each part with `--config`.",
        )


def require_short_keys(text: str, name: str) -> None:
    """Raise :class:`ConfigError` for a key with too many dots, before the text is parsed."""
    if _LONG_KEY.search(text):
        raise too_deep(name)


def require_bounds(raw: dict[str, Json], name: str) -> None:
    """Raise :class:`ConfigError` for values that are nested too deep, too long, or not a number of TOML."""
    waiting: list[tuple[Json, int]] = [(raw, 0)]
    models = raw.get("model")
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise too_deep(name)
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise ConfigError(
                f"`{name}` has a number of {value.bit_length():,} bits, allowed 64.",
                "write fewer digits.",
            )
        inner = list(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
        if len(inner) > MAX_ENTRIES and value is not models:
            raise ConfigError(
                f"`{name}` has a list or table of {len(inner):,} entries, allowed {MAX_ENTRIES:,}.",
                "only the list of models may be longer.",
            )
        waiting += ((each, depth + 1) for each in inner)


def too_deep(name: str) -> ConfigError:
    """The error for a file that is nested too deep."""
    return ConfigError(
        f"`{name}` is nested more than {MAX_DEPTH} levels deep.",
        "docs/configuration.md lists every key; none is deeper than 8.",
    )
