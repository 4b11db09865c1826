"""The command line: exit codes, messages, files; tests/gate/test_run.py measures models through it."""

import base64
import gzip
import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.cli import build_parser, main
from coreml_gate.commands import COMMANDS, plan
from coreml_gate.record import write_record
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from tests.builders import comparison, memory, model_record, record

CONFIG = """
[[model]]
name = "digits"
source = "models/digits.py:build"
"""


class Desk:
    """A folder with a configuration, and what the command line printed there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = StringIO()
        self.err = StringIO()
        (folder / "coreml-gate.toml").write_text(CONFIG)

    def run(self, *arguments: str) -> int:
        surroundings = Surroundings(
            self.folder,
            {"PATH": "/usr/bin:/bin"},
            Screen(self.out),
            Screen(self.err),
        )
        return main(arguments, surroundings)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_stored_records_are_judged_without_running_anything(desk: Desk) -> None:
    write_record(record(models=(model_record(name="digits"),)), desk.folder / "record.json")

    assert desk.run("judge", "record.json", "--output", "out") == 0
    report = json.loads((desk.folder / "out" / "report.json").read_text())
    assert report["verdict"] == "pass"
    assert report["models"][0]["name"] == "digits"
    assert (desk.folder / "out" / "comment.md").read_text().startswith("<!-- coreml-gate: default -->")
    assert "coreml-gate: `digits` may merge" in desk.out.getvalue()
    assert (desk.folder / "out" / "report.html").read_text().startswith("<!doctype html>")


def test_other_limits_give_another_verdict_of_the_same_record(desk: Desk) -> None:
    write_record(record(models=(model_record(name="digits"),)), desk.folder / "record.json")
    strict = CONFIG + "[model.limits]\nparity = { max-error = 1e-9 }\n"
    (desk.folder / "strict.toml").write_text(strict)

    assert desk.run("judge", "record.json", "--config", "strict.toml") == 1


def test_judging_against_a_baseline_shows_the_deltas(desk: Desk) -> None:
    worse = model_record(
        name="digits",
        precision=(comparison(reference="fp32", candidate="fp16", psnr=34.0, max_abs_error=0.02),),
    )
    better = model_record(
        name="digits",
        precision=(comparison(reference="fp32", candidate="fp16", psnr=60.0, max_abs_error=0.001),),
    )
    write_record(record(models=(worse,)), desk.folder / "record.json")
    (desk.folder / "base").mkdir()
    write_record(record(models=(better,), commit="b" * 40), desk.folder / "base" / "record.json")

    assert desk.run("judge", ".", "--baseline", "base", "--output", "out") == 1
    report = json.loads((desk.folder / "out" / "report.json").read_text())
    precision = next(item for item in report["models"][0]["findings"] if item["check"] == "precision")
    assert (precision["status"], precision["value"], precision["base"]) == ("fail", 34.0, 60.0)
    assert report["baseline"]["present"]


@pytest.mark.parametrize("form", ["markdown", "json", "junit", "sarif", "terminal"])
def test_a_stored_report_is_rendered_in_every_format(desk: Desk, form: str) -> None:
    inexact = comparison(max_abs_error=1.0)
    write_record(
        record(models=(model_record(name="digits", parity=(inexact,)),)), desk.folder / "record.json"
    )
    assert desk.run("judge", "record.json", "--output", "out") == 1

    assert desk.run("report", "out/report.json", "--format", form, "--to", "rendered") == 0
    assert "digits" in (desk.folder / "rendered").read_text()


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("judge", "nowhere.json"), 10, "record `{folder}/nowhere.json` cannot be read"),
        (("judge", "record.json", "--baseline", "nowhere"), 10, "baseline `{folder}/nowhere` has no record"),
        (("judge", "broken.json"), 10, "record `{folder}/broken.json`: "),
        (("judge", "record.json", "--model", "digit"), 4, "no model is named `digit`"),
        (("report", "broken.json"), 10, "report `{folder}/broken.json`: "),
        (("run", "--base", "main"), 11, "is not in a git work tree"),
        (("run", "--config", "nowhere.toml"), 3, "there is no configuration file `nowhere.toml`"),
        (("doctor", "--time-budget-s", "nan"), 2, "argument --time-budget-s: `nan` is not a finite number."),
        (("doctor", "--time-budget-s", "-1"), 2, "argument --time-budget-s: `-1` is not a number above 0."),
        (("device", "--repeats", "0"), 2, "argument --repeats: `0` is not a whole number of at least 1."),
        (("device", "--repeats", "2.5"), 2, "argument --repeats: `2.5` is not a whole number of at least 1."),
        (("bisect", "--limit", "inf"), 2, "argument --limit: `inf` is not a finite number."),
    ],
)
def test_bad_input_ends_in_a_message_and_its_own_exit_code(
    desk: Desk, arguments: tuple[str, ...], exit_code: int, message: str
) -> None:
    write_record(record(models=(model_record(name="digits"),)), desk.folder / "record.json")
    (desk.folder / "broken.json").write_text('{"schema_version": 1, "models": [')

    assert desk.run(*arguments) == exit_code
    assert message.format(folder=desk.folder) in desk.err.getvalue()
    assert "Hint: " in desk.err.getvalue()
    assert "Traceback" not in desk.err.getvalue()


@pytest.mark.parametrize("command", [("run", "--model", "digit"), ("judge", "nowhere.json")])
def test_a_run_that_cannot_start_replaces_the_report_of_an_older_one(
    desk: Desk, command: tuple[str, ...]
) -> None:
    write_record(record(models=(model_record(name="digits"),)), desk.folder / "record.json")
    assert desk.run("judge", "record.json") == 0

    exit_code = desk.run(*command)
    report = json.loads((desk.folder / ".coreml-gate" / "report.json").read_text())
    assert (report["exit_code"], report["verdict"], report["models"]) == (exit_code, "fail", [])
    assert report["findings"][0]["message"] in desk.err.getvalue()
    comment = (desk.folder / ".coreml-gate" / "comment.md").read_text()
    assert "❌ coreml-gate: the gate could not do its work" in comment


def test_a_record_of_another_schema_version_is_refused(desk: Desk) -> None:
    stored = record(models=(model_record(name="digits"),)).model_dump(mode="json")
    (desk.folder / "record.json").write_text(json.dumps(stored | {"schema_version": 2}))

    assert desk.run("judge", "record.json") == 10
    assert "at `schema_version`" in desk.err.getvalue()


def test_a_plan_without_a_base_has_every_model(desk: Desk) -> None:
    assert desk.run("plan", "--format", "github-matrix") == 0
    assert json.loads(desk.out.getvalue()) == {"include": [{"model": "digits", "shard": 1}]}


def test_a_defect_of_ours_never_looks_like_a_verdict(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("our own")

    monkeypatch.setattr(plan, "load_config", broken)

    assert desk.run("plan") == 70
    assert "ZeroDivisionError: our own" in desk.err.getvalue()
    assert "this is a defect of coreml-gate" in desk.err.getvalue()


def test_json_is_the_report_and_nothing_else(desk: Desk) -> None:
    write_record(record(models=(model_record(name="digits"),)), desk.folder / "record.json")

    assert desk.run("judge", "record.json", "--json") == 0
    printed = desk.out.getvalue()
    assert printed == (desk.folder / ".coreml-gate" / "report.json").read_text()
    assert json.loads(printed)["models"][0]["name"] == "digits"


def test_quiet_is_the_first_line_and_errors_are_still_printed(desk: Desk) -> None:
    write_record(record(models=(model_record(name="digits"),)), desk.folder / "record.json")

    assert desk.run("judge", "record.json", "--quiet") == 0
    assert desk.out.getvalue() == "coreml-gate: `digits` may merge\n"
    assert desk.run("judge", "nowhere.json", "--quiet") == 10
    assert "nowhere.json" in desk.err.getvalue()


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"github"}))
def test_every_command_has_a_form_for_machines_and_a_quiet_one(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        build_parser([name]).parse_args([name, "--help"])
    options = capsys.readouterr().out
    assert "--json" in options
    assert "--quiet" in options


def test_explanations_are_data_as_well(desk: Desk) -> None:
    assert desk.run("explain", "precision", "--json") == 0
    (explanation,) = json.loads(desk.out.getvalue())
    assert (explanation["code"], explanation["kind"]) == ("precision", "check")


@pytest.mark.parametrize("command", ["devices", "rules", "explain"])
def test_a_table_that_is_piped_fits_80_columns_and_loses_nothing(desk: Desk, command: str) -> None:
    assert desk.run(command) == 0
    lines = desk.out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


def packed_in(page: Path) -> dict[str, Any]:
    """What the page of one model draws."""
    (packed,) = re.findall(
        r'<script type="application/octet-stream">([^<]+)<', page.read_text(encoding="utf-8")
    )
    drawn: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return drawn


def test_the_page_draws_the_base_of_the_commit_that_was_compared_with(desk: Desk) -> None:
    head = model_record(name="digits", memory=memory(timeline=(3, 4)))
    base = model_record(name="digits", memory=memory(timeline=(1, 2)))
    write_record(record(head), desk.folder / "out" / "record.json")
    write_record(record(base, commit="b" * 40), desk.folder / "out" / "base" / "record.json")

    assert desk.run("judge", "out", "--baseline", "out/base", "--output", "out") == 0
    assert packed_in(desk.folder / "out" / "report.html")["memory"]["base"] == [1, 2]
    assert desk.run("report", "out/report.json", "--format", "html", "--to", "page.html") == 0
    assert packed_in(desk.folder / "page.html")["memory"]["base"] == [1, 2]

    write_record(record(base, commit="c" * 40), desk.folder / "out" / "base" / "record.json")
    assert desk.run("report", "out/report.json", "--format", "html", "--to", "page.html") == 0
    assert packed_in(desk.folder / "page.html")["memory"]["base"] == []


def test_a_folder_that_was_removed_is_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(SystemExit, match="2"):
        main(["devices"])
    assert "the current folder does not exist any more." in " ".join(capsys.readouterr().err.split())
