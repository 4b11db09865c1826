"""What does the base against itself say of a machine?"""

import math

import pytest

from coreml_gate.timing.self_test import judge_self_test


def test_the_smallest_change_is_what_the_noise_of_the_pairs_would_hide() -> None:
    tight = judge_self_test([[-0.001, 0.001] * 10] * 3)
    assert tight.is_sound
    assert tight.smallest_change == pytest.approx(math.expm1(0.001))
    assert judge_self_test([[-0.1, 0.1] * 10] * 3).smallest_change == pytest.approx(math.expm1(0.1))


def test_a_machine_on_which_the_base_is_not_equal_to_itself_is_not_sound() -> None:
    biased = judge_self_test([[0.02, 0.03] * 10] * 3)
    assert not biased.is_sound
    assert biased.smallest_change == pytest.approx(math.expm1(0.03))


def test_too_few_pairs_see_no_change_at_all() -> None:
    blind = judge_self_test([[0.0] * 5])
    assert blind.is_sound
    assert blind.smallest_change == math.inf
