"""The run says which keys of the configuration changed; GitHub knows of the whole pull request."""

from typing import Any

import pytest

from coreml_gate.errors import GitHubError
from coreml_gate.github.judging import known_to_github
from coreml_gate.verdict import Finding, Verdict
from tests.builders import finding, verdict

OTHER = finding(check="baseline")
OF_RUN = finding(check="policy", message="by the run")
OF_GITHUB = finding(check="policy", message="by GitHub")
UNUSED: Any = None


def judged(monkeypatch: pytest.MonkeyPatch, known: Any, notices: list[str]) -> tuple[Finding, ...]:
    def unchanged(_: object, of_run: Verdict, *__: object) -> Verdict:
        return of_run

    monkeypatch.setattr(known_to_github, "_config_changes", known)
    monkeypatch.setattr(known_to_github, "with_overrides", unchanged)
    of_run = verdict(findings=(OTHER, OF_RUN))
    return known_to_github.with_config_and_overrides(
        UNUSED, of_run, UNUSED, UNUSED, notices, "head", "limits"
    ).findings


def test_what_github_knows_takes_the_place_of_what_the_run_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(monkeypatch, lambda *_: (OF_GITHUB,), []) == (OTHER, OF_GITHUB)


def test_without_an_answer_of_github_what_the_run_said_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> tuple[Finding, ...]:
        raise GitHubError("403", "give `contents: read`.")

    notices: list[str] = []
    assert judged(monkeypatch, refused, notices) == (OTHER, OF_RUN)
    assert len(notices) == 1
