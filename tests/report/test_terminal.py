import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from rich.console import Console

from coreml_gate.report import FORMATS, ReportOptions, terminal
from coreml_gate.report.table import MOST_PASSING
from coreml_gate.verdict import Status
from tests.builders import finding, model_verdict, verdict
from tests.foreign.test_escape import FOREIGN
from tests.report.verdicts import SITUATIONS, hostile, regression, sound


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
    assert "\nWARN detector\n  precision: output `boxes`: PSNR 38.0 dB" in text


def test_a_terminal_gets_colours() -> None:
    stream = StringIO()
    terminal.print_verdict(
        regression(), Console(file=stream, width=100, color_system="standard", force_terminal=True)
    )
    assert "\x1b[1;31mcoreml-gate: 1 of 3 models must not merge\x1b[0m" in stream.getvalue()


@given(FOREIGN)
@example(":tada:```")
@example("a ::: b :::::")
@settings(max_examples=40)
def test_foreign_text_gives_no_command(foreign: str) -> None:
    loud = f"::error::{foreign} ::add-mask::a ##[error]b \x1b[31m" + 90 * "x" + "::warning::c"
    text = terminal.render(hostile(loud), ReportOptions())
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert "##[" not in text
    assert "\x1b" not in text


def test_of_many_models_that_pass_the_first_stand_for_all_and_no_other_is_left_out() -> None:
    models = (
        *(sound(f"sound-{each}") for each in range(250)),
        *(model_verdict(finding(status=Status.FAIL), name=f"blocked-{each}") for each in range(120)),
    )
    text = terminal.render(verdict(*models), ReportOptions())
    assert text.count("\nPASS ") == MOST_PASSING == 100
    assert text.count("\nFAIL  blocked-") == 120
    assert "and 150 more models that pass: see report.html" in text
    assert "370 models: 120 fail, 250 pass" in text


def test_a_note_on_many_models_is_printed_once() -> None:
    note = "its weights look untrained."
    models = [sound(f"net-{each}", notes=(note, f"only net-{each}.")) for each in range(5)]
    text = terminal.render(verdict(*models), ReportOptions())
    assert text.count(note) == 1
    assert f"Note on net-0, net-1, net-2 and 2 more: {note}" in text
    assert "Note on net-4: only net-4." in text


def printed(folder: Path | None, **options: Any) -> str:
    stream = StringIO()
    console = Console(file=stream, width=80, color_system="standard", force_terminal=True, **options)
    terminal.print_verdict(regression(), console, folder)
    return stream.getvalue()


def test_a_terminal_with_links_opens_the_line_that_is_named(tmp_path: Path) -> None:
    address = (tmp_path / "models" / "net.py").as_uri()
    assert re.search(
        rf"\x1b\]8;id=\d+;{re.escape(address)}\x1b\\models/net.py:41\x1b\]8;;", printed(tmp_path)
    )
    assert "\x1b]8;" not in printed(None)
    assert "\x1b]8;" not in FORMATS["terminal"](regression(), ReportOptions())


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    stream = StringIO()
    console = Console(file=stream, width=80, color_system="standard", force_terminal=True)
    terminal.print_verdict(hostile("see ../../etc/passwd.txt:1 and /etc/hosts.txt:2"), console, tmp_path)
    assert "\x1b]8;" not in stream.getvalue()


def test_no_color_leaves_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = printed(None)
    assert "\x1b[31m" not in text
    assert "\x1b[1;31m" not in text
    assert "FAIL digits must not merge" in re.sub(r"\x1b\[[\d;]*m", "", text)


def test_no_figure_is_cut_and_columns_without_room_are_counted() -> None:
    text = text_of("core-ml")
    assert "…" not in text
    assert "! 12.0 dB" in text
    assert "(−20.0points)" in text  # noqa: RUF001 - a minus sign
    assert "\nand 3 more columns: see report.html\n" in text


def test_a_wide_terminal_has_every_column() -> None:
    stream = StringIO()
    terminal.print_verdict(SITUATIONS["core-ml"](), Console(file=stream, width=140, color_system=None))
    assert "more column" not in stream.getvalue()
    assert "FP16 PSNR" in stream.getvalue()
