"""Reads ``coreml-gate.toml`` or ``[tool.coreml-gate]`` of pyproject.toml, or reports all that is wrong."""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Final

from pydantic import ValidationError

from coreml_gate.config.bounds import require_bounds, require_short_keys, require_size, too_deep
from coreml_gate.config.inherit import inherit
from coreml_gate.config.lines import Place
from coreml_gate.config.options import Config, ModelConfig
from coreml_gate.config.problems import MINIMAL_EXAMPLE, MINIMAL_HINT, config_error, problems_of
from coreml_gate.config.rules import broken_rules
from coreml_gate.errors import ConfigError, UnknownModelError
from coreml_gate.frozen import changed
from coreml_gate.reading import read_text
from coreml_gate.untyped import Json
from coreml_gate.wording import listed

CONFIG_NAMES: Final = ("coreml-gate.toml", "pyproject.toml")
"""Where a configuration is looked for; the first file that has one is used."""

_PYPROJECT_TABLE: Final = ("tool", "coreml-gate")


def load_config(root: Path, path: Path | None = None) -> Config:
    """The configuration of the repository at ``root``; a relative ``path`` starts there."""
    found = find_config(root, path)
    return parse_config(_read(found), _shown_name(found, root))


def find_config(root: Path, path: Path | None = None) -> Path:
    """The file with the configuration; :class:`ConfigError` lists where it was looked for."""
    if path is not None:
        _require_file(root / path)
        if _is_file(root / path):
            return root / path
        raise _no_config(f"there is no configuration file `{path}`.")
    for name in CONFIG_NAMES:
        candidate = root / name
        _require_file(candidate)
        if _is_file(candidate) and holds_config(_read(candidate), name):
            return candidate
    raise _no_config(
        f"no configuration in `{root}`: looked for `coreml-gate.toml` and for `[tool.coreml-gate]` in "
        "`pyproject.toml`."
    )


def holds_config(text: str, name: str) -> bool:
    """Whether the text is a configuration, which a pyproject.toml is only with a table for the gate."""
    return not _is_pyproject(name) or at_place(_parse_toml(text, name), _PYPROJECT_TABLE) is not None


def place_of_gate(name: str) -> Place:
    """The place of the gate's tables in a file of this name."""
    return _PYPROJECT_TABLE if _is_pyproject(name) else ()


def at_place(table: Json, place: Place) -> Json:
    """The value at a place of a parsed file, or ``None``."""
    for part in place:
        match table, part:
            case dict(), _:
                table = table.get(part)
            case list(), int() if part < len(table):
                table = table[part]
            case _:
                return None
    return table


@lru_cache(maxsize=1)
def parse_config(text: str, name: str) -> Config:
    """The configuration in a file's text; ``name`` gives its kind, and its origin in messages.

    Each model of the result contains what it inherits from ``[gate]``. All problems are reported at once.
    The last one is kept, because base and head mostly have the same.
    """
    require_size(len(text.encode(errors="surrogatepass")), name)
    prefix = place_of_gate(name)
    raw = at_place(_parse_toml(text, name), prefix)
    if not isinstance(raw, dict):
        raise _no_config(f"`{name}` has no table `[tool.coreml-gate]`.")
    return resolved_config(raw, name, text, prefix)


def resolved_config(
    raw: dict[str, Json], name: str, text: str = "", prefix: Place = (), *, by_name: bool = False
) -> Config:
    """The configuration of tables that have been read; ``text`` is the file, if any, for line numbers.

    ``by_name`` also accepts keys as Python writes them: ``max_error`` for ``max-error``.
    """
    require_bounds(raw, name)
    try:
        written = Config.model_validate_json(
            json.dumps(raw, default=str), strict=True, by_alias=True, by_name=by_name
        )
    except ValidationError as error:
        broken = config_error(problems_of(error, raw), name, text, prefix, raw)
        raise broken or ConfigError(f"`{name}` is not a configuration.", MINIMAL_HINT) from None
    resolved = changed(written, model=tuple(inherit(model, written.gate) for model in written.model))
    if broken := config_error(broken_rules(written, resolved), name, text, prefix, raw):
        raise broken
    return resolved


def select_models(config: Config, names: Sequence[str]) -> Config:
    """The configuration with only these models, in the file's order; no name means every model."""
    if not names:
        return config
    known = [model.name for model in config.model]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f"perhaps you meant `{close[0]}`; " if close else ""
            named = listed(known)
            raise UnknownModelError(f"no model is named `{name}`.", f"{meant}the configuration has {named}.")
    return changed(config, model=tuple(model for model in config.model if model.name in names))


def load_model(folder: Path, path: Path | None, name: str) -> tuple[Config, ModelConfig]:
    """The configuration of one model alone, and that model."""
    config = select_models(load_config(folder, path), [name])
    return config, config.model[0]


def _parse_toml(text: str, name: str) -> dict[str, Json]:
    require_short_keys(text, name)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise too_deep(name) from error
    except tomllib.TOMLDecodeError as error:
        what, _, _ = str(error).partition(" (at ")
        place = re.search(r"line (\d+), column (\d+)", str(error))
        where = f"line {place[1]}, column {place[2]}" if place else "at its end"
        raise ConfigError(
            f"`{name}`, {where}: this is not TOML: {what[:1].lower()}{what[1:]}.",
            "strings need quotes, and a key may be set only once; see https://toml.io/en/v1.0.0.",
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"`{name}` has a number that cannot be read: {error}.", "write fewer digits."
        ) from error


def _read(path: Path) -> str:
    try:
        require_size(path.stat().st_size, str(path))
        return read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"`{path}` cannot be read: {error}.", "save it as UTF-8, readable by you."
        ) from error


def _require_file(path: Path) -> None:
    """What has the name and is something else is in the way, which a missing file is not."""
    if os.path.lexists(path) and not _is_file(path):
        raise ConfigError(
            f"`{path}` is not a regular file: it is a folder, a device, or a broken link.",
            "put a file in its place.",
        )


def _is_file(path: Path) -> bool:
    """Like :meth:`Path.is_file`, but false for a name that is too long, where that raises."""
    try:
        return path.is_file()
    except OSError:
        return False


def _shown_name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _is_pyproject(name: str) -> bool:
    return PurePath(name).name == "pyproject.toml"


def _no_config(message: str) -> ConfigError:
    return ConfigError(message, MINIMAL_HINT, example=MINIMAL_EXAMPLE)
