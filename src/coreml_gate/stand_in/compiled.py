"""Compiled models and Core ML's caches on disk: unique paths, cold and warm loads, nothing ever pruned."""

import hashlib
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from coreml_gate.stand_in.script import Script

SUFFIX: Final = ".mlmodelc"
CACHE: Final = "com.apple.e5rt.e5bundlecache"
"""``~/Library/Caches/<executable>/com.apple.e5rt.e5bundlecache/<build>/<hash>`` (apple/coremltools#2507)."""
BUILD: Final = "25A354"
HOME_VARIABLE: Final = "CFFIXED_USER_HOME"
"""Foundation's variable for the home folder of a process."""
_warm: set[str] = set()
"""Models that this process has loaded; the home folder, if any, remembers others."""


def is_compiled(path: str) -> bool:
    """Whether a model is compiled, by its name alone, as the native half tests it."""
    return path.rstrip("/").endswith(SUFFIX)


def compile_to_temporary(package: Path) -> Path:
    """A copy of the package under a new path in the temporary folder, which the caller owns."""
    target = Path(tempfile.gettempdir()) / f"{package.stem}_{str(uuid.uuid4()).upper()}{SUFFIX}"
    if package.is_dir():
        shutil.copytree(package, target)
    else:
        shutil.copy(package, target)
    return target


def note_load(
    compiled: Path, units: str, script: Script, environment: Mapping[str, str] = os.environ
) -> bool:
    """Whether this is the first load for this path and hardware, which takes longer and leaves a cache."""
    key = hashlib.sha256(f"{compiled.resolve()}|{units}".encode()).hexdigest()
    cache = _cache(script, environment)
    cold = key not in _warm and (cache is None or not (cache / key).exists())
    _warm.add(key)
    if cold:
        time.sleep(script.cold_load_s)
        if cache is not None:
            (cache / key).mkdir(parents=True, exist_ok=True)
            with (cache / key / "bundle").open("wb") as bundle:
                bundle.truncate(_bytes(compiled))
    return cold


def _cache(script: Script, environment: Mapping[str, str]) -> Path | None:
    named = environment.get(HOME_VARIABLE)
    home = Path(named) if named else script.home
    return None if home is None else home / "Library" / "Caches" / Path(sys.executable).name / CACHE / BUILD


def _bytes(compiled: Path) -> int:
    return sum(each.stat().st_size for each in compiled.rglob("*") if each.is_file())
