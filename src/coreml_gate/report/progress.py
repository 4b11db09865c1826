"""Progress on the screen: a live line per model on a terminal, plain lines in a CI log."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from coreml_gate.criteria.sentences import time_by_step
from coreml_gate.foreign.log import RunnerCommand, one_line
from coreml_gate.record import ModelRecord

DETAIL_EVERY_S: Final = 10.0
"""Seconds between two lines about one step's progress in a log."""


class LiveProgress:
    """A live line for each model being measured, and one permanent line per finished model."""

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        self._live = Progress(*columns, console=console, transient=True)

    def begin_model(self, name: str, tree: str, *, alone: bool) -> "LiveModel":  # noqa: ARG002 - a line each
        """Show the model until it is done."""
        title = f"{name} ({tree})"
        task = self._live.add_task(one_line(title), total=None)
        self._live.start()
        return LiveModel(self._live, task, title)


@dataclass
class LiveModel:
    """The live line of one model: its step, with a clock of its own, and how far that is."""

    live: Progress
    task: TaskID
    title: str
    _step: str = field(default="", init=False)

    def begin_step(self, step: str) -> None:
        """Show the step after the model's name."""
        self._step = step
        self.live.reset(self.task, description=one_line(f"{self.title}: {step}"), total=None)

    def advance(self, detail: str) -> None:
        """Show how far the step is; its clock continues."""
        shown = f"{self.title}: {self._step}" + (f", {detail}" if detail else "")
        self.live.update(self.task, description=one_line(shown), refresh=True)

    def end(self, model: ModelRecord, seconds: float) -> None:
        """Leave one line with the outcome."""
        self.live.remove_task(self.task)
        if not self.live.task_ids:
            self.live.stop()
        line = f"{self.title}: {outcome(model)} ({duration(model, seconds)})"
        self.live.console.print(line)


@dataclass(frozen=True)
class LogProgress:
    """Lines for a log to be read later; GitHub folds a group into its first line."""

    write: Callable[[str | RunnerCommand], None]
    groups: bool
    """Whether the log understands GitHub's ``::group::``."""
    clock: Callable[[], float] = time.monotonic

    def begin_model(self, name: str, tree: str, *, alone: bool) -> "LogModel":
        """Begin a group for a model that is measured alone; otherwise each line names its model."""
        title = f"{name} ({tree})"
        if not alone:
            return LogModel(self.write, title, f"{title}: ", self.clock)
        shown = one_line(title)
        self.write(RunnerCommand(f"::group::{shown}") if self.groups else f"{shown}:")
        return LogModel(self.write, title, "  ", self.clock, is_group=self.groups)


@dataclass
class LogModel:
    """The lines of one model."""

    write: Callable[[str | RunnerCommand], None]
    title: str
    prefix: str
    clock: Callable[[], float]
    is_group: bool = False
    _step: str = field(default="", init=False)
    _written: float = field(default=0.0, init=False)

    def begin_step(self, step: str) -> None:
        """Write one line per step."""
        self._step, self._written = step, self.clock()
        self.write(f"{self.prefix}{step}")

    def advance(self, detail: str) -> None:
        """Write how far the step is, at intervals."""
        if detail and self.clock() - self._written >= DETAIL_EVERY_S:
            self._written = self.clock()
            self.write(f"{self.prefix}{self._step}: {detail}")

    def end(self, model: ModelRecord, seconds: float) -> None:
        """Close the group, and write the outcome after it."""
        if self.is_group:
            self.write(RunnerCommand("::endgroup::"))
        self.write(f"{self.title}: {outcome(model)} ({duration(model, seconds)})")


def duration(model: ModelRecord, seconds: float) -> str:
    """``34.2 s: source 5.1 s, convert 12.4 s``: the total, and the steps of a second or more."""
    steps = time_by_step(model.phases)
    return f"{seconds:.1f} s: {steps}" if steps else f"{seconds:.1f} s"


def outcome(model: ModelRecord) -> str:
    """The outcome of measuring, before any judgement."""
    if model.problem is not None:
        return model.problem.kind.replace("-", " ")
    if model.conversion is not None and model.conversion.status not in {"converted", "not-needed"}:
        return f"conversion {model.conversion.status.replace('-', ' ')}"
    if model.unsupported:
        return "measured in part: operations unknown to the MIL runtime"
    return "measured"
