import itertools

import pytest

from coreml_gate.diagnose.delta_debugging import DeltaDebugging, OutOfBudgetError, SearchTime

RANKED = [f"op{number}" for number in range(40)]


def search(*needed: set[str], max_runs: int = 300, max_seconds: float = 1e9) -> DeltaDebugging:
    """Passes as soon as one of the needed sets is kept."""
    clock = itertools.count().__next__
    time = SearchTime(max_seconds, lambda: float(clock()))
    return DeltaDebugging(lambda kept: any(item <= kept for item in needed), max_runs, time)


@pytest.mark.parametrize(
    "needed", [set(), {"op0"}, {"op39"}, {"op3", "op17", "op30"}, {"op0", "op1", "op2", "op3"}, set(RANKED)]
)
def test_it_finds_exactly_what_is_needed(needed: set[str]) -> None:
    assert set(search(needed).smallest(RANKED) or ()) == needed


def test_of_two_ways_it_takes_one_that_has_nothing_to_spare() -> None:
    found = set(search({"op5", "op20"}, {"op9"}).smallest(RANKED) or ())
    assert found in ({"op5", "op20"}, {"op9"})


def test_few_runs_suffice_where_the_ranking_is_good() -> None:
    one = search({"op0", "op2"})
    one.smallest(RANKED)
    assert one.runs <= 8


def test_when_not_even_all_operations_help_one_run_tells() -> None:
    one = search({"elsewhere"})
    assert one.smallest(RANKED) is None
    assert one.runs == 1


@pytest.mark.parametrize("budget", [{"max_runs": 5}, {"max_seconds": 8.0}])
def test_a_budget_ends_it_with_the_best_so_far(budget: dict[str, float]) -> None:
    one = search({"op3", "op17"}, **budget)  # type: ignore[arg-type]
    with pytest.raises(OutOfBudgetError):
        one.smallest(RANKED)
    assert one.best is not None
    assert {"op3", "op17"} <= set(one.best)
