"""The counter of live tensors, on tensors whose bytes are known."""

import numpy as np
import torch

from memory.bench import Row, table
from memory.live import LiveTensors, allocated_bytes, live_tensors


def test_what_is_held_and_what_is_made_in_between_are_told_apart() -> None:
    given = torch.from_numpy(np.zeros(1000, np.float32))

    def run(look: object) -> None:
        doubled = given * 2  # 4,000 bytes that stay
        assert callable(look)
        look()
        del doubled
        wide = (given.to(torch.float64) + 1).to(torch.float16)  # 8,000 and 8,000 that do not, and 2,000
        look()
        del wide

    counter: LiveTensors = live_tensors(run)
    assert counter.held == 4000
    assert counter.peak == 16_000


def test_a_view_is_no_memory() -> None:
    counter = live_tensors(lambda look: torch.zeros(100).reshape(10, 10).transpose(0, 1))
    assert counter.peak == 400


def test_the_allocator_sees_at_least_what_is_held() -> None:
    assert allocated_bytes(lambda: torch.zeros(1000) + 1) >= 8000


def test_the_table_counts_what_is_within_ten_percent() -> None:
    rows = [Row("good", 109, 100, 120, 150), Row("bad", 89, 100, 120, 150)]
    assert "1 of 2 within 10%." in table(rows)
    assert "| bad | 0.00 | 0.00 | 0.89 |" in table(rows)
