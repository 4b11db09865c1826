"""What the child does: run the source, convert it, compare the package with it, evaluate both."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from coreml_gate.config import ModelConfig
from coreml_gate.convert import Conversion, ConversionCache, convert
from coreml_gate.convert.capture import Route
from coreml_gate.convert.origins import Origin, read_origins
from coreml_gate.convert.pipeline import convert_shipped
from coreml_gate.criteria import failing_error, has_parity, keeps_precision
from coreml_gate.diagnose.diagnosis import RepairRequest, diagnose, is_needed
from coreml_gate.diagnose.parity_diagnosis import Failure, Suspect, comparisons, diagnose_parity
from coreml_gate.diagnose.perturbed_samples import SourceAndPackage, perturbed_samples
from coreml_gate.diagnose.ranges import Range, Ranges
from coreml_gate.diagnose.repair import HalfPrecisionCase, Trial
from coreml_gate.engines.engine import Engine, Outputs
from coreml_gate.engines.mil import MilEngine, load_mil_engine, package_inputs
from coreml_gate.engines.samples import Samples, load_samples
from coreml_gate.engines.source import Source, load_source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import (
    EvaluateError,
    GateError,
    PackageError,
    SamplesError,
    SourceError,
    UnsupportedOperationsError,
)
from coreml_gate.frozen import changed
from coreml_gate.measure.compare import compare
from coreml_gate.measure.compression import compression_facts
from coreml_gate.measure.evaluate import evaluate
from coreml_gate.measure.footprint import footprint, measured_footprint
from coreml_gate.measure.package import package_facts
from coreml_gate.measure.sensitivity import sensitivity
from coreml_gate.measure.shapes import shape_cases
from coreml_gate.measure.untrained import untrained_signs
from coreml_gate.mil.outline import outline
from coreml_gate.mil.package import Package, read_package
from coreml_gate.mil.to_float32 import half_operations, widened
from coreml_gate.placement import predict_placement
from coreml_gate.record import (
    Comparison,
    ConversionFacts,
    Diagnosis,
    HalfMode,
    MetricValue,
    Problem,
    SourceFacts,
)
from coreml_gate.rules.catalogue import look
from coreml_gate.torch_graph import TorchGraph, read_graph
from coreml_gate.worker.events import EventLog
from coreml_gate.worker.expected import NAME as EXPECTED_NAME
from coreml_gate.worker.expected import ExpectedSample, write_expected
from coreml_gate.worker.job import Job

PACKAGE_NAME = "package.mlpackage"
REPAIRED = "repaired"

_PROBLEM_KINDS: Mapping[type[GateError], str] = {
    SourceError: "source-error",
    SamplesError: "samples-error",
    EvaluateError: "evaluate-error",
    PackageError: "package-error",
}


def problem_of(error: GateError) -> Problem:
    """Keep an error as a value of the Record."""
    kinds = (kind for type_, kind in _PROBLEM_KINDS.items() if isinstance(error, type_))
    kind: Any = next(kinds, "worker-error")
    return Problem(kind=kind, message=error.message, hint=error.hint, exit_code=error.exit_code)


@dataclass(frozen=True)
class Expected:
    """What a package is compared with: the samples and, where there is a PyTorch source, its answers."""

    source: Source
    samples: Samples
    engine: SourceEngine | None
    outputs: tuple[Outputs, ...]

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """The source's output names, or ``None``: the package keeps its own."""
        return tuple(self.outputs[0]) if self.outputs else None


@dataclass(frozen=True)
class Twins:
    """The package that ships, and its float32 twin, which tells conversion errors from precision errors."""

    shipped: Package
    wide: Package
    origins: Path | None = None
    route: Literal["export", "trace", "none"] = "none"
    graph: TorchGraph | None = None
    conversion: Conversion | None = None
    """Whence they are; ``None``: the source was a package."""


@dataclass(frozen=True)
class Answers:
    """What the packages gave: the engines that can run, and how half precision did."""

    engines: tuple[Engine, ...] = ()
    inputs: tuple[Mapping[str, Any], ...] = ()
    precision: tuple[Comparison, ...] = ()
    ranges: Mapping[str, Range] = field(default_factory=dict)
    suspects: tuple[Suspect, ...] = ()
    """Samples on which the float32 package does not answer like the source."""


@dataclass(frozen=True)
class Outcome:
    """What is left of measuring a model for its variants to use."""

    expected: Expected
    twins: Twins | None
    metrics: tuple[MetricValue, ...] = ()


def measure(job: Job, log: EventLog) -> Outcome:
    """Do all steps, and report each part as soon as it is known."""
    log.begin("source")
    source = load_source(job.model.source, job.root)
    twins = _given_package(source, job, log)
    expected = _run_source(source, twins, job, log)
    if twins is None:
        log.begin("convert")
        twins = _convert(expected, job, log)
    if twins is None:
        return Outcome(expected, None)
    log.begin("measure")
    answers = measure_package(expected, twins, job, log)
    metrics = evaluate_engines(answers.engines, expected, job, log)
    if answers.suspects and twins.route != "none":
        log.begin("diagnose")
        failure = Failure(
            expected.source, expected.samples, job.model, job.folder, _route(twins), answers.suspects[0]
        )
        log.update(parity_diagnosis=diagnose_parity(failure))
    if answers.engines and (job.model.precision == "float16" or twins.origins is None):
        _diagnose(expected, twins, answers, job, log)
    return Outcome(expected, twins, metrics)


def evaluate_engines(
    engines: Sequence[Engine],
    expected: Expected,
    job: Job,
    log: EventLog,
    known: tuple[MetricValue, ...] = (),
) -> tuple[MetricValue, ...]:
    """The user's metrics with each engine, and after those that are ``known`` already."""
    if job.model.evaluate is None or not engines:
        return ()
    log.begin("evaluate")
    metrics = (*known, *evaluate(job.model.evaluate, job.root, engines, expected.samples.names))
    log.update(metrics=metrics)
    return metrics


def _given_package(source: Source, job: Job, log: EventLog) -> Twins | None:
    """Take a package as it is, and keep a copy beside the Record: the base's tree is gone after the run."""
    if source.path is None:
        return None
    read_package(source.path).choosing(job.model.function)
    copy = shutil.copytree(source.path, job.folder / PACKAGE_NAME, dirs_exist_ok=True)
    package = read_package(copy).choosing(job.model.function)
    log.update(conversion=ConversionFacts(status="not-needed", route="none"))
    return Twins(shipped=package, wide=package)


def _run_source(source: Source, twins: Twins | None, job: Job, log: EventLog) -> Expected:
    interface = twins.shipped.interface.inputs if twins is not None else ()
    samples = load_samples(job.model, source, job.root, job.max_samples, interface)
    engine = None if twins is not None else SourceEngine(source, job.model.output)
    outputs = (
        tuple(engine.run(sample, index) for index, sample in enumerate(samples.samples))
        if engine is not None
        else ()
    )
    log.update(source=_source_facts(source, samples, outputs))
    return Expected(source, samples, engine, outputs)


def _source_facts(source: Source, samples: Samples, outputs: Sequence[Outputs]) -> SourceFacts:
    state = {} if source.model is None else source.model.state_dict
    state = state() if callable(state) else state
    names = tuple(outputs[0]) if outputs else ()
    varied = (sensitivity(name, [output[name] for output in outputs]) for name in names)
    return SourceFacts(
        kind=source.kind,
        parameters=sum(tensor.numel() for tensor in state.values()),
        samples=len(samples.samples),
        random_samples=samples.random,
        untrained_signs=untrained_signs(state),
        sensitivity=tuple(value for value in varied if value is not None),
    )


def _convert(expected: Expected, job: Job, log: EventLog) -> Twins | None:
    return twins_of(converted(expected, job.model, job.folder, job), job, log)


def converted(expected: Expected, model: ModelConfig, folder: Path, job: Job) -> Conversion:
    """The packages of the source with these options, from the cache where they are in it."""
    cache = None if job.cache is None else ConversionCache(job.cache)
    return convert(expected.source, expected.samples, model, folder, cache=cache, closure=job.closure)


def twins_of(conversion: Conversion, job: Job, log: EventLog) -> Twins | None:
    """The packages of a conversion, or nothing where it failed; either way it is reported."""
    log.update(conversion=conversion.facts)
    graph = read_graph(conversion.graph)
    if conversion.package is None or conversion.reference is None:
        log.update(rules=look(job.model, None, None, graph))
        return None
    return Twins(
        read_package(conversion.package),
        read_package(conversion.reference),
        conversion.origins,
        conversion.facts.route,
        graph,
        conversion,
    )


def measure_package(expected: Expected, twins: Twins, job: Job, log: EventLog) -> Answers:
    """Read the package, run it beside its twin, and compare both with the source."""
    path = twins.shipped.path.relative_to(job.record_folder).as_posix()
    log.update(package=package_facts(twins.shipped, path), outline=outline(twins.shipped.function()).lines())
    log.update(rules=look(job.model, twins.shipped, twins.wide, twins.graph))
    log.update(compression=compression_facts(twins.shipped, twins.wide))
    log.update(predicted_placement=predict_placement(twins.shipped, job.model.compute_units))
    try:
        wide = load_mil_engine(twins.wide, "fp32", expected.output_names, job.model)
        shipped = load_mil_engine(twins.shipped, "fp16", expected.output_names, job.model)
    except UnsupportedOperationsError as error:
        log.update(unsupported=error.operations, **_footprint_without_a_run(twins.shipped))
        _write_expected(expected, twins.shipped, (), job)
        return Answers()
    first = shipped.inputs(expected.samples.samples[0])
    memory, cost = measured_footprint(shipped.model, first)
    log.update(memory=memory, cost=cost)
    parity, precision, ranges, halves = _compare(expected, wide, shipped, log)
    _write_expected(expected, twins.shipped, halves, job)
    suspects = _failing_samples(expected, parity, job) or _challenge(expected, wide, job, log)
    engines = (wide, shipped) if expected.engine is None else (expected.engine, wide, shipped)
    inputs = tuple(wide.inputs(sample) for sample in expected.samples.samples)
    return Answers(engines, inputs, precision, ranges, suspects)


def _footprint_without_a_run(package: Package) -> dict[str, Any]:
    """Memory and cost by the declared shapes; nothing where the program leaves a shape open."""
    try:
        memory, cost = footprint(package)
    except PackageError:
        return {}
    return {"memory": memory, "cost": cost}


def _compare(
    expected: Expected, wide: MilEngine, shipped: MilEngine, log: EventLog
) -> tuple[tuple[Comparison, ...], tuple[Comparison, ...], Mapping[str, Range], tuple[Outputs, ...]]:
    ranges = Ranges()
    halves: list[Outputs] = []
    parity: list[Comparison] = []
    precision: list[Comparison] = []
    for index, sample in enumerate(expected.samples.samples):
        ranges.observe_inputs(wide.inputs(sample))
        of_wide, of_shipped = wide.run(sample, ranges.observe), shipped.run(sample)
        halves.append(of_shipped)
        if expected.outputs:
            parity += comparisons(expected.outputs[index], of_wide, index)
        precision += [
            compare(name, index, of_wide[name], of_shipped[name], ("fp32", "fp16")) for name in of_wide
        ]
    log.update(parity=parity, precision=precision)
    return tuple(parity), tuple(precision), ranges.of, tuple(halves)


def _write_expected(expected: Expected, package: Package, halves: tuple[Outputs, ...], job: Job) -> None:
    """Leave samples and answers beside the package: a Mac compares Core ML with them."""
    samples = expected.samples.samples
    nothing: tuple[Outputs, ...] = ({},) * len(samples)
    sides = zip(samples, expected.outputs or nothing, halves or nothing, strict=True)
    inputs = package.interface.inputs
    write_expected(
        job.folder / EXPECTED_NAME,
        (
            ExpectedSample(package_inputs(each, inputs, job.model), source, half)
            for each, source, half in sides
        ),
    )


def _failing_samples(expected: Expected, parity: Sequence[Comparison], job: Job) -> tuple[Suspect, ...]:
    """The user's own samples on which the float32 package differs, worst first."""
    limits = job.model.limits.parity
    wrong = [item for item in parity if not has_parity((item,), limits)]
    return tuple(
        Suspect("samples", expected.samples.samples[item.sample], item.sample, failing_error((item,), limits))
        for item in sorted(wrong, key=lambda item: -item.relative_error)
    )


def _challenge(expected: Expected, wide: MilEngine, job: Job, log: EventLog) -> tuple[Suspect, ...]:
    """Changed samples, where the samples as they are agree."""
    if expected.engine is None or not job.model.adversarial:
        return ()
    limits = job.model.limits.parity
    sides = SourceAndPackage(expected.engine, wide, job.model, limits, shape_cases(wide.model.interface))
    found = list(perturbed_samples(sides, expected.samples.samples[0]))
    log.update(adversarial=[variant for variant, _ in found])
    return tuple(
        Suspect(variant.name, sample, 0, failing_error(variant.comparisons, limits))
        for variant, sample in found
        if not has_parity(variant.comparisons, limits)
    )


def _route(twins: Twins) -> Route:
    return "trace" if twins.route == "trace" else "export"


def _case(twins: Twins, answers: Answers, job: Job) -> HalfPrecisionCase:
    """A package that comes without a float32 twin is its own."""
    wide, origins = twins.wide, read_origins(twins.origins)
    if twins.origins is None:
        wide = widened(twins.shipped)
        origins = {name: Origin(variable=name) for name in half_operations(twins.shipped)}
    limits, kept = job.model.limits.precision, job.model.keep_fp32
    return HalfPrecisionCase(wide, twins.shipped, origins, answers.inputs, limits, kept=kept)


def _diagnose(expected: Expected, twins: Twins, answers: Answers, job: Job, log: EventLog) -> None:
    case = _case(twins, answers, job)
    failed = not keeps_precision(answers.precision, case.limits)
    if not is_needed(case, answers.ranges, failed=failed):
        log.update(diagnosis=Diagnosis())
        return
    log.begin("diagnose")

    def convert_again(patterns: tuple[str, ...]) -> Path:
        config = changed(job.model, keep_fp32=patterns)
        folder, route = job.folder / REPAIRED, _route(twins)
        return convert_shipped(expected.source, expected.samples, config, folder, route)[0]

    mode, note = _repair_in(case, twins, job, failed=failed)
    try:
        log.update(diagnosis=diagnose(case, answers.ranges, RepairRequest(mode, convert_again, note)))
    except GateError as error:  # a diagnosis that fails takes nothing away from what was measured
        log.update(diagnosis=Diagnosis(note=error.message))


def _repair_in(
    case: HalfPrecisionCase, twins: Twins, job: Job, *, failed: bool
) -> tuple[HalfMode | None, str]:
    """The mode in which a repair is searched, or why in none; ``neural-engine`` if ``fp16`` passes."""
    if not failed:
        return (None if twins.origins is None else "neural-engine"), ""
    note = _why_no_repair(case, twins, job)
    return (None if note else "fp16"), note


def _why_no_repair(case: HalfPrecisionCase, twins: Twins, job: Job) -> str:
    """Compressed weights may cost what float32 operations cannot give back; a package cannot be converted."""
    if twins.origins is None:
        return "no repair: the package is taken as it is; name its source, and keep-fp32 can be searched."
    if job.model.compress is not None and keeps_precision(Trial(case).compared(frozenset()), case.limits):
        return (
            "no repair: with uncompressed weights half precision passes, so it is the compression that costs."
        )
    return ""
