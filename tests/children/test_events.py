"""A child's report is read as it comes; what no honest child says is a fault, and loses nothing before it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coreml_gate.children import events as module
from coreml_gate.children.events import EVENTS_FILE, START, EventLog, EventReader, Events
from coreml_gate.measurements import vocabulary
from coreml_gate.measurements.metrics import Metrics
from coreml_gate.measurements.numbers import UnsupportedOperations
from coreml_gate.record import ConversionFacts, MetricValue

pytestmark = pytest.mark.attack("the model's own code")
CONVERSION = ConversionFacts(status="converted", route="export")
METRIC = MetricValue(name="accuracy", side="source", value=0.5)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[EventReader]:
    with EventReader(tmp_path, vocabulary(["small"])) as made:
        yield made


@pytest.fixture
def log(reader: EventReader, tmp_path: Path) -> EventLog:
    return EventLog(tmp_path)


def write(folder: Path, data: bytes) -> None:
    with (folder / EVENTS_FILE).open("ab") as file:
        file.write(data)


def test_a_child_that_wrote_nothing_is_at_the_start(reader: EventReader) -> None:
    reader.read()
    assert (reader.events, reader.step, reader.fault) == (Events(), START, "")


def test_parts_are_merged_and_the_last_step_counts(reader: EventReader, log: EventLog) -> None:
    log.begin("source")
    log.put(Metrics((METRIC,)))
    reader.read()
    assert reader.step == "source"
    log.begin("convert")
    log.put(CONVERSION)
    log.put(UnsupportedOperations(("erfinv",)))
    log.put(UnsupportedOperations(("relu",)))
    reader.read()

    parts = reader.events.parts
    assert (reader.step, reader.finished, reader.fault) == ("convert", False, "")
    assert parts.get(ConversionFacts) == CONVERSION
    assert parts.content(UnsupportedOperations) == ("relu",)
    assert parts.contents() == {"metrics": (METRIC,), "conversion": CONVERSION, "unsupported": ("relu",)}


def test_how_far_a_step_is_is_reported_once_a_second_and_forgotten_with_the_step(
    reader: EventReader, tmp_path: Path
) -> None:
    seconds = [5.0]
    log = EventLog(tmp_path, clock=lambda: seconds[0])
    log.begin("evaluate")
    log.advance("1 of 9 predictions")
    log.advance("2 of 9 predictions")
    reader.read()
    assert (reader.step, reader.detail) == ("evaluate", "1 of 9 predictions")
    seconds[0] += 1
    log.advance("8" * 1_000)
    reader.read()
    assert (reader.detail, reader.fault) == ("8" * 200, "")
    log.begin("convert")
    reader.read()
    assert (reader.step, reader.detail) == ("convert", "")
    write(tmp_path, b'{"detail": "%s"}\n' % (b"x" * 201))
    reader.read()
    assert "at most 200 characters" in reader.fault


def test_a_half_written_line_waits_for_its_other_half(reader: EventReader, tmp_path: Path) -> None:
    write(tmp_path, b'{"step": "conv')
    reader.read()
    assert (reader.step, reader.fault) == (START, "")
    write(tmp_path, b'ert"}\n')
    reader.read()
    assert reader.step == "convert"


def test_parts_of_variants_are_kept_apart(reader: EventReader, log: EventLog) -> None:
    log.put(UnsupportedOperations(("erfinv",)))
    small = log.of("small")
    small.begin("measure")
    small.put(UnsupportedOperations(()))
    reader.read()

    assert reader.events.parts.content(UnsupportedOperations) == ("erfinv",)
    assert reader.events.variants["small"].content(UnsupportedOperations) == ()
    assert (reader.events.variant, reader.step) == ("small", "measure")


def test_nothing_counts_after_the_last_word(reader: EventReader, log: EventLog, tmp_path: Path) -> None:
    log.put(CONVERSION)
    log.end()
    log.put(UnsupportedOperations(("relu",)))
    write(tmp_path, b"goodbye\n")
    reader.read()
    assert (reader.finished, reader.fault) == (True, "")
    assert reader.events.parts.contents() == {"conversion": CONVERSION}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"converted, I swear", "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (b"\xff\xfe{}", "Invalid JSON"),
        (b'{"step": "\\ud800"}', "Invalid JSON"),
        (b"[" * 100_000, "recursion limit exceeded"),
        (b'{"step": 7}', "Input should be a valid string"),
        (b'{"step": "\\u001b[31m::error::"}', "unknown step"),
        (b'{"part": "no-such-part", "content": 1}', "unknown part"),
        (b'{"part": "conversion", "content": {"status": "splendid"}}', "Input should be"),
        (b'{"part": "metrics", "content": [{"name": "a", "side": "source", "value": NaN}]}', "finite number"),
        (b'{"step": "convert", "variant": "another"}', "unknown variant"),
        (b'{"parts": {}}', "Extra inputs are not permitted"),
        (b'{"content": ' + b"9" * 10_000 + b"}", "number out of range"),
    ],
)
def test_a_line_that_is_no_event_is_a_fault_and_what_came_before_stays(
    reader: EventReader, log: EventLog, tmp_path: Path, line: bytes, said: str
) -> None:
    log.put(CONVERSION)
    write(tmp_path, line + b"\n")
    log.put(UnsupportedOperations(("relu",)))
    reader.read()
    assert reader.fault.startswith("line 2 of its report is not an event: ")
    assert said in reader.fault
    assert reader.events.parts.get(ConversionFacts) == CONVERSION


def test_no_more_is_read_than_any_honest_report_has(
    reader: EventReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 2**20)
    with (tmp_path / EVENTS_FILE).open("r+b") as file:
        file.truncate(2**40)  # a hole: it takes no disk
    reader.read()
    assert reader.fault == "it reported more than 1 MB"


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("replace", [_fifo, _folder, _link, Path.unlink])
def test_what_takes_the_place_of_the_file_is_not_looked_at(
    reader: EventReader, log: EventLog, tmp_path: Path, replace: Callable[[Path], None]
) -> None:
    log.put(CONVERSION)
    replace(tmp_path / EVENTS_FILE)
    log.begin("convert")
    reader.read()
    assert (reader.step, reader.fault) == ("convert", "")
    assert reader.events.parts.get(ConversionFacts) == CONVERSION


@pytest.mark.parametrize("before", [_fifo, _folder, _link])
def test_what_lay_there_before_goes_away(tmp_path: Path, before: Callable[[Path], None]) -> None:
    path = tmp_path / EVENTS_FILE
    path.touch()
    before(path)
    with EventReader(tmp_path, vocabulary()) as reader:
        reader.read()
    assert path.is_file()
    assert not path.is_symlink()


def test_the_time_of_each_step_is_counted_from_one_step_to_the_next(tmp_path: Path) -> None:
    now = [0.0]
    with EventReader(tmp_path, vocabulary(["small"]), lambda: now[0]) as reader:
        log = EventLog(tmp_path)
        for step, variant, seconds in (
            ("source", "", 2.0),
            ("convert", "", 5.0),
            ("measure", "", 1.0),
            ("convert", "small", 4.0),
        ):
            (log.of(variant) if variant else log).begin(step)
            reader.read()
            now[0] += seconds
        assert dict(reader.seconds) == {START: 0.0, "source": 2.0, "convert": 9.0, "measure": 1.0}
