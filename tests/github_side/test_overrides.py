"""Failures that somebody answers for, and lines that do not count."""

from datetime import date

import pytest

from coreml_gate.github.api.pull_request import Statement
from coreml_gate.github.judging.overrides import apply_overrides, parse_overrides
from coreml_gate.verdict import Acceptance, Status, Verdict
from tests.builders import finding, model_verdict, verdict

TODAY = date(2026, 11, 24)
LINE = "/coreml-gate accept parity of digits until 2026-12-31: retrained in December"


def failing(problem_exit_code: int = 0) -> Verdict:
    failure = finding(status=Status.FAIL, message="0.3, allowed 0.1.")
    return verdict(model_verdict(failure, finding(check="size"), problem_exit_code=problem_exit_code))


def applied(
    text: str, judged: Verdict | None = None, *, writer: str = "alice", labelled: bool = True
) -> Verdict:
    statements = [Statement("alice", text)]
    return apply_overrides(
        judged or failing(),
        parse_overrides(statements),
        lambda name: name == writer,
        TODAY,
        labelled=labelled,
    )


def test_an_accepted_failure_is_a_warning_that_says_who_why_and_until_when() -> None:
    result = applied(f"Fixes the head.\n\n{LINE}\n")

    accepted = result.models[0].findings[0]
    assert (result.verdict, result.exit_code) == (Status.WARN, 0)
    assert (result.models[0].verdict, result.models[0].exit_code) == (Status.WARN, 0)
    assert accepted.accepted == Acceptance(by="alice", until="2026-12-31", reason="retrained in December")
    assert (
        accepted.message == "0.3, allowed 0.1. Accepted by `alice` until 2026-12-31: retrained in December."
    )
    assert result.findings == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LINE.replace("2026-12-31", "2026-11-23"), "it expired on 2026-11-23"),
        (LINE.replace("2026-12-31", "2027-12-01"), "it would be valid for more than 366 days"),
        (LINE.replace("2026-12-31", "2026-02-30"), "`2026-02-30` is not a date"),
        (LINE.replace("parity", "size"), "`size` of `digits` does not fail"),
        (LINE.replace("digits", "faces"), "`parity` of `faces` does not fail"),
        ("/coreml-gate accept everything", "it is not of the form `/coreml-gate accept CHECK of MODEL"),
        (LINE.replace(": retrained in December", ":   "), "it is not of the form"),
    ],
)
def test_a_line_that_does_not_count_is_said_and_changes_nothing(text: str, problem: str) -> None:
    result = applied(text)

    assert (result.verdict, result.exit_code) == (Status.FAIL, 1)
    assert result.models == failing().models
    assert problem in result.findings[0].message
    assert result.findings[0].details == (text.strip(),)


def test_write_permission_and_the_label_are_asked_for() -> None:
    assert "`alice` has no write permission" in applied(LINE, writer="bob").findings[0].message
    assert "lacks the label `coreml-gate: accept`" in applied(LINE, labelled=False).findings[0].message


def test_the_last_day_still_counts_and_the_last_line_wins() -> None:
    result = applied(f"{LINE}\n{LINE.replace('12-31: retrained in December', '11-24: today only')}")

    assert result.models[0].findings[0].accepted == Acceptance(
        by="alice", until="2026-11-24", reason="today only"
    )


def test_a_model_that_could_not_be_measured_cannot_be_accepted() -> None:
    result = applied(LINE, failing(problem_exit_code=5))

    assert result.exit_code == 5
    assert "does not fail" in result.findings[0].message


def test_other_failures_of_the_model_still_block() -> None:
    model = model_verdict(finding(status=Status.FAIL), finding(check="size", status=Status.FAIL))
    result = applied(LINE, verdict(model))

    assert [each.status for each in result.models[0].findings] == [Status.WARN, Status.FAIL]
    assert (result.verdict, result.exit_code) == (Status.FAIL, 1)


def test_a_strict_gate_can_accept_what_cannot_be_told() -> None:
    strict = verdict(model_verdict(finding(status=Status.UNSURE), fail_on_unsure=True))

    assert strict.exit_code == 1
    assert applied(LINE, strict).exit_code == 0


@pytest.mark.parametrize("text", [f"> {LINE}", f"    {LINE}", f"see {LINE}", "", "`/coreml-gate accept`"])
def test_quotes_and_mentions_are_not_commands(text: str) -> None:
    assert parse_overrides([Statement("alice", text)]) == ()


def test_the_number_of_lines_is_bounded() -> None:
    assert len(parse_overrides([Statement("alice", "/coreml-gate\n" * 10_000)])) == 50
