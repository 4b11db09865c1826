"""What does ``xcodebuild`` say when coremltools runs it? coremltools 9.0 throws its output away.

It merges the error stream into the output and then reports the empty error stream: ``[Error Code 65] None``.
So a script of the same name stands before Xcode's on the path, and keeps the output.
"""

import os
import shutil
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

NAME: Final = "xcodebuild"
_LAST_LINES: Final = 5


@contextmanager
def overheard(folder: Path, environment: MutableMapping[str, str] = os.environ) -> Iterator[Path]:
    """Keeps what ``xcodebuild`` prints in the file that is given; nothing happens where there is no Xcode."""
    words, path = folder / "xcodebuild.log", environment.get("PATH", "")
    real = shutil.which(NAME, path=path)
    if real is None:
        yield words
        return
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / NAME
    script.write_text(f"#!/bin/sh\nexec '{real}' \"$@\" > '{words}' 2>&1\n", encoding="utf-8")
    script.chmod(0o755)
    environment["PATH"] = f"{folder}{os.pathsep}{path}"
    try:
        yield words
    finally:
        environment["PATH"] = path


def reason_in(words: Path, udid: str) -> str:
    """Why the build failed, without the UDID: the lines that name an error, else the last ones."""
    if not words.exists():
        return ""
    text = words.read_text(encoding="utf-8", errors="replace").replace(udid, "UDID")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line]
    said = list(dict.fromkeys(errors))[:_LAST_LINES] or lines[-_LAST_LINES:]
    return f"xcodebuild said: {' | '.join(said)}" if said else ""
