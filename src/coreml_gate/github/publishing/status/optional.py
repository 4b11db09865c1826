"""The check of a step; without the permission, as under a fork's token, a notice takes its place."""

from collections.abc import Callable
from dataclasses import dataclass, field

from coreml_gate.errors import TokenError
from coreml_gate.github.api.event import CHECKED
from coreml_gate.github.publishing.status.check_run import CheckRun
from coreml_gate.github.publishing.status.commit_status import CommitStatus
from coreml_gate.github.publishing.status.outcome import CheckOutcome, CommitCheck
from coreml_gate.github.requests import ReportRequest, StartRequest
from coreml_gate.github.step_context import StepContext


@dataclass
class OptionalCheck:
    """A check that becomes a notice if it cannot be set."""

    check: CommitCheck | None
    notices: list[str] = field(default_factory=list)

    def begin(self) -> str:
        """Begin the check, or note why that is impossible."""
        return self._try(lambda check: check.begin())

    def conclude(self, outcome: CheckOutcome) -> str:
        """Conclude the check, or note why that is impossible."""
        return self._try(lambda check: check.conclude(outcome))

    def _try(self, act: Callable[[CommitCheck], str]) -> str:
        if self.check is None:
            return ""
        try:
            return act(self.check)
        except TokenError as error:
            self.notices.append(str(error))
            return ""


def check_of(context: StepContext, request: StartRequest | ReportRequest) -> OptionalCheck:
    """The check that the request names, on the event's head commit."""
    event = context.event
    if event.mode not in CHECKED or request.check == "off":
        return OptionalCheck(None)
    if event.can_only_read:
        words = "no check run from here: the token of a fork's pull request can only read."
        return OptionalCheck(None, [f"{words} A `workflow_run` workflow reports it."])
    name, stamp, url = request.check_name, event.stamp, event.run_url
    if request.check == "status":
        return OptionalCheck(CommitStatus(context.client, name, event.head_sha, url))
    is_shared = event.source_run is None
    clock = context.effects.clock
    return OptionalCheck(CheckRun(context.client, name, stamp, request.key, url, clock, is_shared))
