"""The Verdict of an interrupted run: on what was measured until then, and never a pass."""

from pathlib import Path

from coreml_gate.config import Config
from coreml_gate.frozen import changed
from coreml_gate.gate.judge import judge
from coreml_gate.interruption import Interrupted
from coreml_gate.record import RECORD_NAME, read_record
from coreml_gate.verdict import BaselineFacts, Verdict, not_run


class InterruptedRun(Interrupted):
    """An interrupted run, with the Verdict on what was measured until then."""

    def __init__(self, exit_code: int, verdict: Verdict) -> None:
        super().__init__(exit_code)
        self.verdict = verdict


def judged_so_far(config: Config, output: Path, error: Interrupted) -> Verdict:
    """The Verdict on the Record written so far, without a baseline; it never passes."""
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
