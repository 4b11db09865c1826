"""Any text in any field and in any key, through every error and every way out of the gate."""

import io
import json
import re
import zipfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coreml_gate import errors
from coreml_gate.cli import main
from coreml_gate.config.load import parse_config
from coreml_gate.errors import ArtifactError, GateError, MeasuringError, UnsupportedOperationsError
from coreml_gate.foreign.log import RunnerCommand, only_harmless, say_error
from coreml_gate.github.api.artifacts import RECORD_LIMITS
from coreml_gate.github.api.zips import SafeZip
from coreml_gate.github.evidence.untrusted_record import merge_records
from coreml_gate.github.judging.no_verdict import broken
from coreml_gate.github.publishing.annotations import notice
from coreml_gate.github.publishing.status.outcome import concluded
from coreml_gate.record import parse_record
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from coreml_gate.verdict import not_run
from tests.builders import comparison, model_record, record
from tests.reliability import tried
from tests.report import gfm

pytestmark = pytest.mark.attack("foreign text")

NASTY = (
    "\n::error::pwned", "\r::warning::x", "\n##[add-path]/tmp", "##vso[task.setvariable variable=a]b",
    "\x1b[2J\x1b]0;title\x07", "\x9b31m", "\x00", "\u202egpj.exe", "\u2066\u2069", "\ud800", "\x7f\x08",
    "<img src=x onerror=alert(1)>", "</details>", "<!-- coreml-gate: default -->", "[a](https://evil.example)",
    "![a](https://evil.example)", "@org/team", "#1", "`", "```", "|", "\\", "a\n\n# heading", "\u2028::e::x",
    "[bold red]", ":bug:", "é", "{0}", "%s",
)  # fmt: skip
FOREIGN = st.lists(st.sampled_from(NASTY) | st.characters() | st.just("a"), max_size=8).map("".join)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
few_examples = settings(max_examples=40)
EVERY_ERROR = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, GateError) and kind is not GateError
    ),
    key=lambda kind: kind.exit_code,
)
RECORD = json.loads(
    record(model_record(name="digits", parity=(comparison(output="scores"),))).model_dump_json()
)
CONFIG = {"model": [{"name": "digits", "source": "models/digits.py:build"}], "gate": {"limits": {}}}


class Door:
    """A command's console, and what came out of it."""

    def __init__(self) -> None:
        self.console = Screen(StringIO(), width=80)

    @property
    def text(self) -> str:
        assert isinstance(self.console.file, StringIO)
        return self.console.file.getvalue()


class Check:
    """A check that keeps what it is concluded with."""

    def begin(self) -> str:
        return ""

    def conclude(self, outcome: Any) -> str:
        self.outcome = outcome
        return ""


def made(kind: type[GateError], words: str) -> GateError:
    if kind is UnsupportedOperationsError:
        return UnsupportedOperationsError((words, words))
    if kind is MeasuringError:
        return MeasuringError(words, words, 15)
    return kind(f"`{words}` is wrong: {words}.", f"see {words}.", lines=(words, words))


def assert_log_is_harmless(log: str) -> None:
    assert CONTROL.search(log) is None
    lines = log.split("\n")
    assert [line for line in lines if line.lstrip().startswith("::")] == []
    assert re.search(r"##\w*\[", log) is None


def assert_markdown_is_harmless(markdown: str) -> None:
    assert CONTROL.search(markdown) is None
    assert [tag for tag in gfm.tags(markdown) if tag not in gfm.OUR_TAGS] == []
    assert gfm.links(markdown) == []


def assert_error_is_harmless(error: GateError) -> None:
    tried()
    door = Door()
    with only_harmless(door.console):
        say_error(door.console, error)
    assert_log_is_harmless(door.text)
    assert len(door.text.splitlines()) <= 2 + len(error.lines) + len(error.example.splitlines()) + 1
    check = Check()
    with pytest.raises(type(error)), concluded(check):
        raise error
    assert_markdown_is_harmless(check.outcome.summary)
    assert_markdown_is_harmless(broken(error).title)
    assert_command_is_one_line(notice(str(error)))


def assert_command_is_one_line(line: str) -> None:
    door = Door()
    with only_harmless(door.console):
        door.console.print(RunnerCommand(line))
    command, rest = door.text.split("\n", 1)
    assert rest == ""
    assert command.startswith("::")
    assert CONTROL.search(command) is None


@pytest.mark.parametrize("kind", EVERY_ERROR, ids=lambda kind: kind.__name__)
@few_examples
@given(FOREIGN)
@example("".join(NASTY))
def test_every_error_with_any_text(kind: type[GateError], words: str) -> None:
    error = made(kind, words)
    assert_error_is_harmless(error)
    verdict = not_run(error.message, error.hint, error.exit_code, error.details)
    assert_markdown_is_harmless(FORMATS["markdown"](verdict, ReportOptions()).partition("\n")[2])
    assert_log_is_harmless(FORMATS["terminal"](verdict, ReportOptions()))


def places(document: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where the document's values stand, tables and lists included."""
    found = [here]
    if isinstance(document, dict | list):
        items = document.items() if isinstance(document, dict) else enumerate(document)
        for key, value in items:
            found += places(value, (*here, key))
    return found


def with_key(document: Any, place: tuple[str | int, ...], key: str, value: object) -> Any:
    """The document with a key of its own in the table that lies there."""
    copy = json.loads(json.dumps(document))
    table = copy
    for part in place:
        table = table[part]
    table[key] = value
    return copy


def with_value(document: Any, place: tuple[str | int, ...], value: object) -> Any:
    return with_key(document, place[:-1], place[-1], value)  # type: ignore[arg-type]  # or a list's number


def tables(document: Any) -> list[tuple[str | int, ...]]:
    return [place for place in places(document) if isinstance(at(document, place), dict)]


def at(document: Any, place: tuple[str | int, ...]) -> Any:
    for part in place:
        document = document[part]
    return document


@few_examples
@given(st.sampled_from(tables(RECORD)), FOREIGN.filter(bool), FOREIGN)
def test_any_key_in_any_table_of_a_record(place: tuple[str | int, ...], key: str, value: str) -> None:
    text = json.dumps(with_key(RECORD, place, key, value))
    try:
        parse_record(text, f"artifact {value}")
    except GateError as error:
        assert_error_is_harmless(error)


@few_examples
@given(st.sampled_from(places(RECORD)[1:]), FOREIGN)
def test_any_text_in_any_field_of_a_record(place: tuple[str | int, ...], value: str) -> None:
    text = json.dumps(with_value(RECORD, place, value))
    try:
        parse_record(text, "record.json")
    except GateError as error:
        assert_error_is_harmless(error)


@few_examples
@given(st.sampled_from(["engine", "commit"]), FOREIGN)
def test_a_second_shard_that_differs_in_any_text(field: str, value: str) -> None:
    text = json.dumps(RECORD | {field: value})
    try:
        merge_records([parse_record(json.dumps(RECORD), "a"), parse_record(text, "b")])
    except GateError as error:
        assert_error_is_harmless(error)


def as_toml(value: Any) -> str:
    """A value on one line: inline tables, and strings as JSON writes them."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {as_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return quoted(value)


def quoted(text: str) -> str:
    plain = text.encode("utf-8", "ignore").decode()
    return '"' + "".join(f"\\U{ord(sign):08x}" if sign in '"\\' or not sign.isprintable() else sign for sign in plain) + '"'  # fmt: skip # noqa: E501


@few_examples
@given(st.sampled_from(tables(CONFIG)), FOREIGN.filter(bool), FOREIGN)
def test_any_key_in_any_table_of_a_configuration(place: tuple[str | int, ...], key: str, value: str) -> None:
    document = with_key(CONFIG, place, key, value)
    text = "".join(f"{quoted(name)} = {as_toml(each)}\n" for name, each in document.items())
    with pytest.raises(GateError) as raised:
        parse_config(text, f"{value}.toml")
    assert_error_is_harmless(raised.value)


@few_examples
@given(st.sampled_from(["name", "source", "samples", "evaluate", "devices", "precision"]), FOREIGN)
def test_any_text_in_any_value_of_a_configuration(key: str, value: str) -> None:
    model = CONFIG["model"][0] | {key: [value] if key == "devices" else value}  # type: ignore[index]
    try:
        parse_config(f"model = {as_toml([model])}\n", "coreml-gate.toml")
    except GateError as error:
        assert_error_is_harmless(error)


@few_examples
@given(FOREIGN.filter(bool))
def test_any_name_of_a_member_of_a_zip(name: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"a{name.encode('utf-8', 'ignore').decode()}", b"{}")
    with pytest.raises(ArtifactError) as raised:
        SafeZip(buffer, RECORD_LIMITS)
    assert_error_is_harmless(raised.value)


@pytest.mark.parametrize(
    "arguments", [("plan",), ("run",), ("judge", "record.json"), ("report", "report.json")]
)
@pytest.mark.parametrize("words", NASTY)
def test_commands_on_files_and_arguments_of_any_name(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    door = Door()
    around = Surroundings(tmp_path, {"PATH": "/usr/bin:/bin"}, door.console, door.console)
    file = words.replace("\x00", "").replace("\ud800", "").replace("/", "-") or "a"
    (tmp_path / "coreml-gate.toml").write_text(f"{quoted(words)} = 1\n", encoding="utf-8")
    (tmp_path / "record.json").write_text(json.dumps({words: words}), encoding="utf-8")
    (tmp_path / "report.json").write_text(json.dumps({words: words}), encoding="utf-8")
    for given_ in (arguments, (*arguments, "--config", words), (*arguments, words), (words,)):
        tried()
        assert main(given_, around) not in {0, errors.INTERNAL_ERROR_EXIT_CODE}
    (tmp_path / file).mkdir(exist_ok=True)
    assert main(("plan",), Surroundings(tmp_path / file, around.environment, door.console, door.console)) == 3
    assert_log_is_harmless(door.text)
