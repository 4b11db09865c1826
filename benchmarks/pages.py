"""Tables of benchmarks in pages that are otherwise written by hand."""

import re
from pathlib import Path


def write_between_marks(page: Path, mark: str, text: str) -> None:
    """Puts the text between ``<!-- mark -->`` and ``<!-- /mark -->``."""
    start, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before = page.read_text(encoding="utf-8")
    between = re.compile(f"{re.escape(start)}.*{re.escape(end)}", re.DOTALL)
    after, found = between.subn(lambda _: f"{start}\n{text}\n{end}", before)
    if found != 1:
        raise SystemExit(f"{page}: {start} and {end} stand there {found} times, wanted once")
    page.write_text(after, encoding="utf-8")


def between_marks(page: Path, mark: str) -> str:
    """The text that stands there, which another benchmark wrote."""
    _, _, after = page.read_text(encoding="utf-8").partition(f"<!-- {mark} -->\n")
    return after.partition(f"\n<!-- /{mark} -->")[0]
