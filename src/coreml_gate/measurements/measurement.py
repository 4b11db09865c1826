"""What a measurement is: its parts of the Record, its steps, the child's side, and what its ending means."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from pydantic import NonNegativeInt

from coreml_gate.children.events import AnyPart, EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.errors import (
    EvaluateError,
    GateError,
    PackageError,
    SamplesError,
    SourceError,
    WorkerError,
)
from coreml_gate.record import ChildEnding, Problem, WrappedPart

if TYPE_CHECKING:
    from coreml_gate.measurements.bench import Bench

_PROBLEM_KINDS: Final[Mapping[type[GateError], str]] = {
    SourceError: "source-error",
    SamplesError: "samples-error",
    EvaluateError: "evaluate-error",
    PackageError: "package-error",
}
_WAYS_OUT: Final[Mapping[str, str]] = {
    "crashed": (
        "the last lines of its output are in the details. Where they show none of the model's own code, that "
        "code changed something for the whole process (a patched function, a signal handler, a default, a "
        "descriptor that is closed): undo it before the model returns."
    ),
    "timed-out": "raise `step-timeout-s` under [gate] if the model honestly takes longer.",
    "out-of-memory": "raise `step-memory-mb` under [gate], or take a runner with more memory.",
}


class Opened(WrappedPart[tuple[str, ...]]):
    """Files and folders of the repository that were read while the model was measured."""

    FIELD = "opened"


class PeakBytes(WrappedPart[NonNegativeInt]):
    """The most that the process held in which the model was measured."""

    FIELD = "peak_bytes"


class Reported(Protocol):
    """What the parent knows of every measurement."""

    @property
    def PARTS(self) -> tuple[type[AnyPart], ...]:  # noqa: N802 - a module's constant
        """The parts that it hands over."""

    @property
    def STEPS(self) -> Mapping[str, str]:  # noqa: N802 - a module's constant
        """Its steps, each with a deadline of its own, and what the child does in them: ``converting``."""


class Measurement(Reported, Protocol):
    """A measurement beside the source; a module, or a value with the same names.

    The parent reads the table of measurements, so a module imports torch and coremltools in ``run`` only.
    """

    @property
    def CHILD(self) -> Literal["model"]:  # noqa: N802 - a module's constant
        """It runs in the process of the model."""

    def wanted(self, job: ModelJob) -> bool:
        """Do the options require it?"""

    def run(self, bench: "Bench", log: EventLog) -> None:
        """The child's side; raises :class:`GateError` where nothing further of the model can be measured."""

    def ended(self, ending: ChildEnding, job: ModelJob) -> AnyPart:
        """The parent's side: what it means that the child ended in one of the steps."""


class SingleMeasurement(Reported, Protocol):
    """A measurement with a process of its own for each job."""

    @property
    def CHILD(self) -> Literal["own"]:  # noqa: N802 - a module's constant
        """It runs in a process of its own."""

    def run(self, job: Any, log: EventLog) -> None:  # noqa: ANN401 - each takes its own kind of job
        """The child's side; raises :class:`GateError` where the measurement cannot be made."""


def chosen(table: Mapping[str, Measurement], job: ModelJob) -> tuple[Measurement, ...]:
    """What is measured of a model: what its options require, within what the job is about."""
    return tuple(
        measurement
        for name, measurement in table.items()
        if (not job.only or name in job.only) and measurement.wanted(job)
    )


def problem_of(error: GateError) -> Problem:
    """Keep an error as a value of the Record; halves of a character, which JSON cannot hold, as escapes."""
    kinds = (kind for type_, kind in _PROBLEM_KINDS.items() if isinstance(error, type_))
    kind: Any = next(kinds, "worker-error")
    message, hint = (text.encode(errors="backslashreplace").decode() for text in (error.message, error.hint))
    return Problem(kind=kind, message=message, hint=hint, exit_code=error.exit_code)


def sentence(ending: ChildEnding, job: ModelJob, doing: str) -> str:
    """What happened to a model's child, in words."""
    model = job.model.name if job.variant_of is None else f"{job.variant_of}`, variant `{job.model.name}"
    return ending.clause(f"model `{model}`: the child process", f"while {doing}") + "."


def way_out(ending: ChildEnding) -> str:
    """What a user can do about a model's child that ended early."""
    return _WAYS_OUT.get(ending.how, "")


def problem_of_ending(
    ending: ChildEnding, job: ModelJob, doing: str, error: type[GateError] = WorkerError
) -> Problem:
    """An early ending that leaves nothing to judge the model by."""
    kind: Any = _PROBLEM_KINDS.get(error, "worker-error")
    return Problem(
        kind=kind,
        message=sentence(ending, job, doing),
        hint=way_out(ending),
        exit_code=error.exit_code,
        log_tail=ending.log_tail,
    )
