import pytest
from pydantic import ValidationError

from coreml_gate.verdict import Status, exit_code_of, status_of, with_findings
from tests.builders import finding, model_verdict, verdict


@pytest.mark.parametrize(
    ("statuses", "strict", "status"),
    [
        ([], False, Status.SKIPPED),
        ([Status.PASS, Status.UNSURE], False, Status.UNSURE),
        ([Status.UNSURE, Status.WARN], False, Status.WARN),
        ([Status.PASS, Status.UNSURE], True, Status.FAIL),
        ([Status.SKIPPED, Status.PASS], True, Status.PASS),
        ([Status.WARN, Status.FAIL], False, Status.FAIL),
    ],
)
def test_the_status_that_stands_for_all(statuses: list[Status], strict: bool, status: Status) -> None:
    assert status_of([finding(status=each) for each in statuses], strict=strict) is status


@pytest.mark.parametrize(
    ("status", "problem", "code"),
    [
        (Status.FAIL, 0, 1),
        (Status.UNSURE, 0, 0),
        (Status.FAIL, 5, 5),
        (Status.WARN, 5, 5),
        (Status.PASS, 1, 0),
    ],
)
def test_no_status_takes_a_problem_back(status: Status, problem: int, code: int) -> None:
    assert exit_code_of(status, problem) == code


@pytest.mark.parametrize(("status", "code"), [(Status.FAIL, 0), (Status.PASS, 1), (Status.UNSURE, 5)])
def test_a_document_that_contradicts_itself_is_refused(status: Status, code: int) -> None:
    with pytest.raises(
        ValidationError, match=f"verdict `{status}` and exit code {code} contradict each other"
    ):
        type(model_verdict()).model_validate(
            model_verdict().model_dump() | {"verdict": status, "exit_code": code}
        )


def test_findings_on_the_run_count_like_those_on_models() -> None:
    warned = with_findings(verdict(), (finding(status=Status.WARN),))
    assert (warned.verdict, warned.exit_code) == (Status.WARN, 0)
    failed = with_findings(warned, (finding(status=Status.FAIL),))
    assert (failed.verdict, failed.exit_code, len(failed.findings)) == (Status.FAIL, 1, 2)
    broken = with_findings(verdict(model_verdict(exit_code=5)), (finding(status=Status.FAIL),))
    assert broken.exit_code == 5
