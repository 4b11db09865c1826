from io import StringIO

import pytest
from hypothesis import example, given, settings
from rich.console import Console

from coreml_gate.report import FORMATS, ReportOptions, terminal
from tests.foreign.test_escape import FOREIGN
from tests.report.verdicts import SITUATIONS, hostile, regression


def text_of(situation: str) -> str:
    return FORMATS["terminal"](SITUATIONS[situation](), ReportOptions())


@pytest.mark.parametrize("situation", sorted(SITUATIONS.keys() - {"hostile"}))
def test_80_columns_without_frames(situation: str) -> None:
    text = text_of(situation)
    assert max(map(len, text.splitlines())) <= 80
    assert not any("\u2500" <= sign <= "\u257f" for sign in text)


def test_statuses_are_words_where_there_is_no_colour() -> None:
    text = text_of("regression")
    assert "\x1b" not in text
    assert "\nFAIL  digits " in text
    assert "\nWARN detector\n  precision: output `boxes`: 38.0 dB" in text


def test_a_terminal_gets_colours() -> None:
    stream = StringIO()
    terminal.print_verdict(
        regression(), Console(file=stream, width=100, color_system="standard", force_terminal=True)
    )
    assert "\x1b[1;31mcoreml-gate: 1 of 3 models must not merge\x1b[0m" in stream.getvalue()


@given(FOREIGN)
@example(":tada:```")
@example("a ::: b :::::")
@settings(max_examples=40, deadline=None)
def test_foreign_text_gives_no_command(foreign: str) -> None:
    loud = f"::error::{foreign} ::add-mask::a ##[error]b \x1b[31m" + 90 * "x" + "::warning::c"
    text = terminal.render(hostile(loud), ReportOptions())
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert "##[" not in text
    assert "\x1b" not in text
