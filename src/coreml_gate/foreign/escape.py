"""Escapes foreign text as Markdown that shows the same text and has no effect.

Model names, operations, file names, metric names and converter messages are written by the author of the
pull request. GitHub turns text into mentions, references and links *after* the Markdown is rendered, so a
backslash before ``@`` does not help: a zero-width space between the sign and the name does. The hash of a
commit stays as it is: GitHub links it to nothing but a commit of the same repository.
"""

import re
import unicodedata
from typing import Final, Literal

from coreml_gate.figures import DASH

ZERO_WIDTH_SPACE: Final = "\u200b"
MESSAGE_LIMIT: Final = 2_000
"""Characters of one message; a converter may quote a whole graph."""
NAME_LIMIT: Final = 120
LONGEST: Final = 8_000
"""Most characters of a foreign text that are read, because finding code spans takes quadratic time."""

_BREAK: Final = "&#8203;"
"""The zero-width space, visible to a reader of the raw comment."""
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Categories of characters that are invisible or change the direction of text."""
_SPACE: Final = re.compile(r"\s")
_SUSPECT: Final = re.compile(r"[^ -~]")

_ESCAPES: Final = str.maketrans(
    {sign: f"\\{sign}" for sign in "\\*_~[]"}
    | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;", "$": "\N{FULLWIDTH DOLLAR SIGN}"}
)
_LINKED: Final = re.compile(
    r"""
      (?<=@)                                  # @user, @org/team, mail@example.org
    | (?<=\#)(?=\d)                           # #123
    | (?<=GH-)(?=\d)                          # GH-123
    | (?<=:)(?=//)                            # https://
    | (?<=www)(?=\.)                          # www.
    | (?<=mailto)(?=:) | (?<=xmpp)(?=:)
    | (?<=:)(?=[\w+-]+:)                      # :emoji:
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BLOCK_START: Final = re.compile(r"^(?=[-+=#])|^\d{1,9}(?=[.)](?:\s|$))")
"""The beginning of a heading, a rule or a list."""
_CODE_SPAN: Final = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


class Markdown(str):
    """Text that is Markdown already: everything else is escaped before it is shown.

    Whatever is made of it by ``+`` or a method is a plain ``str`` again, so forgetting is safe.
    """

    __slots__ = ()


def plain(text: str) -> str:
    """One line of visible characters: NFC, without control, bidirectional or other invisible characters."""
    return " ".join(visible(text).split())


def shortened(text: str, limit: int) -> str:
    """The text, cut to ``limit`` characters with an ellipsis where it is longer."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def short_name(words: str) -> str:
    """A name for a table or a heading: visible, on one line, not long."""
    return shortened(plain(words), NAME_LIMIT)


def text(words: str) -> Markdown:
    """Foreign text as Markdown that renders to the same text, without tags, links, mentions or cells."""
    return Markdown(_escaped(_inline(plain(words))))


def code(words: str, limit: int = NAME_LIMIT) -> Markdown:
    """A code span with a fence longer than any run of backticks inside; an en dash for an empty text."""
    content = _unforged(shortened(plain(words), limit))
    if not content:
        return Markdown(DASH)
    pad = " " if content.startswith("`") or content.endswith("`") else ""
    fence = _fence(content, least=1)
    return Markdown(f"{fence}{pad}{content}{pad}{fence}")


def message(words: str, limit: int = MESSAGE_LIMIT) -> Markdown:
    """A message of ours: its code spans are kept (and fenced anew), all else is escaped.

    A longer one is cut so that no code span is left open.
    """
    shown: list[str] = []
    room = limit
    for is_code, piece in pieces(_inline(plain(words))):
        if room <= 0:
            break
        shown.append(code(piece, room) if is_code else _escaped(shortened(piece, room)))
        room -= len(piece)
    return Markdown("".join(shown))


def pieces(line: str) -> list[tuple[bool, str]]:
    """One visible line as (is code, content), in order."""
    found = []
    end = 0
    for span in _CODE_SPAN.finditer(line):
        if not span.group(2).strip():
            continue
        found += [(False, line[end : span.start()]), (True, span.group(2))]
        end = span.end()
    return [*found, (False, line[end:])]


def block(lines: tuple[str, ...], language: Literal["text", "toml"] = "text") -> Markdown:
    """Lines as a fenced code block with their indentation; the fence is longer than any run inside."""
    shown = [_unforged(shortened(visible(line).rstrip(), MESSAGE_LIMIT)) for line in lines]
    fence = _fence("\n".join(shown), least=3)
    return Markdown("\n".join([f"{fence}{language}", *shown, fence]))


def cell(markdown: Markdown) -> Markdown:
    """The Markdown for a table cell; bars are left only in code spans."""
    apart = markdown.replace("\\|", f"\\{ZERO_WIDTH_SPACE}|")
    return Markdown(apart.replace("|", "\\|"))


def visible(text: str) -> str:
    """One line of visible characters, with its spaces unchanged."""
    if text.isascii() and text.isprintable():
        return shortened(text, LONGEST)
    spaced = _SPACE.sub(" ", shortened(text, LONGEST))
    return unicodedata.normalize("NFC", _SUSPECT.sub(_if_visible, spaced))


def _if_visible(sign: re.Match[str]) -> str:
    return "" if unicodedata.category(sign.group()) in _INVISIBLE else sign.group()


def _inline(line: str) -> str:
    r"""The line with a break (``\0``) in what would make a block of it."""
    return _BLOCK_START.sub(lambda start: f"{start.group()}\0", line)


def _escaped(line: str) -> str:
    r"""One visible line, escaped; ``\0`` stands for a break."""
    return _LINKED.sub("\0", line).translate(_ESCAPES).replace("\0", _BREAK)


def _fence(content: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", content)), default=0)
    return "`" * max(least, longest + 1)


def _unforged(content: str) -> str:
    """Code without the start of our marker, which is searched for in the raw text."""
    return content.replace("<!--", f"<{ZERO_WIDTH_SPACE}!--")
