"""Checks that a child that hangs or aborts becomes a value here, as it must when Core ML does so."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from coreml_gate.children.job import MachineJob
from coreml_gate.children.process import ProcessLimits
from coreml_gate.doctor.answer import Probe, Subject
from coreml_gate.record import ChildEnding

DEADLINE_S: Final = 2.0
MISBEHAVING: Final[Mapping[str, tuple[str, str, str]]] = {
    "hang": ("import time; time.sleep(600)", "timed-out", "still running after 2 s"),
    "abort": ("import os; os.abort()", "crashed", "killed by signal 6 (SIGABRT)"),
}
"""What the child does, and the expected ending."""


def examine_children(subject: Subject) -> Iterator[Probe]:
    """One child that hangs, and one that aborts."""
    for name, (code, how, message) in MISBEHAVING.items():
        ending = _ending_of(name, code, subject)
        said = "it ended as if nothing had been" if ending is None else f"{ending.how}: {ending.message}"
        sound = ending is not None and (ending.how, ending.message) == (how, message)
        yield Probe(
            f"child that must {name}",
            "ok" if sound else "not ok",
            said,
            "" if sound else f"expected `{how}: {message}`; please report it with this line.",
        )


def _ending_of(name: str, code: str, subject: Subject) -> ChildEnding | None:
    limits = ProcessLimits(DEADLINE_S if name == "hang" else subject.supervisor.limits.step_s)
    supervisor = replace(subject.supervisor, limits=limits, child=("-c", code))
    return supervisor.run(MachineJob(only=(), folder=subject.folder / name)).ending
