"""The fenced blocks of the documentation: page, line, language, text, and why one is not run."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.house import ROOT

PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK: Final = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> tuple[Block, ...]:
    text = page.read_text(encoding="utf-8")
    return tuple(
        Block(
            page,
            text.count("\n", 0, found.start("text")),
            found["language"],
            found["text"],
            found["reason"] or "",
        )
        for found in BLOCK.finditer(text)
    )


def blocks(*languages: str) -> tuple[Block, ...]:
    """All blocks of these languages that are to be run."""
    return tuple(
        block
        for page in PAGES
        for block in blocks_of(page)
        if block.language in languages and not block.reason
    )
