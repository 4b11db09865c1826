"""What a run that was interrupted can say: what was measured by then, and that it is not all."""

from pathlib import Path

from coreml_gate.config import Config
from coreml_gate.frozen import changed
from coreml_gate.gate.judge import judge
from coreml_gate.interruption import Interrupted
from coreml_gate.record import RECORD_NAME, read_record
from coreml_gate.verdict import BaselineFacts, Verdict, not_run


class InterruptedRun(Interrupted):
    """A run that was interrupted, with what is known by then."""

    def __init__(self, exit_code: int, verdict: Verdict) -> None:
        super().__init__(exit_code)
        self.verdict = verdict


def judged_so_far(config: Config, output: Path, error: Interrupted) -> Verdict:
    """The Verdict on the Record that the run has written, without a baseline; it never passes."""
    path = output / RECORD_NAME
    if not path.is_file():
        return stopped_early(error)
    judged = judge(config, read_record(path), None, BaselineFacts(origin="none: the run was interrupted"))
    stopped = stopped_early(error)
    return changed(judged, findings=stopped.findings, problem_exit_code=stopped.problem_exit_code)


def stopped_early(error: Interrupted) -> Verdict:
    """The Verdict of a run that was interrupted before anything was measured."""
    return not_run(
        f"the run was interrupted ({error.by}).",
        "run it again: not everything was measured.",
        error.exit_code,
    )
