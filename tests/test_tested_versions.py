"""The table of tested versions: what is outside of it is named, and every place that shows it agrees."""

import ast
import re
import subprocess
import tomllib
from dataclasses import replace

import pytest

from coreml_gate.gate.judge import notes
from coreml_gate.tested_versions import TESTED, filled, installed, untested
from tests.builders import environment
from tests.checks.cases import evidence
from tests.house import ROOT

SOUND = {"torch": "2.9.1", "coremltools": "9.0", "numpy": "2.2.0"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ()),
        ({"torch": "2.13.4", "numpy": "1.26.0"}, ()),
        ({"torch": "2.14.0"}, ("torch 2.14.0 is outside the tested range (2.7.1 to 2.13.0).",)),
        ({"torch": "2.6.0"}, ("torch 2.6.0 is outside the tested range (2.7.1 to 2.13.0).",)),
        (
            {"torch": "2.14.0.dev20261101"},
            ("torch 2.14.0.dev20261101 is outside the tested range (2.7.1 to 2.13.0).",),
        ),
        (
            {"coremltools": "8.3", "numpy": "2.4.0"},
            (
                "coremltools 8.3 is outside the tested range (9.0).",
                "numpy 2.4.0 is outside the tested range (1.26.4 to 2.3.5).",
            ),
        ),
    ],
)
def test_versions_outside_of_the_range_are_named_with_it(
    changed: dict[str, str], said: tuple[str, ...]
) -> None:
    assert untested(SOUND | changed) == said


def test_a_report_notes_what_was_measured_with_an_untested_version() -> None:
    found = notes(replace(evidence(), environment=environment(torch="2.14.0")))
    assert "torch 2.14.0 is outside the tested range (2.7.1 to 2.13.0)." in found
    assert not any("tested range" in note for note in notes(evidence()))


def test_this_environment_is_inside() -> None:
    assert untested(installed()) == ()


def test_the_makefile_tests_both_ends() -> None:
    (ends,) = re.findall(r"^MATRIX \?= (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    torch, numpy = TESTED["torch"], TESTED["numpy"]
    assert ends.split() == [f"{torch.oldest}-{numpy.oldest}", f"{torch.newest}-{numpy.newest}"]


def test_both_ends_run_what_make_test_runs() -> None:
    """They have no more installed: a runner and a browser have targets of their own."""

    def selected(target: str) -> set[str]:
        command = ["make", "-n", "--no-print-directory", target]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return set(re.findall(r'-m "([^"]+)"', done.stdout))

    assert selected("test-matrix") == selected("test") != set()


def test_exports_of_the_tests_say_whether_they_are_strict() -> None:
    """By default they are strict in torch 2.7, which refuses the ninth strict one in a process."""
    unsaid = [
        f"{path.name}:{call.lineno}"
        for path in (ROOT / "tests").rglob("*.py")
        if "export.export(" in (text := path.read_text(encoding="utf-8"))
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("export.export")
        if "strict" not in {each.arg for each in call.keywords}
    ]
    assert unsaid == []


def test_constraints_are_the_newest_end_and_the_project_promises_no_older_one() -> None:
    pins = dict(
        re.findall(
            r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    assert {name: pins[name] for name in TESTED} == {name: tested.newest for name, tested in TESTED.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    least = dict(re.match(r"([\w-]+)>=([\d.]+)", each).groups() for each in project["dependencies"])  # type: ignore[union-attr]
    assert all(least[name] in tested for name, tested in TESTED.items())


def test_readme_shows_the_table() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert page == filled(page)
    assert "| torch | 2.7.1 to 2.13.0 |" in page
