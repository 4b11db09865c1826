"""What the parent wants of a child process, as the one file that both read."""

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
    """The form of every job and its parts."""


class ModelJob(JobValue):
    """One model of one tree, to be measured beside its source."""

    kind: Literal["model"] = "model"
    only: tuple[str, ...] = ()
    """Names of the measurements to make; empty: all that the model's options require."""
    root: Path
    """The tree to measure: the work tree, or a worktree of the base commit."""
    record_folder: Path
    """Where the Record will lie: paths in it are relative to this folder."""
    model: ModelConfig
    closure: str
    """Digest of the source files, part of the conversion's cache key."""
    max_samples: PositiveInt
    cache: Path | None = None
    variants: tuple[ModelConfig, ...] = ()
    """Other packages of the same source, as models of their own: one run of the source serves them all."""
    variant_of: str | None = None
    """The model of which this one, with a source of its own, is a variant."""

    @property
    def folder(self) -> Path:
        """Where this model's packages, events and log go; made by the parent."""
        models = self.record_folder / MODELS_FOLDER
        if self.variant_of is None:
            return models / self.model.name
        return models / self.variant_of / VARIANTS_FOLDER / self.model.name

    @property
    def working_folder(self) -> Path:
        """Where the child runs."""
        return self.root


class SingleJob(JobValue):
    """A job for measurements with a process of their own."""

    only: tuple[str, ...]
    """Names of the measurements to make."""
    folder: Path
    """Takes the events, the log and what the child makes; made by the parent."""

    @property
    def working_folder(self) -> Path:
        """Where the child runs."""
        return self.folder


class MachineJob(SingleJob):
    """Something to find out about this machine, without a model."""

    kind: Literal["machine"] = "machine"


class DescribedPackage(JobValue):
    """A package and its interface, as a Record describes it."""

    path: Path
    inputs: tuple[FeatureFacts, ...]
    outputs: tuple[FeatureFacts, ...]
    output_names: tuple[str, ...] = ()
    """The source's names, one for each of ``outputs``; empty: the package's own."""
    stateful: bool = False
    function: str | None = None
    """Of a package with several functions; ``None`` is its default one."""

    @classmethod
    def of(cls, facts: PackageFacts, folder: Path, names: tuple[str, ...] = ()) -> "DescribedPackage":
        """A package of a Record that lies in ``folder``; ``names`` are the source's.

        A classifier gives a label beside its scores, which the source does not: it is left out.
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
    """One measurement of a package on one compute unit, in a process of its own."""

    kind: Literal["package"] = "package"
    package: DescribedPackage
    units: ComputeUnits
    reference: Path | None = None
    """The samples and their answers; the first sample is what is timed."""
    others: Path | None = None
    """Answers of another compute unit, to compare with."""
    base: DescribedPackage | None = None
    """What ``package`` is timed against."""
    compiled: dict[str, Path] = Field(default_factory=dict)
    """Compiled models by the name under which they are timed; empty: the child compiles for itself."""
    home: Path | None = None
    """Takes Core ML's caches; ``None``: a folder of this job alone, which goes when the child ends."""
    engine: TimedEngine = "core-ml"
    seed: NonNegativeInt = 0
    pairs: PositiveInt = 20
    stand_in: bool = False
    """Whether our runtime stands in for Core ML: in tests off a Mac."""

    @property
    def answers(self) -> Path:
        """Where the child of a prediction leaves what Core ML computed."""
        return self.folder / "answers.npz"


class DeviceJob(SingleJob):
    """One package to be predicted and timed on one connected device."""

    kind: Literal["device"] = "device"
    only: tuple[str, ...] = ("device",)
    facts: DeviceFacts
    """The device, the package and the hardware; the child adds what it measures."""
    package: DescribedPackage
    reference: Path | None = None
    """The samples and their answers; the first sample is what is timed."""
    app_folder: Path
    """Takes coremltools' ModelRunner app, which is built once for all models."""
    team: str = ""
    profile: str | None = None
    bundle: str | None = None
    repeats: int = 20
    trace: Path | None = None
    """Where an Instruments trace goes, if one is wanted."""


Job = ModelJob | MachineJob | PackageJob | DeviceJob
_JOB: Final[TypeAdapter[Job]] = TypeAdapter(Annotated[Job, Field(discriminator="kind")])


def read_job(path: Path) -> Job:
    """The job in a file that :func:`write_job` wrote."""
    return _JOB.validate_json(path.read_text(encoding="utf-8"))


def write_job(job: Job) -> Path:
    """Write a job into its folder, for the child to read."""
    path = job.folder / JOB_FILE
    with os.fdopen(fresh_file(path), "w", encoding="utf-8") as file:
        file.write(job.model_dump_json(indent=1))
    return path
