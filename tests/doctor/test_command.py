"""What does the doctor print off a Mac, and with which exit code?"""

from io import StringIO
from pathlib import Path

import pytest

from coreml_gate.cli import main
from coreml_gate.doctor import command
from coreml_gate.doctor.answer import Probe
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from tests.warm import ENVIRONMENT, WARM

OK = Probe("disk", "ok", "60 GB free")
OPEN = Probe("timing", "unknown", "there is no Core ML here.", "run it on a Mac.")
BAD = Probe("python", "not ok", "3.14: no wheel.", "make the environment with Python 3.13.")


def doctor(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    around = Surroundings(Path(), ENVIRONMENT, Screen(out, width=100), Screen(StringIO()), WARM)
    return main(("doctor", *arguments), around), out.getvalue()


@pytest.mark.parametrize(
    ("answers", "arguments", "code"),
    [
        ([OK], (), 0),
        ([OK, OPEN], (), 0),
        ([OK, OPEN], ("--strict",), 1),
        ([OK, OPEN, BAD], (), 1),
    ],
)
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch, answers: list[Probe], arguments: tuple[str, ...], code: int
) -> None:
    monkeypatch.setattr(command, "examine", lambda _: iter(answers))
    assert doctor(*arguments)[0] == code


def test_a_row_holds_the_outcome_and_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "examine", lambda _: iter([OK, BAD]))
    assert doctor()[1].splitlines() == [
        "ok       disk: 60 GB free",
        "not ok   python: 3.14: no wheel.",
        "         way out: make the environment with Python 3.13.",
        "1 ok, 1 not ok, 0 unknown",
    ]


def test_off_a_mac_it_does_what_it_can_and_says_what_it_cannot() -> None:
    code, text = doctor()
    assert code == 0
    for row in (
        "ok       child that must hang: timed-out: still running after 2 s",
        "ok       child that must abort: crashed: killed by signal 6 (SIGABRT)",
        "ok       conversion: convolution, state, functions were made",
        "unknown  native module: ",
        "unknown  predictions: there is no Core ML here.",
        "unknown  compute plan: ",
        "unknown  timing: ",
    ):
        assert row in text
