"""Small packages with known outputs, which show whether this environment converts and Core ML is correct."""

from collections.abc import Mapping
from typing import Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import DescribedPackage, MachineJob
from coreml_gate.measurements.foreign_errors import in_its_own_words
from coreml_gate.record.base import WrappedPart


class TrialPackages(WrappedPart[dict[str, DescribedPackage]]):
    """The packages made, by name."""

    FIELD = "trial_packages"


PARTS: Final = (TrialPackages,)
STEPS: Final[Mapping[str, str]] = {"convert": "converting trial packages"}
CHILD: Final = "own"


def run(job: MachineJob, log: EventLog) -> None:
    """Write every package, with its samples and their known outputs beside it."""
    from coreml_gate.measurements.trial_programs import write_trial_packages

    log.begin("convert")
    with in_its_own_words():
        log.put(TrialPackages(write_trial_packages(job.folder)))
