"""What the parent asks of a child that uses Core ML, as the one file that both read."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from coreml_gate.record import ComputeUnits, FeatureFacts
from coreml_gate.worker.job import EVENTS_FILE, LOG_FILE

Engine = Literal["core-ml", "mil"]


class PackageAsked(BaseModel):
    """A package and its interface, as a Record tells it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    path: Path
    inputs: tuple[FeatureFacts, ...]
    outputs: tuple[FeatureFacts, ...]
    output_names: tuple[str, ...] = ()
    """The source's names by position; empty: the package's own."""
    stateful: bool = False
    function: str | None = None
    """Of a package with several functions; ``None`` is its default one."""


class CoreMlJob(BaseModel):
    """One thing to do with Core ML on one choice of hardware."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["predict", "plan", "time"]
    folder: Path
    """Takes the events, the log and compiled models; made by the parent."""
    package: PackageAsked
    units: ComputeUnits
    expected: Path | None = None
    """The samples and their answers; the first sample is what is timed."""
    others: Path | None = None
    """Answers of another choice of hardware, to compare with."""
    base: PackageAsked | None = None
    """What ``package`` is timed against."""
    engine: Engine = "core-ml"
    seed: NonNegativeInt = 0
    pairs: PositiveInt = 20
    stand_in: bool = False
    """Whether our runtime stands in for Core ML: in tests off a Mac."""

    @property
    def events(self) -> Path:
        """The file to which the child reports."""
        return self.folder / EVENTS_FILE

    @property
    def log(self) -> Path:
        """The file that takes the child's output, and Core ML's own."""
        return self.folder / LOG_FILE

    @property
    def answers(self) -> Path:
        """Where the child of a prediction leaves what Core ML answered."""
        return self.folder / "answers.npz"
