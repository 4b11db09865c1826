"""Runs Core ML on measured packages and adds the results to their Record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from coreml_gate.checks.latency import ratios_of
from coreml_gate.children.job import DescribedPackage
from coreml_gate.children.reference_data import REFERENCE_FILE, read_reference_data
from coreml_gate.comparing.compare import compare_all
from coreml_gate.config import GateOptions, ModelConfig
from coreml_gate.errors import WorkerError
from coreml_gate.frozen import changed
from coreml_gate.gate.core_ml_host import CoreMlHost
from coreml_gate.record import (
    RECORD_NAME,
    Comparison,
    ComputeUnits,
    CoreMlFacts,
    CoreMlRun,
    Footprints,
    ModelRecord,
    PackageFacts,
    Placement,
    Record,
    Timing,
    write_record,
)
from coreml_gate.timing import ALPHA
from coreml_gate.worker.core_ml import plan_of, predict_on, units_to_run
from coreml_gate.worker.timing_loop import PackagePair, TimingBudget, measure_footprints, time_packages

FOLDER: Final = "core-ml"
NO_LIMIT: Final = "no limit is set (`limits.latency`)."
SAME: Final = "the package is the baseline's: the same program and the same weights."
NO_BASE: Final = "there is no baseline package on this machine to compare with."
StoredPackage = tuple[PackageFacts, Path]
"""A package, and the folder of its Record."""
_WITH_NEURAL_ENGINE: Final = frozenset({"CPU_AND_NE", "ALL"})


@dataclass(frozen=True)
class Stored:
    """A Record and the folder of its packages."""

    record: Record
    folder: Path

    def package(self, name: str) -> PackageFacts | None:
        """The package of a model, if it exists."""
        model = self.record.model(name)
        facts = None if model is None else model.package
        return facts if facts is not None and (self.folder / facts.path).is_dir() else None


def measure_with_core_ml(
    head: Stored,
    base: Stored | None,
    models: Mapping[str, ModelConfig],
    options: GateOptions,
    host: CoreMlHost,
) -> Record:
    """Add Core ML's results to the head's Record, and replace its file."""
    session = Session(options, host, ALPHA / max(1, _comparisons(head, base, models)))
    measured: list[ModelRecord] = []
    for model in head.record.models:
        config = models.get(model.name)
        question = None if config is None else _question(config, model, head, base)
        measured.append(model if question is None else answered(model, question, session))
    record = changed(head.record, models=tuple(measured))
    write_record(record, head.folder / RECORD_NAME)
    return record


@dataclass(frozen=True)
class Session:
    """What all models of one run share."""

    options: GateOptions
    host: CoreMlHost
    alpha: float
    """The error rate of each interval."""


def _comparisons(head: Stored, base: Stored | None, models: Mapping[str, ModelConfig]) -> int:
    """The number of timing comparisons in this run, which share an error rate of 5 %."""
    return sum(
        len(ratios_of(models[model.name].limits.latency))
        for model in head.record.models
        if model.name in models and base is not None and base.package(model.name) is not None
    )


@dataclass(frozen=True)
class Question:
    """One model's package at the head and, if any, at the base."""

    config: ModelConfig
    facts: PackageFacts
    head: DescribedPackage
    base_facts: PackageFacts | None
    base: DescribedPackage | None
    folder: Path
    """The folder with the model's packages, samples and reference outputs."""

    @property
    def reference(self) -> Path:
        """The file with samples and reference outputs."""
        return self.folder / REFERENCE_FILE

    @classmethod
    def of(
        cls, config: ModelConfig, model: ModelRecord, head: StoredPackage, base: StoredPackage | None
    ) -> "Question | None":
        """The packages of a model; ``None`` if it left no samples behind."""
        facts, root = head
        names = tuple(dict.fromkeys(each.output for each in model.precision))
        question = cls(
            config=config,
            facts=facts,
            head=DescribedPackage.of(facts, root, names),
            base_facts=None if base is None else base[0],
            base=None if base is None else DescribedPackage.of(*base),
            folder=(root / facts.path).resolve().parent,
        )
        return question if question.reference.exists() else None


def _question(config: ModelConfig, model: ModelRecord, head: Stored, base: Stored | None) -> Question | None:
    facts = head.package(config.name)
    if facts is None:
        return None
    base_facts = None if base is None else base.package(config.name)
    known = None if base is None or base_facts is None else (base_facts, base.folder)
    return Question.of(config, model, (facts, head.folder), known)


def answered(model: ModelRecord, question: Question, session: Session) -> ModelRecord:
    """Add Core ML's results to a model: outputs on each compute unit, times, and placement."""
    host = session.host
    progress = host.progress.begin_model(model.name, host.machine.stand_in or "Core ML", alone=True)
    started = host.clock()
    with_answers = changed(
        model, core_ml=_facts(question, replace(session, host=host.reporting_to(progress)))
    )
    progress.end(with_answers, host.clock() - started)
    return with_answers


def _facts(question: Question, session: Session) -> CoreMlFacts:
    host, folder = session.host, question.folder / FOLDER
    wanted, environment = session.options.core_ml_units, host.supervisor.environment
    units = units_to_run(question.config.compute_units, wanted, environment)
    runs = predict_on(question.head, question.reference, units, folder, host.supervisor)
    pair, untimed = _pair(question, runs)
    plans = _plans(question, units, folder, host)
    return CoreMlFacts(
        machine=host.machine,
        runs=runs,
        runtime_against_source=_runtime_against_source(question.reference),
        placement=plans[0],
        base_placement=plans[1],
        timing=None if pair is None else _timing(pair, question, session),
        footprints=None if pair is None else _footprints(pair, question, host),
        untimed=untimed,
    )


def _plans(
    question: Question, units: Sequence[ComputeUnits], folder: Path, host: CoreMlHost
) -> tuple[Placement | None, Placement | None]:
    """Compute plans of head and base, if the Neural Engine is included; the stand-in has none."""
    allowed = question.config.compute_units
    if host.machine.stand_in or allowed not in units or allowed not in _WITH_NEURAL_ENGINE:
        return None, None
    head = plan_of(question.head, allowed, folder / "plan", host.supervisor)
    base = question.base
    return head, None if base is None else plan_of(base, allowed, folder / "plan-base", host.supervisor)


def _pair(question: Question, runs: Sequence[CoreMlRun]) -> tuple[PackagePair | None, str]:
    """Head and base on the last compute unit that predicts, which is closest to what the app allows.

    The text says why there is no pair, or why a pair may still remain untimed.
    """
    if question.base is None or question.base_facts is None:
        return None, NO_BASE
    sound = [run.units for run in runs if run.ending is None]
    if not sound:
        return None, "Core ML predicted on no compute unit."
    if _interface(question.facts) != _interface(question.base_facts):
        return None, "the inputs differ from the baseline's: there is no sample for both."
    if question.facts.fingerprint == question.base_facts.fingerprint:
        return None, SAME
    pair = PackagePair(
        base=question.base,
        head=question.head,
        base_fingerprint=question.base_facts.fingerprint,
        head_fingerprint=question.facts.fingerprint,
        reference=question.reference,
        units=sound[-1],
    )
    return pair, NO_LIMIT


def _timing(pair: PackagePair, question: Question, session: Session) -> Timing | None:
    ratios = ratios_of(question.config.limits.latency)
    if not ratios:
        return None
    budget = TimingBudget(ratios, session.alpha, session.options.time_budget_s)
    host = session.host
    return time_packages(pair, budget, question.folder / FOLDER / "timing", host.supervisor, host.clock)


def _footprints(pair: PackagePair, question: Question, host: CoreMlHost) -> Footprints | None:
    if question.config.limits.memory.footprint_max_ratio is None:
        return None
    return measure_footprints(pair, question.folder / FOLDER / "footprint", host.supervisor)


def _interface(facts: PackageFacts) -> tuple[object, ...]:
    return tuple((each.name, each.kind, each.shape) for each in facts.inputs)


def _runtime_against_source(reference: Path) -> tuple[Comparison, ...]:
    try:
        samples = read_reference_data(reference)
    except WorkerError:  # Core ML's own children read it as well, and report it
        return ()
    sources, halves = [sample.source for sample in samples], [sample.fp16 for sample in samples]
    return compare_all(sources, halves, ("source", "fp16"))
