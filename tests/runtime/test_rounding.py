"""Does every operation round where its registration says, and nowhere else?

The wide result is that of the same program with every half widened to float32; numpy rounds it to half.
"""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from coreml_gate.runtime.ops import REGISTRY
from coreml_gate.runtime.registry import Rounding
from tests.runtime import rounding_cases as tables
from tests.runtime.conftest import RunOperation
from tests.runtime.rounding_cases import LARGEST, SMALLEST, SMALLEST_NORMAL, Case
from tests.runtime.ulps import ulps


def versions(rounding: Rounding) -> list[tuple[str, int]]:
    return [
        (name, since)
        for name, entries in sorted(REGISTRY.items())
        for since, entry in entries.items()
        if entry.rounding is rounding and name not in tables.ELSEWHERE
    ]


def both(run_operation: RunOperation, name: str, since: int, case: Case) -> list[tuple[Any, Any]]:
    """Each output in half precision and wide."""
    opset = max(since, 15)
    found, wide = (
        run_operation(name, case.values, case.constants, case.outputs, mode, opset)
        for mode in ("fp16", "fp32")
    )
    return list(zip(found, wide, strict=True))


def test_every_operation_that_moves_or_rounds_has_a_case() -> None:
    known = {(name, since) for name, entries in REGISTRY.items() for since in entries}
    for rounding, table in ((Rounding.EXACT, tables.EXACT), (Rounding.ROUND, tables.ROUND)):
        assert all(tables.cases(table, name, since) for name, since in versions(rounding))
        assert {key.partition("@")[0] for key in table} <= {name for name, _ in known}
    steps = {
        name
        for name, entries in REGISTRY.items()
        for entry in entries.values()
        if entry.rounding is Rounding.STEPWISE
    }
    assert steps == {"cond", "while_loop"}, "they run other operations"


@pytest.mark.parametrize(("name", "since"), versions(Rounding.EXACT))
def test_exact_gives_the_wide_result_itself(name: str, since: int, run_operation: RunOperation) -> None:
    for case in tables.cases(tables.EXACT, name, since):
        for found, wide in both(run_operation, name, since, case):
            assert found.size
            np.testing.assert_array_equal(found.astype(wide.dtype), wide)


@pytest.mark.parametrize(("name", "since"), versions(Rounding.ROUND))
def test_round_is_within_one_unit_of_the_wide_result(
    name: str, since: int, run_operation: RunOperation
) -> None:
    overflown = subnormal = False
    for case in tables.cases(tables.ROUND, name, since):
        for found, wide in both(run_operation, name, since, case):
            assert found.size
            if found.dtype != np.float16:
                np.testing.assert_array_equal(found, wide)
                continue
            _check_rounding(found, wide)
            finite = np.abs(wide[np.isfinite(wide)])
            overflown |= bool((finite >= LARGEST + 16).any())
            subnormal |= bool(((finite > SMALLEST) & (finite < SMALLEST_NORMAL)).any())
    assert overflown != (name in tables.BOUNDED)
    assert subnormal != (name in tables.NEVER_SUBNORMAL)


def _check_rounding(found: NDArray[np.float16], wide: NDArray[np.float32]) -> None:
    with np.errstate(over="ignore"):
        wanted = wide.astype(np.float16)
    assert ulps(found, wanted).max() <= 1
    np.testing.assert_array_equal(np.isinf(found), np.isinf(wanted), "overflow becomes infinite")
    assert not ((found == 0) & (np.abs(wide) > SMALLEST)).any(), "subnormals stay"
