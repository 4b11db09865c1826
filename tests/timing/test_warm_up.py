"""Is warm-up found where it ends, and nothing else taken for it?"""

import numpy as np
import pytest

from coreml_gate.timing.rounds import settled_from


def noise(count: int, seed: int = 5) -> np.ndarray:
    return 1 + 0.02 * np.abs(np.random.default_rng(seed).standard_t(2, count))


@pytest.mark.parametrize("length", [8, 15, 22])
def test_the_fall_is_found_and_rather_too_much_is_left_out_than_too_little(length: int) -> None:
    times = noise(60)
    times[:length] += 0.5
    assert length <= settled_from(list(times)) <= length + 10


def test_two_falls_are_both_left_behind() -> None:
    times = noise(90)
    times[:15] += 4
    times[15:35] += 0.5
    assert 35 <= settled_from(list(times)) <= 45


def test_a_rise_is_no_warm_up() -> None:
    times = noise(60)
    times[30:] += 0.5
    assert settled_from(list(times)) == 0


def test_steady_times_are_steady_in_99_of_100_streams() -> None:
    found = [settled_from(list(noise(60, seed))) for seed in range(300)]
    assert sum(start > 0 for start in found) <= 3 + 3 * 1.7  # 1 %, and three standard errors


def test_one_slow_call_and_equal_times_are_no_level() -> None:
    assert settled_from([9.0] + [1.0] * 59) == 0
    assert settled_from([1.0] * 40) == 0
    assert settled_from([]) == 0
