import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coreml_gate.foreign import escape
from tests.report import gfm
from tests.report.verdicts import HOSTILE

FRAGMENTS = st.sampled_from(
    [
        *"`|<>[]()!@#&*_~\\-+=:$ \n\t\0\x1b\u202e\u200b\u2060\u1fef\ufeff\ud800",
        "``",
        "```",
        "\\|",
        "\\`",
        "<!--",
        "-->",
        "<!-- coreml-gate: default -->",
        "<b>",
        "</details>",
        "&lt;",
        "&#64;user",
        "@user",
        "@org/team",
        "a@b.example",
        "#123",
        "GH-1",
        "owner/name#1",
        "https://evil.example",
        "HTTP://evil.example",
        "www.evil.example",
        "_www.evil.example",
        "[a](b)",
        "![a](b)",
        "[a]: b",
        "<https://evil.example>",
        "1. ",
        "    ",
        "---",
        ":tada:",
        "word",
        "7",
    ]
)
"""How long an example takes depends on who else uses the machine."""
FOREIGN = st.lists(FRAGMENTS | st.characters(), max_size=12).map("".join)


@given(FOREIGN)
def test_text_shows_the_same_words_and_does_nothing(foreign: str) -> None:
    markdown = escape.text(foreign)
    assert gfm.tags(markdown) == []
    assert gfm.links(markdown) == []
    assert gfm.spans(markdown) == []
    seen = gfm.words(markdown).replace(escape.ZERO_WIDTH_SPACE, "").replace("\uff04", "$")
    assert seen == escape.plain(foreign).replace("\uff04", "$")


@given(FOREIGN)
def test_text_is_one_paragraph(foreign: str) -> None:
    blocks = [token.type for token in gfm.parse(escape.text(foreign)) if token.block and token.nesting == 1]
    assert blocks == (["paragraph_open"] if escape.plain(foreign) else [])


@given(FOREIGN)
def test_code_is_one_span_with_the_content(foreign: str) -> None:
    markdown = escape.code(foreign, limit=500)
    if not escape.plain(foreign):
        assert markdown == "–"  # noqa: RUF001 - an en dash
        return
    assert [span.replace(escape.ZERO_WIDTH_SPACE, "") for span in gfm.spans(markdown)] == [
        escape.plain(foreign)
    ]
    assert gfm.words(markdown) == ""


@given(FOREIGN, st.integers(1, 60))
def test_a_cut_message_leaves_nothing_open(foreign: str, limit: int) -> None:
    markdown = escape.message(foreign, limit)
    assert gfm.tags(markdown) == []
    assert gfm.links(markdown) == []
    assert len(gfm.words(markdown).replace(escape.ZERO_WIDTH_SPACE, "")) <= limit


@given(FOREIGN)
@example("` `")
def test_message_loses_nothing_but_fences(foreign: str) -> None:
    def letters(text: str) -> str:
        return text.translate(dict.fromkeys(map(ord, f"` {escape.ZERO_WIDTH_SPACE}"))).replace("\uff04", "$")

    tokens = gfm.parse(f"check: {escape.message(foreign)}")  # as in a comment: never at a line's start
    seen = "".join(token.content for token in tokens if token.type in {"text", "code_inline"})
    assert letters(seen) == letters(f"check: {escape.plain(foreign)}")


@given(st.lists(FOREIGN, max_size=4).map(tuple))
def test_block_is_one_block(lines: tuple[str, ...]) -> None:
    (fence,) = gfm.parse(escape.block(lines))
    assert fence.type == "fence"
    assert fence.content.count("\n") == len(lines)


@given(FOREIGN, FOREIGN)
def test_a_row_keeps_its_cells(name: str, figure: str) -> None:
    row = f"| {escape.cell(escape.code(name))} | {escape.cell(escape.message(figure))} |"
    assert gfm.bars(row) == [{3}]


@given(FOREIGN)
def test_the_marker_cannot_be_forged(foreign: str) -> None:
    shown = (escape.text(foreign), escape.code(foreign), escape.message(foreign), escape.block((foreign,)))
    assert not any("<!--" in markdown for markdown in shown)


@given(FOREIGN)
def test_plain_is_stable(foreign: str) -> None:
    line = escape.plain(foreign)
    assert escape.plain(line) == line
    assert line.isprintable() or line == ""
    line.encode()


def test_message_keeps_our_code_spans() -> None:
    message = "output `logits`: 0.31 at (0, 7), see ``a`b`` and a stray ` of @user"
    assert escape.message(message) == (
        "output `logits`: 0.31 at (0, 7), see ``a`b`` and a stray &#96; of @&#8203;user"
    )


def test_message_is_cut_outside_of_code_spans() -> None:
    assert escape.message("one `second` three", limit=7) == "one `se…`"


def test_markdown_that_was_changed_is_escaped_again() -> None:
    assert not isinstance(escape.code("a") + " b", escape.Markdown)


def test_block_keeps_indentation() -> None:
    assert (
        escape.block(("Traceback:", '  File "a.py"', "\tx")) == '```text\nTraceback:\n  File "a.py"\n x\n```'
    )


@pytest.mark.parametrize("ticks", ["`" * 5_000, "` `` " * 3_000])
def test_backticks_alone_take_no_time(ticks: str) -> None:
    assert gfm.links(escape.message(ticks)) == []


def test_hostile_text_is_still_readable() -> None:
    assert "img src=x" in gfm.words(escape.text(HOSTILE))
