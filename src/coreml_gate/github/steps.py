"""The steps of the action by name: functions of a frozen request, which return the exit code."""

from collections.abc import Callable
from typing import Any, Final

from coreml_gate.github.effects import Effects
from coreml_gate.github.evidence.baseline_step import baseline
from coreml_gate.github.evidence.history_step import history
from coreml_gate.github.judging.accept_step import accept
from coreml_gate.github.publishing.link_step import link
from coreml_gate.github.publishing.matrix_step import matrix
from coreml_gate.github.publishing.report_step import report
from coreml_gate.github.publishing.start_step import start
from coreml_gate.surroundings import Surroundings

STEPS: Final[dict[str, Callable[[Any, Surroundings, Effects], int]]] = {
    "start": start,
    "accept": accept,
    "history": history,
    "baseline": baseline,
    "matrix": matrix,
    "report": report,
    "link": link,
}
"""The steps by the names that workflows use."""
