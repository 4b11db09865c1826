"""The Record itself, and how it is written."""

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
    """Everything measured of one model; a part is ``None`` when measuring stopped before it.

    A key beyond the fields is another engine's: its name, and its :class:`EngineFacts`.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[EngineName, EngineFacts] = Field(init=False)

    name: str
    content: str = ""
    """Digest of the source closure, options and versions from which this was measured."""
    source: SourceFacts | None = None
    conversion: ConversionFacts | None = None
    package: PackageFacts | None = None
    memory: MemoryFacts | None = None
    cost: CostFacts | None = None
    outline: tuple[str, ...] = ()
    """The program of the package, one line per operation (``mil/diff.py``): what the structure diff reads."""
    parity: tuple[Comparison, ...] = ()
    """Source against the float32 package in fp32 mode."""
    input_rounding: InputRounding | None = None
    """What float16 inputs change; ``None`` where there are none, or the samples are halves already."""
    precision: tuple[Comparison, ...] = ()
    """The float32 package in fp32 mode against the package that ships in fp16 mode."""
    diagnosis: Diagnosis | None = None
    profile: OperationProfile | None = None
    """``None`` in Records of versions that did not take it, and where the program cannot run."""
    refused_shapes: tuple[RefusedShape, ...] = ()
    """Allowed shapes that the source, the float32 package or both do not take."""
    allowed_shapes: tuple[PerturbedSample, ...] = ()
    """Source against the float32 package at shapes that the configuration allows and no sample has."""
    adversarial: tuple[PerturbedSample, ...] = ()
    """Source against the float32 package on changed samples."""
    untried: tuple[str, ...] = ()
    """Changed samples on which the source did not end: nothing was compared on them."""
    parity_diagnosis: ParityDiagnosis | None = None
    """``None`` when none was configured."""
    metrics: tuple[MetricValue, ...] = ()
    unsupported: tuple[str, ...] = ()
    """Operations that our runtime does not support: this model has no numbers."""
    rules: tuple[RuleMatch, ...] | None = None
    """The known pitfalls found; ``None``: the rules did not run."""
    compression: CompressionFacts | None = None
    """What compression did; ``None`` where nothing is compressed."""
    predicted_placement: Placement | None = None
    """By documented rules, without a Mac."""
    core_ml: CoreMlFacts | None = None
    """``None`` when the run had no Mac."""
    on_device: tuple[DeviceFacts, ...] = ()
    """What connected devices answered (``coreml-gate device``)."""
    litert: LiteRtFacts | None = None
    """``None``: LiteRT is not configured."""
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
    """Other packages of the model, each measured as a model is; they have no variants of their own."""

    def engine(self, name: str) -> EngineFacts | None:
        """What another engine made of the source, or ``None``: it did not run."""
        found = getattr(self, name, None)
        return found if isinstance(found, EngineFacts) else None


class SkippedModel(Measured):
    """A model that was not measured, and why."""

    name: str
    reason: str
    opened: tuple[str, ...] | None = None
    """As it was when the model was measured last, if that is known."""


class AcceptedFailure(Measured):
    """A failure that a person accepted in a pull request that is merged by now."""

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
    """Whether the work tree had uncommitted changes that were measured too."""
    engine: str = "mil"
    """Which engine stood for the device; ``mil`` is our runtime and never Core ML."""
    environment: Environment
    models: tuple[ModelRecord, ...]
    skipped: tuple[SkippedModel, ...] = ()
    accepted: tuple[AcceptedFailure, ...] = ()
    """In a baseline: the failures that its models may go on having, each until its day."""

    @cached_property
    def _by_name(self) -> dict[str, ModelRecord]:
        return {model.name: model for model in self.models}

    def model(self, name: str) -> ModelRecord | None:
        """The model of that name, or ``None``."""
        return self._by_name.get(name)


def write_record(record: Record, path: Path) -> None:
    """Writes a Record as indented JSON."""
    write_text(path, record.model_dump_json(indent=1) + "\n")
