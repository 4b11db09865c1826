"""Models at once: never more than fit, results in their order, and nothing runs on when it is over."""

import threading
import time
from functools import partial

import pytest

from coreml_gate.gate.at_once import Room, StopCheck, Work, run_at_once
from coreml_gate.interruption import Interrupted


def task(memory_bytes: float = 1, *, alone: bool = False) -> Work[None]:
    return Work(lambda _: None, memory_bytes, alone)


@pytest.mark.parametrize(
    ("running", "next_", "fits"),
    [
        ([], task(99), True),
        ([], task(99, alone=True), True),
        ([task(4)], task(6), True),
        ([task(4)], task(7), False),
        ([task(1), task(1)], task(1), False),
        ([task(1)], task(1, alone=True), False),
        ([task(1, alone=True)], task(1), False),
    ],
)
def test_a_task_starts_where_it_fits_and_alone_it_always_does(
    running: list[Work[None]], next_: Work[None], *, fits: bool
) -> None:
    assert Room(most=2, memory_bytes=10).holds(running, next_) is fits


class Together:
    """Tasks that count how many of them run, and how much they hold together; they wait for that many."""

    def __init__(self, expected: int) -> None:
        self._lock = threading.Lock()
        self._met = threading.Barrier(expected, timeout=300)
        self._running: list[float] = []
        self.most, self.most_bytes = 0, 0.0

    def run(self, number: int, memory_bytes: float, _: StopCheck) -> int:
        with self._lock:
            self._running.append(memory_bytes)
            self.most = max(self.most, len(self._running))
            self.most_bytes = max(self.most_bytes, sum(self._running))
        self._met.wait()
        time.sleep(0.02 * (5 - number % 5))
        with self._lock:
            self._running.remove(memory_bytes)
        return number

    def tasks(self, *sizes: float) -> list[Work[int]]:
        return [Work(partial(self.run, number, size), size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("most", "memory_bytes", "expected"), [(3, 100, (3, 3)), (9, 2, (2, 2)), (1, 100, (1, 1)), (9, 0, (1, 1))]
)
def test_as_many_as_fit_run_at_once_and_results_come_in_their_order(
    most: int, memory_bytes: float, expected: tuple[int, float]
) -> None:
    together = Together(expected[0])
    outcome = run_at_once(together.tasks(*[1] * 12), Room(most, memory_bytes))
    assert (outcome.results, outcome.error) == (tuple(range(12)), None)
    assert (together.most, together.most_bytes) == expected


def test_an_interrupt_of_one_stops_those_that_run_and_starts_no_other() -> None:
    begun = threading.Event()
    stopped: list[int] = []

    def interrupted(_: StopCheck) -> str:
        assert begun.wait(300)
        raise Interrupted(143)

    def until_stopped(check: StopCheck) -> str:
        begun.set()
        try:
            while True:
                check()
                time.sleep(0.01)
        except Interrupted as error:
            stopped.append(error.exit_code)
            raise

    tasks = [Work(run, 1) for run in (until_stopped, interrupted, until_stopped)]
    outcome = run_at_once(tasks, Room(2, 2))
    first, second, third = outcome.results
    assert isinstance(first, Interrupted)
    assert isinstance(second, Interrupted)
    assert (third, stopped) == (None, [143])
    assert outcome.error is second


def test_an_error_of_one_is_handed_on_when_the_others_have_ended() -> None:
    wrong = OSError("disk full")
    ended = threading.Event()

    def fails(_: StopCheck) -> None:
        raise wrong

    def until_stopped(check: StopCheck) -> None:
        try:
            while True:
                check()
                time.sleep(0.01)
        finally:
            ended.set()

    before = threading.enumerate()
    outcome = run_at_once([Work(until_stopped, 1), Work(fails, 1)], Room(2, 2))
    assert outcome.error is wrong
    assert ended.is_set()
    assert {*threading.enumerate()} <= {*before}
