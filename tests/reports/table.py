"""All cases, by kind."""

from typing import Final

from tests.reports import (
    further,
    held_out_again,
    held_out_eighth,
    held_out_eighth_code,
    held_out_eleventh,
    held_out_fifth,
    held_out_fourth,
    held_out_fourth_architectures,
    held_out_fourth_refused,
    held_out_fourth_sound,
    held_out_interface,
    held_out_ninth,
    held_out_numbers,
    held_out_refused,
    held_out_seventh,
    held_out_sixth,
    held_out_sixth_converted,
    held_out_tenth,
    held_out_third,
    held_out_third_refused,
    interface,
    numbers,
    refused,
)
from tests.reports.case import KINDS, Case

MODULES: Final = (
    interface,
    numbers,
    refused,
    further,
    held_out_interface,
    held_out_numbers,
    held_out_refused,
    held_out_again,
    held_out_third,
    held_out_third_refused,
    held_out_fourth,
    held_out_fourth_architectures,
    held_out_fourth_refused,
    held_out_fourth_sound,
    held_out_fifth,
    held_out_sixth,
    held_out_sixth_converted,
    held_out_seventh,
    held_out_eighth,
    held_out_eighth_code,
    held_out_ninth,
    held_out_tenth,
    held_out_eleventh,
)
CASES: Final[tuple[Case, ...]] = tuple(
    sorted(
        (case for module in MODULES for case in module.CASES),
        key=lambda case: list(KINDS).index(case.kind),
    )
)
