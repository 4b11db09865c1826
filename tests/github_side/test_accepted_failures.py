"""Failures that came into the base branch accepted: found again, kept, and no excuse for more."""

from datetime import date
from typing import Any

import pytest

from coreml_gate.frozen import changed
from coreml_gate.github.api.client import Client
from coreml_gate.github.judging.accepted_failures import accepted_failures, apply_carried, is_no_worse
from coreml_gate.record import AcceptedFailure
from coreml_gate.verdict import Status, Verdict
from tests.builders import finding, model_verdict, verdict
from tests.github_api.hub import Hub

TODAY = date(2026, 11, 24)
LABEL = "coreml-gate: accept"
LINE = "/coreml-gate accept precision of digits until 2026-12-31: retrained in December"
CARRIED = AcceptedFailure(
    model="digits",
    check="precision",
    by="alice",
    until=date(2026, 12, 31),
    reason="retrained in December",
    pull_request=12,
)


def add_merged(hub: Hub, number: int = 12, body: str = LINE, **overrides: Any) -> None:
    merged = {"state": "closed", "merged_at": "2026-11-20T00:00:00Z", "body": body}
    hub.add_pull(number, f"{number:040d}", **(merged | overrides))
    hub.set_labels(number, LABEL)


def found(client: Client) -> tuple[AcceptedFailure, ...]:
    return accepted_failures(client, "main", "github-actions[bot]", TODAY)


def judged(value: float | None, base: float | None, **overrides: Any) -> Verdict:
    figures = {"check": "precision", "value": value, "base": base, "limit": 30.0, "unit": "dB"}
    failing = finding(**(figures | {"status": Status.FAIL} | overrides))
    model = model_verdict(failing)
    return verdict(model)


def test_what_a_merged_pull_request_accepted_is_found_again(hub: Hub, client: Client) -> None:
    hub.permissions["alice"] = "write"
    add_merged(hub)
    assert found(client) == (CARRIED,)


@pytest.mark.parametrize(
    ("overrides", "permission"),
    [
        ({"merged_at": None}, "write"),
        ({"state": "open"}, "write"),
        ({"body": LINE.replace("2026-12-31", "2026-11-23")}, "write"),
        ({"body": LINE.replace("2026-12-31", "2028-01-01")}, "write"),
        ({"body": "> " + LINE}, "write"),
        ({}, "read"),
    ],
)
def test_anything_else_is_not_carried_over(
    hub: Hub, client: Client, overrides: dict[str, Any], permission: str
) -> None:
    hub.permissions["alice"] = permission
    add_merged(hub, **overrides)
    assert found(client) == ()


def test_another_branchs_and_unlabelled_ones_are_left_out(hub: Hub, client: Client) -> None:
    hub.permissions["alice"] = "write"
    add_merged(hub, 11)
    hub.pulls[11]["base"] = hub.pulls[11]["base"] | {"ref": "release"}
    add_merged(hub, 12)
    hub.set_labels(12, "bug")
    assert found(client) == ()


def test_the_last_pull_request_has_the_last_word(hub: Hub, client: Client) -> None:
    hub.permissions["alice"] = "write"
    add_merged(hub, 13, LINE.replace("December", "a day"))
    add_merged(hub, 12)
    assert [each.reason for each in found(client)] == ["retrained in a day"]


def test_the_same_failure_passes_with_its_reason_until_its_day() -> None:
    accepted = apply_carried(judged(25.0, 25.0), (CARRIED,), TODAY)
    assert (accepted.verdict, accepted.exit_code) == (Status.WARN, 0)
    words = "Accepted by `alice` until 2026-12-31: retrained in December (pull request 12)."
    assert accepted.models[0].findings[0].message.endswith(words)

    late = apply_carried(judged(25.0, 25.0), (CARRIED,), date(2027, 1, 1))
    assert (late.verdict, late.exit_code) == (Status.FAIL, 1)


@pytest.mark.parametrize(
    ("value", "base", "limit", "no_worse"),
    [
        (25.0, 25.0, 30.0, True),
        (24.96, 25.0, 30.0, True),
        (28.0, 25.0, 30.0, True),
        (24.0, 25.0, 30.0, False),
        (25.0, 31.0, 30.0, False),
        (25.0, 30.0, 30.0, False),
        (22.1, 22.0, 20.0, False),
        (22.0, 22.0, 20.0, True),
        (None, 25.0, 30.0, False),
        (25.0, None, 30.0, False),
        (25.0, 25.0, None, False),
    ],
)
def test_only_what_has_not_grown_is_carried(
    value: float | None, base: float | None, limit: float | None, no_worse: bool
) -> None:
    assert is_no_worse(finding(value=value, base=base, limit=limit)) is no_worse
    if limit == 30.0:
        given = judged(value, base)
        assert (apply_carried(given, (CARRIED,), TODAY) == given) is not no_worse


def test_other_checks_and_models_still_block() -> None:
    for other in (changed(CARRIED, check="parity"), changed(CARRIED, model="x")):
        assert apply_carried(judged(25.0, 25.0), (other,), TODAY).exit_code == 1
