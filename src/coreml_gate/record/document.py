"""The Record itself, and writing it."""

from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from pydantic import ConfigDict, Field, NonNegativeInt

from coreml_gate.record.base import EngineName, Measured
from coreml_gate.record.comparison import Comparison, MetricValue, RefusedShape
from coreml_gate.record.core_ml import CoreMlFacts, Placement
from coreml_gate.record.diagnosis import Diagnosis, ParityDiagnosis, PerturbedSample
from coreml_gate.record.engines import EngineFacts, LiteRtFacts
from coreml_gate.record.on_device import DeviceFacts
from coreml_gate.record.package import CompressionFacts, CostFacts, MemoryFacts, PackageFacts
from coreml_gate.record.profile import OperationProfile
from coreml_gate.record.rounding import InputRounding
from coreml_gate.record.rules import RuleMatch
from coreml_gate.record.source import ConversionFacts, Environment, Phase, Problem, SourceFacts
from coreml_gate.writing import write_text

SCHEMA_VERSION: Final = 1


class ModelRecord(Measured):
    """Everything measured of one model; a part is ``None`` if the measurement stopped before it.

    A key that is not a field is the name of another engine, with its :class:`EngineFacts`.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[EngineName, EngineFacts] = Field(init=False)

    name: str
    content: str = ""
    """Digest of the model's files, options and versions."""
    source: SourceFacts | None = None
    conversion: ConversionFacts | None = None
    package: PackageFacts | None = None
    memory: MemoryFacts | None = None
    cost: CostFacts | None = None
    outline: tuple[str, ...] = ()
    """The package's program, one line per operation (``mil/diff.py``), for the structure check."""
    parity: tuple[Comparison, ...] = ()
    """Source against the float32 package in fp32 mode."""
    input_rounding: InputRounding | None = None
    """What float16 inputs change; ``None`` if there are none or the samples are halves already."""
    precision: tuple[Comparison, ...] = ()
    """The float32 package in fp32 mode against the package that ships in fp16 mode."""
    diagnosis: Diagnosis | None = None
    profile: OperationProfile | None = None
    """``None`` in Records of older versions, and if the program cannot run."""
    refused_shapes: tuple[RefusedShape, ...] = ()
    """Allowed shapes that the source, the float32 package or both refuse."""
    allowed_shapes: tuple[PerturbedSample, ...] = ()
    """Source against the float32 package at allowed shapes that no sample has."""
    adversarial: tuple[PerturbedSample, ...] = ()
    """Source against the float32 package on perturbed samples."""
    untried: tuple[str, ...] = ()
    """Changed samples on which the source did not end: nothing was compared on them."""
    untried_changes: tuple[str, ...] = ()
    """Changes that were not tried, because a run of this model costs much."""
    parity_diagnosis: ParityDiagnosis | None = None
    """``None`` if it was not needed or switched off."""
    metrics: tuple[MetricValue, ...] = ()
    unsupported: tuple[str, ...] = ()
    """Operations that our runtime does not support, so that the model has no numbers."""
    rules: tuple[RuleMatch, ...] | None = None
    """The known pitfalls found; ``None`` if the rules did not run."""
    compression: CompressionFacts | None = None
    """What compression did; ``None`` if nothing is compressed."""
    predicted_placement: Placement | None = None
    """Prediction from documented rules, without a Mac."""
    core_ml: CoreMlFacts | None = None
    """``None`` if Core ML did not run."""
    on_device: tuple[DeviceFacts, ...] = ()
    """Results of connected devices (``coreml-gate device``)."""
    litert: LiteRtFacts | None = None
    """``None`` if LiteRT is not configured."""
    opened: tuple[str, ...] | None = None
    """Files and folders of the repository that were read meanwhile, relative to its root: the next plan
    measures the model when one of them changed. ``None``: not watched."""
    problem: Problem | None = None
    peak_bytes: NonNegativeInt | None = None
    """The most that the process held in which it was measured; ``None``: not looked at."""
    phases: tuple[Phase, ...] = ()
    """The steps in order with their time, those of variants of the same source included; empty in Records of
    versions that did not take it."""
    variants: tuple["ModelRecord", ...] = ()
    """Other packages of the model, measured like models; they have no variants themselves."""

    def engine(self, name: str) -> EngineFacts | None:
        """Another engine's results, or ``None`` if it did not run."""
        found = getattr(self, name, None)
        return found if isinstance(found, EngineFacts) else None


class SkippedModel(Measured):
    """A model that was not measured, and why."""

    name: str
    reason: str
    opened: tuple[str, ...] | None = None
    """As in :class:`ModelRecord`, from the last measurement, if known."""


class AcceptedFailure(Measured):
    """A failure that a person accepted in a pull request that has been merged."""

    model: str
    check: str
    by: str
    until: date
    """The last day."""
    reason: str
    pull_request: int


class Record(Measured):
    """What one run measured of one commit."""

    schema_version: Literal[1] = SCHEMA_VERSION
    created: str
    """UTC, ISO 8601."""
    commit: str | None
    dirty: bool = False
    """Whether uncommitted changes of the work tree were measured too."""
    engine: str = "mil"
    """The engine that predicted; ``mil`` is our runtime, never Core ML."""
    environment: Environment
    models: tuple[ModelRecord, ...]
    skipped: tuple[SkippedModel, ...] = ()
    accepted: tuple[AcceptedFailure, ...] = ()
    """In a baseline: the accepted failures, each until its day."""

    @cached_property
    def _by_name(self) -> dict[str, ModelRecord]:
        return {model.name: model for model in self.models}

    def model(self, name: str) -> ModelRecord | None:
        """The model of this name, or ``None``."""
        return self._by_name.get(name)


def write_record(record: Record, path: Path) -> None:
    """Write a Record as indented JSON."""
    write_text(path, record.model_dump_json(indent=1) + "\n")
