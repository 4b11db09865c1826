"""A child process's job, in one file that parent and child both read."""

import os
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter

from coreml_gate.children.files import fresh_file
from coreml_gate.config import ModelConfig
from coreml_gate.frozen import FrozenModel
from coreml_gate.package_facts.output_order import in_source_order
from coreml_gate.record import ComputeUnits, DeviceFacts, FeatureFacts, PackageFacts

JOB_FILE: Final = "job.json"
MODELS_FOLDER: Final = "models"
VARIANTS_FOLDER: Final = "variants"

TimedEngine = Literal["core-ml", "mil"]


class JobValue(FrozenModel):
    """The base of every job and its parts."""


class ModelJob(JobValue):
    """One model of one tree, to be measured in the process of its source."""

    kind: Literal["model"] = "model"
    only: tuple[str, ...] = ()
    """Names of the measurements to make; if empty, all that the model's options require."""
    root: Path
    """The tree to measure: the work tree, or a worktree of the base commit."""
    record_folder: Path
    """The Record's folder, to which the Record's paths are relative."""
    model: ModelConfig
    closure: str
    """Digest of the source files, part of the conversion's cache key."""
    max_samples: PositiveInt
    cache: Path | None = None
    variants: tuple[ModelConfig, ...] = ()
    """Other packages of the same source, as models; one run of the source serves them all."""
    variant_of: str | None = None
    """The model of which this one, with its own source, is a variant."""

    @property
    def folder(self) -> Path:
        """The folder for this model's packages, events and log; made by the parent."""
        models = self.record_folder / MODELS_FOLDER
        if self.variant_of is None:
            return models / self.model.name
        return models / self.variant_of / VARIANTS_FOLDER / self.model.name

    @property
    def working_folder(self) -> Path:
        """Where the child runs."""
        return self.root


class SingleJob(JobValue):
    """A job for measurements with their own process."""

    only: tuple[str, ...]
    """Names of the measurements to make."""
    folder: Path
    """The folder for the events, the log and the child's output; made by the parent."""

    @property
    def working_folder(self) -> Path:
        """Where the child runs."""
        return self.folder


class MachineJob(SingleJob):
    """A measurement of this machine, without a model."""

    kind: Literal["machine"] = "machine"


class DescribedPackage(JobValue):
    """A package and its interface, as a Record describes it."""

    path: Path
    inputs: tuple[FeatureFacts, ...]
    outputs: tuple[FeatureFacts, ...]
    output_names: tuple[str, ...] = ()
    """The source's names, one for each of ``outputs``; if empty, the package's own."""
    stateful: bool = False
    function: str | None = None
    """The function of a package with several; ``None`` for the default one."""

    @classmethod
    def of(cls, facts: PackageFacts, folder: Path, names: tuple[str, ...] = ()) -> "DescribedPackage":
        """A package of the Record in ``folder``; ``names`` are the source's output names.

        A classifier's label is left out, because the source only gives the scores.
        """
        scores = tuple(feature for feature in facts.outputs if feature.kind != "string")
        compared = in_source_order(scores if len(names) == len(scores) else facts.outputs, names)
        return cls(
            path=(folder / facts.path).resolve(),
            inputs=facts.inputs,
            outputs=compared,
            output_names=names if len(names) == len(compared) else (),
            stateful=bool(facts.states),
            function=facts.function,
        )


class PackageJob(SingleJob):
    """One measurement of a package on one compute unit, in its own process."""

    kind: Literal["package"] = "package"
    package: DescribedPackage
    units: ComputeUnits
    reference: Path | None = None
    """The samples and their outputs; the first sample is timed."""
    others: Path | None = None
    """Outputs of another compute unit, to compare with."""
    base: DescribedPackage | None = None
    """The package with which ``package`` is timed in pairs."""
    compiled: dict[str, Path] = Field(default_factory=dict)
    """Compiled models by the name under which they are timed; if empty, the child compiles them."""
    home: Path | None = None
    """The folder for Core ML's caches; ``None`` for a folder of this job, removed when the child ends."""
    engine: TimedEngine = "core-ml"
    seed: NonNegativeInt = 0
    pairs: PositiveInt = 20
    stand_in: bool = False
    """Whether our runtime stands in for Core ML, in tests on other systems."""

    @property
    def answers(self) -> Path:
        """The file in which a predicting child stores Core ML's outputs."""
        return self.folder / "answers.npz"


class DeviceJob(SingleJob):
    """One package to be predicted and timed on one connected device."""

    kind: Literal["device"] = "device"
    only: tuple[str, ...] = ("device",)
    facts: DeviceFacts
    """The device, the package and the hardware; the child adds its measurements."""
    package: DescribedPackage
    reference: Path | None = None
    """The samples and their outputs; the first sample is timed."""
    app_folder: Path
    """The folder for coremltools' ModelRunner app, which is built once for all models."""
    team: str = ""
    profile: str | None = None
    bundle: str | None = None
    repeats: int = 20
    trace: Path | None = None
    """The path of an Instruments trace, if one is required."""


Job = ModelJob | MachineJob | PackageJob | DeviceJob
_JOB: Final[TypeAdapter[Job]] = TypeAdapter(Annotated[Job, Field(discriminator="kind")])


def read_job(path: Path) -> Job:
    """Read the job from a file written by :func:`write_job`."""
    return _JOB.validate_json(path.read_text(encoding="utf-8"))


def write_job(job: Job) -> Path:
    """Write a job into its folder, for the child to read."""
    path = job.folder / JOB_FILE
    with os.fdopen(fresh_file(path), "w", encoding="utf-8") as file:
        file.write(job.model_dump_json(indent=1))
    return path
