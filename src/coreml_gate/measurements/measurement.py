"""Defines a measurement: its parts of the Record, its steps, its code in the child, its early endings."""

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
    """The peak memory of the process that measured the model."""

    FIELD = "peak_bytes"


class Reported(Protocol):
    """The facts about a measurement that the parent needs."""

    @property
    def PARTS(self) -> tuple[type[AnyPart], ...]:  # noqa: N802 - a module's constant
        """The parts that it reports."""

    @property
    def STEPS(self) -> Mapping[str, str]:  # noqa: N802 - a module's constant
        """Its steps, each with its own deadline, and a description of each such as ``converting``."""


class Measurement(Reported, Protocol):
    """A measurement in the process of the source; a module, or a value with the same names.

    The parent reads the table of measurements, so a module imports torch and coremltools only in ``run``.
    """

    @property
    def CHILD(self) -> Literal["model"]:  # noqa: N802 - a module's constant
        """Runs in the process of the model."""

    def wanted(self, job: ModelJob) -> bool:
        """Whether the options require it."""

    def run(self, bench: "Bench", log: EventLog) -> None:
        """The code in the child; raises :class:`GateError` if nothing more of the model can be measured."""

    def ended(self, ending: ChildEnding, job: ModelJob) -> AnyPart:
        """The part to report, in the parent, if the child ended in one of the steps."""


class SingleMeasurement(Reported, Protocol):
    """A measurement with its own process for each job."""

    @property
    def CHILD(self) -> Literal["own"]:  # noqa: N802 - a module's constant
        """Runs in its own process."""

    def run(self, job: Any, log: EventLog) -> None:  # noqa: ANN401 - each takes its own kind of job
        """The code in the child; raises :class:`GateError` if the measurement is impossible."""


def chosen(table: Mapping[str, Measurement], job: ModelJob) -> tuple[Measurement, ...]:
    """The measurements that the model's options require, limited to those that the job names."""
    return tuple(
        measurement
        for name, measurement in table.items()
        if (not job.only or name in job.only) and measurement.wanted(job)
    )


def problem_of(error: GateError) -> Problem:
    """Turn an error into a value of the Record; lone surrogates, which JSON cannot hold, are escaped."""
    kinds = (kind for type_, kind in _PROBLEM_KINDS.items() if isinstance(error, type_))
    kind: Any = next(kinds, "worker-error")
    message, hint = (text.encode(errors="backslashreplace").decode() for text in (error.message, error.hint))
    return Problem(kind=kind, message=message, hint=hint, exit_code=error.exit_code)


def sentence(ending: ChildEnding, job: ModelJob, doing: str) -> str:
    """A sentence on how a model's child ended."""
    model = job.model.name if job.variant_of is None else f"{job.variant_of}`, variant `{job.model.name}"
    return ending.clause(f"model `{model}`: the child process", f"while {doing}") + "."


def way_out(ending: ChildEnding) -> str:
    """Advice for a model's child that ended early."""
    return _WAYS_OUT.get(ending.how, "")


def problem_of_ending(
    ending: ChildEnding, job: ModelJob, doing: str, error: type[GateError] = WorkerError
) -> Problem:
    """The problem of an early ending after which the model cannot be judged."""
    kind: Any = _PROBLEM_KINDS.get(error, "worker-error")
    return Problem(
        kind=kind,
        message=sentence(ending, job, doing),
        hint=way_out(ending),
        exit_code=error.exit_code,
        log_tail=ending.log_tail,
    )
