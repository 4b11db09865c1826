from dataclasses import replace

import pytest

from coreml_gate.devices import devices, least_seconds

M4 = devices()["iPad Pro 11-inch M4"].chip
GIGA = 10**9


@pytest.mark.parametrize(
    ("macs", "weights", "seconds"),
    [
        (19 * GIGA, 0, 1e-3),  # 38 TOPS, two operations each
        (1, 240 * 10**6, 2e-3),  # 120 GB/s
        (38 * GIGA, 240 * 10**6, 2e-3),
        (19 * GIGA, None, 1e-3),
    ],
)
def test_the_longer_of_products_and_one_reading_of_the_weights(
    macs: int, weights: int | None, seconds: float
) -> None:
    assert least_seconds(M4, macs, weights) == pytest.approx(seconds)


def test_a_chip_without_published_figures() -> None:
    assert least_seconds(replace(M4, bandwidth_gb_s=None), 19 * GIGA, 10**12) == pytest.approx(1e-3)
    assert least_seconds(replace(M4, tops=None), GIGA, 1) is None
