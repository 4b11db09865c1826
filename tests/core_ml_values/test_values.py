"""Core ML's own values, as people published them, against the runtime's."""

from collections import Counter

import pytest

from conformance import truths
from tests.core_ml_values import CASES
from tests.core_ml_values.published import Published


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_runtime_gives_the_published_value_unless_it_says_why_not(case: Published) -> None:
    assert case.agrees() is not bool(case.differs)


def test_every_case_has_a_name_of_its_own_and_a_source() -> None:
    names = Counter(case.id for case in CASES)
    assert [name for name, count in names.items() if count > 1] == []
    assert all(case.source and case.system for case in CASES)


def test_what_differs_is_counted() -> None:
    """Raise the first number as values are found; lower the second as the runtime learns."""
    counts = Counter((case.unit, bool(case.differs)) for case in CASES)
    assert Counter(case.evidence for case in CASES) == {"printed": 114, "test": 127}
    assert {unit: count for (unit, differs), count in counts.items() if differs} == {
        "any": 2,
        "GPU": 5,
        "Neural Engine": 14,
    }


def test_the_page_is_what_its_generator_writes() -> None:
    assert truths.PAGE.read_text() == truths.page(), "run `python conformance/truths.py`"
