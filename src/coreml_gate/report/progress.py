"""What people see while the gate works: a live line on a terminal, grouped lines in a CI log."""

from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from coreml_gate.criteria.sentences import time_by_step
from coreml_gate.foreign.log import RunnerCommand, one_line
from coreml_gate.record import ModelRecord


@dataclass
class LiveProgress:
    """One moving line on a terminal, with what runs and for how long; one line stays per finished model."""

    console: Console
    _live: Progress | None = field(default=None, init=False)
    _title: str = field(default="", init=False)

    def begin_model(self, name: str, tree: str) -> None:
        """Show which model is measured now."""
        self._title = f"{name} ({tree})"
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        self._live = Progress(*columns, console=self.console, transient=True)
        self._live.add_task(one_line(self._title), total=None)
        self._live.start()

    def begin_step(self, step: str) -> None:
        """Show the step behind the model's name, with its own clock."""
        if self._live is not None:
            (task,) = self._live.task_ids
            self._live.reset(task, description=one_line(f"{self._title}: {step}"), total=None)

    def end_model(self, model: ModelRecord, seconds: float) -> None:
        """Leave one line with what came of it."""
        if self._live is not None:
            self._live.stop()
        line = f"{self._title}: {outcome(model)} ({duration(model, seconds)})"
        self.console.print(line, markup=False, highlight=False)


@dataclass
class LogProgress:
    """Lines for a log that is read afterwards; GitHub folds a group into its first line."""

    write: Callable[[str | RunnerCommand], None]
    groups: bool
    """Whether the log understands GitHub's ``::group::``."""
    _title: str = field(default="", init=False)

    def begin_model(self, name: str, tree: str) -> None:
        """Open the model's group."""
        self._title = f"{name} ({tree})"
        title = one_line(self._title)
        self.write(RunnerCommand(f"::group::{title}") if self.groups else f"{title}:")

    def begin_step(self, step: str) -> None:
        """Write one line per step."""
        self.write(f"  {step}")

    def end_model(self, model: ModelRecord, seconds: float) -> None:
        """Close the group, and say outside of it what came of the model."""
        if self.groups:
            self.write(RunnerCommand("::endgroup::"))
        self.write(f"{self._title}: {outcome(model)} ({duration(model, seconds)})")


def duration(model: ModelRecord, seconds: float) -> str:
    """``34.2 s: source 5.1 s, convert 12.4 s``: the whole, and the steps that took a second or more."""
    steps = time_by_step(model.phases)
    return f"{seconds:.1f} s: {steps}" if steps else f"{seconds:.1f} s"


def outcome(model: ModelRecord) -> str:
    """What came of measuring, in a few words; the judgement comes later."""
    if model.problem is not None:
        return model.problem.kind.replace("-", " ")
    if model.conversion is not None and model.conversion.status not in {"converted", "not-needed"}:
        return f"conversion {model.conversion.status.replace('-', ' ')}"
    if model.unsupported:
        return "measured in part: operations unknown to the MIL runtime"
    return "measured"
