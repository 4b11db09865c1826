import pytest

from zoo.page import Conditions, page
from zoo.row import Row


def test_the_page_says_under_which_conditions_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.page.version", lambda name: f"of-{name}")
    text = page([Row(model="net")], Conditions(rounds=3, threads=1, cpu_time=True, loads=(0.5, 9.1)))
    assert "1 thread(s)" in text
    assert "torch of-torch" in text
    assert "Median of 3 rounds, CPU time" in text
    assert "load average 0.5 before the first model and 9.1 after" in text
    assert "| net |" in text
