"""What a finished model leaves in the log: what came of it, and where the time went."""

from io import StringIO

import pytest
from rich.console import Console

from coreml_gate.record import ModelRecord, Phase
from coreml_gate.report.progress import LiveProgress, LogProgress
from tests.builders import model_record


def lines(model: ModelRecord) -> list[str]:
    written: list[str] = []
    progress = LogProgress(written.append, groups=False)
    progress.begin_model(model.name, "head", alone=True).end(model, 34.21)
    return written[-1:]


def test_the_steps_that_took_a_second_or_more_are_named() -> None:
    phases = (
        Phase(step="start", seconds=0.3),
        Phase(step="convert", seconds=12.04),
        Phase(step="diagnose", seconds=20.0),
    )
    assert lines(model_record(phases=phases)) == [
        "digits (head): measured (34.2 s: convert 12.0 s, diagnose 20.0 s)"
    ]


def test_a_record_without_phases_has_its_whole_time() -> None:
    assert lines(model_record()) == ["digits (head): measured (34.2 s)"]


def test_a_terminal_shows_what_runs_and_keeps_a_line_per_model() -> None:
    stream = StringIO()
    progress = LiveProgress(
        Console(file=stream, force_terminal=True, width=80, legacy_windows=False, highlight=False)
    )
    first = progress.begin_model("digits", "head", alone=False)
    second = progress.begin_model("keywords", "head", alone=False)
    first.begin_step("convert [fp16]")
    second.begin_step("evaluate")
    second.advance("fp16: 312 of 1,000 predictions")
    second.end(model_record(name="keywords"), 3.0)
    first.end(model_record(), 34.21)
    third = progress.begin_model("reviews", "head", alone=True)
    third.begin_step("source")
    third.end(model_record(name="reviews"), 1.0)
    shown = stream.getvalue()
    assert "digits (head): convert [fp16]" in shown
    assert "keywords (head): evaluate, fp16: 312 of 1,000 predictions" in shown
    assert "keywords (head): measured (3.0 s)" in shown
    assert "digits (head): measured (34.2 s)" in shown
    assert "reviews (head): source" in shown
    assert shown.rstrip().endswith("reviews (head): measured (1.0 s)")


def test_a_log_keeps_a_line_per_step_and_one_in_ten_seconds_of_how_far_it_is() -> None:
    written: list[object] = []
    seconds = [0.0]
    model = LogProgress(written.append, groups=False, clock=lambda: seconds[0]).begin_model(
        "digits", "head", alone=True
    )
    model.begin_step("evaluate")
    for second in (3.0, 9.9, 10.0, 12.0, 20.0):
        seconds[0] = second
        model.advance(f"{second:g} predictions")
    assert written == [
        "digits (head):",
        "  evaluate",
        "  evaluate: 10 predictions",
        "  evaluate: 20 predictions",
    ]


@pytest.mark.parametrize("groups", [True, False])
def test_lines_of_models_that_are_measured_at_once_name_their_model(*, groups: bool) -> None:
    written: list[object] = []
    progress = LogProgress(written.append, groups=groups)
    digits = progress.begin_model("digits", "head", alone=False)
    keywords = progress.begin_model("keywords", "head", alone=False)
    digits.begin_step("convert")
    keywords.begin_step("source")
    digits.end(model_record(), 2.0)
    assert written == [
        "digits (head): convert",
        "keywords (head): source",
        "digits (head): measured (2.0 s)",
    ]
