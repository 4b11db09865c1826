"""Runs several models in parallel, as many as fit, each in a thread that starts a child and waits for it."""

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from coreml_gate.interruption import Interrupted

Result = TypeVar("Result")
StopCheck = Callable[[], None]
"""Raises :class:`Interrupted` once the task has to stop."""


@dataclass(frozen=True)
class Work(Generic[Result]):
    """A task and what it needs."""

    run: Callable[[StopCheck], Result]
    """Must call the given check several times a second."""
    memory_bytes: float
    alone: bool = False
    """Whether nothing else may run at the same time."""


@dataclass(frozen=True)
class Room:
    """How many tasks may run at once, and how much memory they may use together."""

    most: int
    memory_bytes: float

    def holds(self, running: Collection[Work[Any]], task: Work[Any]) -> bool:
        """Whether a task may start beside the running ones; it always may if there are none."""
        if not running:
            return True
        if len(running) >= self.most or task.alone or any(each.alone for each in running):
            return False
        return sum(each.memory_bytes for each in (*running, task)) <= self.memory_bytes


ROOM_FOR_ONE: Final = Room(1, 0)


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """The results of all tasks, none of which is still running."""

    results: tuple[Result | BaseException | None, ...]
    """What each task returned or raised, in order; ``None`` if it was not started."""
    error: BaseException | None
    """What stopped all of them early: the error of one task, or an interrupt of the gate."""


def run_at_once(tasks: Sequence[Work[Result]], room: Room) -> Outcome[Result]:
    """Start the tasks in order, each as soon as it fits, and wait for all of them.

    If one raises or the gate is interrupted, no further task is started and the running ones are stopped.
    """
    started: list[Future[Result]] = []
    running: dict[Future[Result], Work[Result]] = {}
    stop, error = _Stop(), None
    with ThreadPoolExecutor(max(1, len(tasks))) as pool:
        try:
            for task in tasks:
                while not room.holds(running.values(), task):
                    _wait_for_one(running)
                started.append(pool.submit(task.run, stop.check))
                running[started[-1]] = task
            while running:
                _wait_for_one(running)
        except BaseException as raised:  # noqa: BLE001 - passed on when the threads have ended
            error = raised
            stop.now(raised)
    ended = (each.exception() or each.result() for each in started)
    return Outcome((*ended, *[None] * (len(tasks) - len(started))), error)


def _wait_for_one(running: dict[Future[Result], Work[Result]]) -> None:
    """Wait until at least one has ended; raises what it raised."""
    for ended in wait(running, return_when=FIRST_COMPLETED).done:
        del running[ended]
        ended.result()


class _Stop:
    """Passes an interrupt on to the threads, since only the main thread receives signals."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._raised = Interrupted()

    def now(self, error: BaseException) -> None:
        """Stop the other tasks."""
        if isinstance(error, KeyboardInterrupt):
            self._raised = Interrupted.of(error)
        self._over.set()

    def check(self) -> None:
        """Raise if the task has to stop."""
        if self._over.is_set():
            raise Interrupted(self._raised.exit_code)
