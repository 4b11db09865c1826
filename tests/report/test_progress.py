"""What a finished model leaves in the log: what came of it, and where the time went."""

from io import StringIO

from rich.console import Console

from coreml_gate.record import ModelRecord, Phase
from coreml_gate.report.progress import LiveProgress, LogProgress
from tests.builders import model_record


def lines(model: ModelRecord) -> list[str]:
    written: list[str] = []
    progress = LogProgress(written.append, groups=False)
    progress.begin_model(model.name, "head")
    progress.end_model(model, 34.21)
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
    progress = LiveProgress(Console(file=stream, force_terminal=True, width=80, legacy_windows=False))
    progress.begin_model("digits", "head")
    progress.begin_step("convert [fp16]")
    progress.end_model(model_record(), 34.21)
    shown = stream.getvalue()
    assert "digits (head): convert [fp16]" in shown
    assert shown.rstrip().endswith("digits (head): measured (34.2 s)")
