"""What a child reported before it died is read, and what it was writing is left out."""

from pathlib import Path

from coreml_gate.children.events import START, EventLog, Events, read_events, read_step
from coreml_gate.measurements import part_types
from coreml_gate.record import ConversionFacts, Metrics, MetricValue, UnsupportedOperations

CONVERSION = ConversionFacts(status="converted", route="export")
METRIC = MetricValue(name="accuracy", side="source", value=0.5)


def read(folder: Path) -> Events:
    return read_events(folder, part_types())


def test_a_child_that_wrote_nothing_is_at_the_start(tmp_path: Path) -> None:
    assert read(tmp_path) == Events()
    assert read_step(tmp_path) == START


def test_parts_are_merged_and_the_last_step_counts(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.begin("source")
    log.put(Metrics((METRIC,)))
    log.begin("convert")
    log.put(CONVERSION)
    log.put(UnsupportedOperations(("erfinv",)))
    log.put(UnsupportedOperations(("relu",)))

    events = read(tmp_path)

    assert (events.step, read_step(tmp_path)) == ("convert", "convert")
    assert events.parts.get(ConversionFacts) == CONVERSION
    assert events.parts.content(UnsupportedOperations) == ("relu",)
    assert events.parts.contents() == {
        "metrics": (METRIC,),
        "conversion": CONVERSION,
        "unsupported": ("relu",),
    }


def test_a_half_written_line_is_left_out(tmp_path: Path) -> None:
    EventLog(tmp_path).begin("convert")
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"step": "meas')

    assert read(tmp_path).step == "convert"


def test_parts_of_variants_are_kept_apart(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.put(UnsupportedOperations(("erfinv",)))
    small = log.of("small")
    small.begin("measure")
    small.put(UnsupportedOperations(()))

    events = read(tmp_path)

    assert events.parts.content(UnsupportedOperations) == ("erfinv",)
    assert events.variants["small"].content(UnsupportedOperations) == ()
    assert (events.variant, events.step) == ("small", "measure")
