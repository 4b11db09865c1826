"""Does Holm's correction give the textbook's numbers?"""

import pytest

from coreml_gate.timing.interval import holm


def test_the_smallest_pays_for_all_and_the_order_is_kept() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_one_alone_pays_nothing_and_nothing_exceeds_one() -> None:
    assert holm([0.04]) == (0.04,)
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([]) == ()
