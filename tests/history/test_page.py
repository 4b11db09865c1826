"""The page of the history, the site around it, and the badge."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from coreml_gate.history import History, ReleaseMark, page, write_history
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.verdict import Status
from tests.builders import verdict
from tests.gate.conftest import Folder
from tests.history.test_commands import Branch
from tests.history.test_document import entry

EVIL = "</script><img src=x onerror=alert(1)>\u202e"


def grown(model: str = "digits", commits: int = 10) -> History:
    """A model that is 10 % larger from the seventh commit on; the third is a release."""
    entries = (entry(at, **{model: {"size": 4e6 if at < 6 else 4.4e6}}) for at in range(commits))
    return History(entries=tuple(entries), releases=(ReleaseMark(tag="v1", commit=f"{2:040x}"),))


def drawn(text: str) -> Any:
    (packed,) = re.findall(r'<script type="application/octet-stream" id="history">([A-Za-z0-9+/=]*)<', text)
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def test_each_figure_stands_at_its_commit_with_its_steps_and_releases() -> None:
    text = page.render(grown(), Status.PASS, "https://github.com/o/r")
    data = drawn(text)
    (series,) = data["series"]
    assert series["values"] == pytest.approx([4.0] * 6 + [4.4] * 4)
    assert (series["title"], series["unit"], series["steps"]) == ("Size", "MB", [6])
    assert [each["release"] for each in data["commits"]] == ["", "", "v1", *[""] * 7]
    link = f"https://github.com/o/r/commit/{6:040x}"
    assert data["commits"][6]["link"] == link
    assert f'step at 0000000: 4.00 MB to 4.40 MB (<a href="{link}">' in text
    assert "1 of 1 model got worse" in text


def test_a_model_that_joined_later_has_no_figure_before() -> None:
    later = History(entries=(*grown(commits=3).entries, entry(3, digits={"size": 4e6}, new={"size": 1e6})))
    digits, new = drawn(page.render(later, Status.PASS))["series"]
    assert (digits["values"], new["values"]) == ([4.0] * 4, [None, None, None, 1.0])


def test_foreign_names_stay_text() -> None:
    text = page.render(grown(EVIL), Status.FAIL)
    assert "<img" not in text
    assert "\u202e" not in text
    assert text.count("<script") == 2


@pytest.mark.parametrize("status", Status)
def test_the_badge_says_the_status_as_an_image_and_for_shields(status: Status) -> None:
    image = ET.fromstring(page.badge_svg(status))
    described = json.loads(page.badge_endpoint(status))
    assert image.get("aria-label") == f"coreml-gate: {described['message']}"
    assert described["schemaVersion"] == 1


def test_a_site_is_a_folder_that_any_web_server_serves(folder: Folder) -> None:
    branch = Branch(folder)
    write_history(grown(), folder.root / "history.json")
    assert branch.run("site", "public", "--history", "history.json") == 0
    public = folder.root / "public"
    assert {each.name for each in public.iterdir()} == {
        "index.html",
        "badge.svg",
        "badge.json",
        "history.json",
    }
    assert json.loads((public / "badge.json").read_text(encoding="utf-8"))["message"] == "warnings"

    report = FORMATS["json"](verdict(), ReportOptions())
    (folder.root / "report.json").write_text(report, encoding="utf-8")
    given = ("--report", "report.json", "--repository-url", "https://github.com/o/r")
    assert branch.run("site", "public", "--history", "history.json", *given) == 0
    assert "may merge" in (public / "report.html").read_text(encoding="utf-8")
    assert '<a href="report.html">' in (public / "index.html").read_text(encoding="utf-8")
    assert json.loads((public / "badge.json").read_text(encoding="utf-8"))["message"] == "passing"


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)//x/y", "https://github.com", "ftp://github.com/o/r"]
)
def test_an_address_that_is_none_of_a_repository_is_refused(folder: Folder, address: str) -> None:
    branch = Branch(folder)
    write_history(grown(), folder.root / "history.json")
    assert branch.run("site", "public", "--history", "history.json", "--repository-url", address) == 2
    assert "is not an http(s) URL" in branch.err.getvalue()
    assert not (folder.root / "public" / "index.html").exists()


def test_a_site_without_any_history_says_what_to_name(folder: Folder, tmp_path: Path) -> None:
    branch = Branch(folder)
    assert branch.run("site", str(tmp_path / "public")) == 10
    assert "there is no history" in branch.err.getvalue()
