"""What a child reported before it died is read, and what it was writing is left out."""

from pathlib import Path

from coreml_gate.record import ConversionFacts, MetricValue
from coreml_gate.worker.events import EventLog, Events, read_events


def test_a_child_that_wrote_nothing_is_at_the_start(tmp_path: Path) -> None:
    assert read_events(tmp_path / "events.jsonl") == Events("start", {})


def test_parts_are_merged_and_the_last_step_counts(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.begin("source")
    log.update(metrics=[MetricValue(name="accuracy", side="source", value=0.5)])
    log.begin("convert")
    log.update(conversion=ConversionFacts(status="converted", route="export"), unsupported=("erfinv",))

    events = read_events(log.path)

    assert events.step == "convert"
    assert events.parts["metrics"] == [{"name": "accuracy", "side": "source", "value": 0.5}]
    assert events.parts["conversion"]["route"] == "export"
    assert events.parts["unsupported"] == ["erfinv"]


def test_a_half_written_line_is_left_out(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.begin("convert")
    with log.path.open("a") as file:
        file.write('{"step": "meas')

    assert read_events(log.path).step == "convert"


def test_parts_of_variants_are_kept_apart(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.update(unsupported=("erfinv",))
    small = log.of("small")
    small.begin("measure")
    small.update(unsupported=())

    events = read_events(log.path)

    assert events.parts["unsupported"] == ["erfinv"]
    assert events.variants == {"small": {"unsupported": []}}
    assert (events.variant, events.step) == ("small", "measure")
