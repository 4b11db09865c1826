"""Is the English plain wherever a person reads: messages, docstrings, comments, templates, pages?

A tool that asks, tells and hears reads like a riddle. Each word below hid something that the field has a word
for; :data:`INSTEAD` says which. Names of variables are free.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ("src", "action", "examples")
PAGES: Final = ("*.md", "docs/*.md", "docs/*.json", "examples/**/*.md", "examples/**/*.yml", "action.yml")
INSTEAD: Final = {
    "ask|asks|asked|asking": "run, need, require, request, configure: no program asks another one",
    "tell|tells|told|telling": "report, say, show, separate, distinguish; what cannot be told is unknown",
    "nobody|somebody|anybody|whoever": "none, a person, or the subject itself",
    "says so|say so": "what is said, once more",
    "hear|hears": "receive",
    "whence|whither": "where it comes from, where it goes",
    "signal-to-noise": "PSNR, or SQNR for weights: the name that the tables have",
    r"(?<!there )is no (?:package|tensor|file|event|Mac|commit|operation|value|version)": "is not a ...",
}
"""What to write in their place, and why."""
FORBIDDEN: Final = re.compile(rf"\b({'|'.join(INSTEAD)})\b", re.IGNORECASE)
SPOKEN: Final = (tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
CODE: Final = re.compile(r"`[^`]*`")


def spoken(path: Path) -> Iterator[tuple[int, str]]:
    """The strings and comments of a module, with their lines; any other file as a whole."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from enumerate(text.splitlines(), start=1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in SPOKEN:
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line


def found_in(path: Path) -> list[str]:
    """The lines with a word to avoid; code in backticks is not English."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {found.group()}"
        for number, line in spoken(path)
        for found in FORBIDDEN.finditer(CODE.sub("", line))
    ]


def files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def test_code_speaks_plain_english() -> None:
    modules = files(*(f"{folder}/**/*{suffix}" for folder in SOURCES for suffix in (".py", ".j2", ".yml")))
    assert len(modules) > 300
    assert [line for path in modules for line in found_in(path)] == [], "INSTEAD has the words to use"


def test_pages_speak_plain_english() -> None:
    pages = files(*PAGES)
    assert len(pages) > 20
    assert [line for path in pages for line in found_in(path)] == [], "INSTEAD has the words to use"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Core ML was not asked: it takes a Mac.", ["asked"]),
        ("what `tell()` gives", []),
        ("a task that the signal-to-noise ratio tells", ["signal-to-noise", "tells"]),
        ("Whoever opened it", ["Whoever"]),
    ],
)
def test_a_word_is_found_outside_of_code(line: str, words: list[str]) -> None:
    assert [found.group() for found in FORBIDDEN.finditer(CODE.sub("", line))] == words
