"""Public reports, rebuilt: each is right for the right reason, or sound and left alone (docs/reports.md)."""

from pathlib import Path

import pytest

from tests.reports.case import KINDS, Case, complaints, verdict_on
from tests.reports.table import CASES


def _marked(case: Case) -> object:
    marks = [] if case.quick else [pytest.mark.slow]
    if case.not_right:
        marks.append(pytest.mark.xfail(reason=case.not_right, strict=True))
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", [_marked(case) for case in CASES])
def test_a_report_is_right_for_the_right_reason(case: Case, tmp_path: Path) -> None:
    assert complaints(case, verdict_on(case, tmp_path)) == ()


def test_each_case_has_a_name_of_its_own_and_a_known_kind() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert {case.kind for case in CASES} <= set(KINDS)
