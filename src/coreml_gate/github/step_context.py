"""The context of a step: the event, the client, the log, and outputs for later steps."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coreml_gate.foreign.log import RunnerCommand
from coreml_gate.github.api.client import Client
from coreml_gate.github.api.event import Event, read_event
from coreml_gate.github.effects import Effects
from coreml_gate.github.publishing.annotations import notice, stop_commands
from coreml_gate.github.publishing.outputs import write_outputs
from coreml_gate.github.requests import EventRequest, StartRequest
from coreml_gate.report import ReportOptions
from coreml_gate.surroundings import Surroundings


@dataclass(frozen=True)
class StepContext:
    """Everything that a step under an event works with."""

    around: Surroundings
    effects: Effects
    event: Event
    client: Client

    def say(self, text: str) -> None:
        """Print text to the log."""
        self.around.out.print(text)

    def command(self, line: str) -> None:
        """Print a line for the runner to read as a command."""
        self.around.out.print(RunnerCommand(line))

    def say_foreign(self, text: str) -> None:
        """Print foreign text while the runner's commands are switched off."""
        stop, go_on = stop_commands(self.effects.new_token())
        self.command(stop)
        self.say(text.rstrip())
        self.command(go_on)

    def warn(self, notices: Iterable[str]) -> None:
        """Show each notice on the page of the run."""
        for each in notices:
            self.command(notice(each, "warning"))

    def output(self, outputs: Mapping[str, str]) -> None:
        """Set outputs for later steps."""
        write_outputs(self.file("GITHUB_OUTPUT"), outputs, self.effects.new_token)

    def file(self, variable: str) -> Path | None:
        """The file that the runner names in a variable, or ``None``."""
        name = self.around.environment.get(variable, "")
        return Path(name) if name else None


@contextmanager
def at_work(request: EventRequest, around: Surroundings, effects: Effects) -> Iterator[StepContext]:
    """The context of a step; its client is closed at the end."""
    ReportOptions(key=request.key)  # refuses a key that names no artifact before anything is sent
    branches = request.base_branches if isinstance(request, StartRequest) else ()
    event = read_event(around.environment, branches, request.mode)
    client = effects.connect(around.environment, event.repository)
    try:
        yield StepContext(around, effects, event, client)
    finally:
        client.close()
