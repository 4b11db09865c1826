"""What GitHub would make of a text: the dangerous things that a reader of the raw Markdown does not see."""

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

OUR_TAGS = ("<br>", "<sub>", "</sub>", "<details>", "</details>", "<summary>", "</summary>")
LINKED = re.compile(r"@\w|#\d|GH-\d|://|www\.|mailto:", re.IGNORECASE)
BAR = re.compile(r"(?<!\\)\|")


def flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from flat(token.children or [])


def parse(markdown: str) -> list[Token]:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return list(flat(parser.parse(markdown)))


def tags(markdown: str) -> list[str]:
    """Every HTML tag and comment that a browser would see."""
    html = (token.content for token in parse(markdown) if token.type in {"html_inline", "html_block"})
    return [tag for content in html for tag in re.findall(r"<[^>]*>", content)]


def links(markdown: str) -> list[str]:
    """Every link, image, mention and reference."""
    tokens = parse(markdown)
    built = [token.type for token in tokens if token.type in {"link_open", "image"}]
    words = (token.content for token in tokens if token.type == "text")
    return built + [found for text in words for found in LINKED.findall(text)]


def spans(markdown: str) -> list[str]:
    """The content of every code span."""
    return [token.content for token in parse(markdown) if token.type == "code_inline"]


def words(markdown: str) -> str:
    """The text that a reader sees outside of code."""
    return "".join(token.content for token in parse(markdown) if token.type == "text")


def bars(markdown: str) -> list[set[int]]:
    """For each table, the counts of its rows' cell borders: one count where every row is whole."""
    tables: list[set[int]] = []
    inside = False
    for line in markdown.splitlines():
        row = line.startswith("|")
        if row and not inside:
            tables.append(set())
        if row:
            assert "\\\\|" not in line, "renderers disagree on an escaped backslash before a bar"
            tables[-1].add(len(BAR.findall(line)))
        inside = row
    return tables
