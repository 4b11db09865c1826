"""All cases, by kind."""

from typing import Final

from tests.reports import further, interface, numbers, refused
from tests.reports.case import KINDS, Case

CASES: Final[tuple[Case, ...]] = tuple(
    sorted(
        (*interface.CASES, *numbers.CASES, *refused.CASES, *further.CASES),
        key=lambda case: list(KINDS).index(case.kind),
    )
)
