"""Status and exit code are computed from the findings, so no document can contradict itself."""

import pytest
from pydantic import ValidationError

from coreml_gate.verdict import ModelVerdict, Status, Verdict, not_run, with_findings
from tests.builders import finding, model_verdict, verdict


@pytest.mark.parametrize(
    ("statuses", "strict", "status", "code"),
    [
        ([], False, Status.SKIPPED, 0),
        ([Status.PASS, Status.UNSURE], False, Status.UNSURE, 0),
        ([Status.UNSURE, Status.WARN], False, Status.WARN, 0),
        ([Status.PASS, Status.UNSURE], True, Status.FAIL, 1),
        ([Status.SKIPPED, Status.PASS], True, Status.PASS, 0),
        ([Status.WARN, Status.FAIL], False, Status.FAIL, 1),
    ],
)
def test_the_gravest_finding_decides_on_a_model(
    statuses: list[Status], strict: bool, status: Status, code: int
) -> None:
    findings = tuple(finding(status=each) for each in statuses)
    judged = ModelVerdict(name="digits", findings=findings, fail_on_unsure=strict)
    assert (judged.verdict, judged.exit_code) == (status, code)


@pytest.mark.parametrize("status", [Status.PASS, Status.WARN, Status.FAIL])
def test_no_finding_takes_a_problem_back(status: Status) -> None:
    broken = model_verdict(finding(status=status), problem_exit_code=5)
    assert (broken.verdict, broken.exit_code) == (Status.FAIL, 5)
    assert (verdict(broken).verdict, verdict(broken).exit_code) == (Status.FAIL, 5)


@pytest.mark.parametrize("stated", [{"verdict": "pass"}, {"exit_code": 0}, {"exit_code": 5}])
def test_a_document_that_contradicts_its_findings_is_refused(stated: dict[str, object]) -> None:
    document = model_verdict(finding(status=Status.FAIL)).model_dump()
    assert ModelVerdict.model_validate(document).exit_code == 1
    ((name, value),) = stated.items()
    with pytest.raises(ValidationError, match=f"`{name}` is `{value}`, but its findings make it `"):
        ModelVerdict.model_validate(document | stated)


def test_a_status_cannot_be_given_beside_the_findings() -> None:
    with pytest.raises(ValidationError, match="`verdict` is `pass`, but its findings make it `fail`"):
        model_verdict(finding(status=Status.FAIL), verdict=Status.PASS)


def test_a_problem_of_one_model_wins_over_a_failure_of_another() -> None:
    failed, broken = model_verdict(finding(status=Status.FAIL)), model_verdict(problem_exit_code=8)
    assert verdict(failed, broken).exit_code == 8
    assert verdict(failed, model_verdict()).exit_code == 1


def test_a_run_that_ended_early_has_its_own_exit_code_whatever_its_models_say() -> None:
    interrupted = verdict(model_verdict(problem_exit_code=5), problem_exit_code=130)
    assert (interrupted.verdict, interrupted.exit_code) == (Status.FAIL, 130)
    noted = with_findings(interrupted, (finding(status=Status.WARN),))
    assert noted.exit_code == 130
    assert not_run("no such file.", "name another.", 3).exit_code == 3


def test_findings_on_the_run_count_like_those_on_models() -> None:
    warned = with_findings(verdict(), (finding(status=Status.WARN),))
    assert (warned.verdict, warned.exit_code) == (Status.WARN, 0)
    failed = with_findings(warned, (finding(status=Status.FAIL),))
    assert (failed.verdict, failed.exit_code, len(failed.findings)) == (Status.FAIL, 1, 2)
    broken = with_findings(verdict(model_verdict(problem_exit_code=5)), (finding(status=Status.FAIL),))
    assert broken.exit_code == 5


def test_a_strict_run_is_one_with_strict_models() -> None:
    assert not verdict().fail_on_unsure
    strict = verdict(model_verdict(fail_on_unsure=True))
    assert strict.fail_on_unsure
    assert Verdict.model_validate(strict.model_dump()) == strict
