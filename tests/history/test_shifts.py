"""Steps, creep and releases, in figures whose changes are known; and silence where there is only noise."""

import random
from collections.abc import Sequence

import pytest

from coreml_gate.history import Point, Series
from coreml_gate.history.shifts import change_points, shifts


def series(values: Sequence[float], metric: str = "size", release: int | None = None) -> Series:
    points = (
        Point(f"{at:040x}", f"2025-01-01T00:00:{at:02}+00:00", value, "v1" if at == release else "")
        for at, value in enumerate(values)
    )
    return Series("digits", metric, tuple(points))


def kinds(found: Series) -> list[str]:
    return [shift.kind for shift in shifts(found)]


def test_a_step_is_found_at_its_commit_with_both_levels() -> None:
    (step,) = shifts(series([4e6] * 10 + [4.4e6] * 5))
    assert (step.kind, step.before, step.after) == ("step", 4e6, 4.4e6)
    assert (step.since.commit, step.first.commit) == (f"{9:040x}", f"{10:040x}")


def test_one_commit_alone_may_be_an_outlier() -> None:
    assert shifts(series([4e6] * 10 + [4.4e6] + [4e6] * 5)) == ()


def test_what_got_better_is_not_reported() -> None:
    assert shifts(series([4e6] * 10 + [3e6] * 5)) == ()
    assert kinds(series([60.0] * 6 + [50.0] * 6, "fp16-psnr")) == ["step"]
    assert shifts(series([50.0] * 6 + [60.0] * 6, "fp16-psnr")) == ()


def test_the_users_own_metric_counts_in_both_directions() -> None:
    for before, after in ((0.98, 0.93), (0.93, 0.98)):
        assert kinds(series([before] * 8 + [after] * 8, "evaluate.accuracy")) == ["step"]


def test_many_small_steps_creep() -> None:
    values = [4e6 * 1.01 ** (at // 5) for at in range(40)]
    (creep,) = shifts(series(values))
    assert creep.kind == "creep"
    assert creep.before == pytest.approx(4e6)
    assert creep.after == pytest.approx(4e6 * 1.01**7)


def test_a_ramp_creeps_though_no_commit_stands_out() -> None:
    assert "creep" in kinds(series([4e6 * (1 + 0.002 * at) for at in range(40)]))


def test_since_the_release_counts_on_its_own() -> None:
    values = [4e6] * 4 + [4.05e6] * 4 + [4.1e6] * 4
    assert kinds(series(values)) == ["creep"]
    assert kinds(series(values, release=1)) == ["creep", "since release"]
    assert kinds(series(values, release=10)) == ["creep"]


def test_noise_is_seldom_taken_for_a_change() -> None:
    dice = random.Random(7)
    found = [len(change_points([dice.gauss(50.0, 1.5) for _ in range(60)])) > 0 for _ in range(100)]
    assert sum(found) <= 5


def test_a_step_of_three_deviations_is_found_in_noise_within_a_commit_or_two() -> None:
    dice = random.Random(7)
    for _ in range(20):
        values = [dice.gauss(50.0 if at < 30 else 43.0, 1.5) for at in range(60)]
        (point,) = change_points(values)
        assert abs(point - 30) <= 2


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 3.0], [0.0] * 20])
def test_too_few_figures_and_figures_that_are_zero_tell_nothing(values: list[float]) -> None:
    assert change_points(values) == ()
