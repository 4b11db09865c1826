"""What the measurements of one model make for each other: each thing when it is first needed, and once."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from coreml_gate.children.job import ModelJob
from coreml_gate.config import ModelConfig
from coreml_gate.convert import Conversion, ConversionCache, convert
from coreml_gate.convert.capture import Route
from coreml_gate.convert.key import CONVERSION_OPTIONS
from coreml_gate.convert.pipeline import compress_package
from coreml_gate.criteria import failing_error, has_parity
from coreml_gate.diagnose.parity_diagnosis import Suspect, comparisons
from coreml_gate.diagnose.perturbed_samples import SourceAndPackage, perturbed_samples
from coreml_gate.diagnose.ranges import Range, Ranges
from coreml_gate.engines.engine import Engine, Outputs, Sample
from coreml_gate.engines.mil import MilEngine, load_mil_engine
from coreml_gate.engines.samples import Samples, load_samples
from coreml_gate.engines.source import Source, load_source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import UnsupportedOperationsError
from coreml_gate.frozen import changed
from coreml_gate.measure.compare import compare
from coreml_gate.measure.evaluate import evaluate
from coreml_gate.measure.shapes import shape_cases
from coreml_gate.mil.package import Package, read_package
from coreml_gate.mil.to_float32 import widened
from coreml_gate.record import Comparison, MetricValue, PerturbedSample
from coreml_gate.torch_graph import TorchGraph, read_graph

PACKAGE_NAME: Final = "package.mlpackage"
UNCOMPRESSED: Final = "uncompressed"


@dataclass(frozen=True)
class Packages:
    """The package that ships, and its float32 twin, which tells conversion errors from precision errors."""

    shipped: Package
    wide: Package
    origins: Path | None = None
    route: Literal["export", "trace", "none"] = "none"
    graph: TorchGraph | None = None

    @property
    def route_taken(self) -> Route:
        """The route by which they were converted, or the one that is tried first."""
        return "trace" if self.route == "trace" else "export"


@dataclass(frozen=True)
class MilEngines:
    """Our runtime with both packages."""

    wide: MilEngine
    shipped: MilEngine


@dataclass(frozen=True)
class Runs:
    """What both packages computed of every sample, and how far apart they are."""

    parity: tuple[Comparison, ...]
    precision: tuple[Comparison, ...]
    ranges: Mapping[str, Range]
    halves: tuple[Outputs, ...]


@dataclass(frozen=True)
class Reference:
    """What a package is compared with: the samples and, where there is a PyTorch source, its outputs."""

    job: ModelJob

    @cached_property
    def source(self) -> Source:
        """The source; raises :class:`SourceError` where there is none."""
        return load_source(self.job.model.source, self.job.root)

    @cached_property
    def given(self) -> Packages | None:
        """The source itself where it is a package, copied beside the Record: the base's tree goes away."""
        path = self.source.path
        if path is None:
            return None
        read_package(path).choosing(self.job.model.function)
        copy = shutil.copytree(path, self.job.folder / PACKAGE_NAME, dirs_exist_ok=True)
        package = read_package(copy).choosing(self.job.model.function)
        return Packages(shipped=package, wide=package)

    @cached_property
    def samples(self) -> Samples:
        """The user's samples, or random ones."""
        interface = () if self.given is None else self.given.shipped.interface.inputs
        return load_samples(self.job.model, self.source, self.job.root, self.job.max_samples, interface)

    @cached_property
    def engine(self) -> SourceEngine | None:
        """The source as an engine; ``None`` for a package."""
        return None if self.given is not None else SourceEngine(self.source, self.job.model.output)

    @cached_property
    def outputs(self) -> tuple[Outputs, ...]:
        """What the source computes of each sample; empty for a package."""
        if self.engine is None:
            return ()
        return tuple(self.engine.run(sample, index) for index, sample in enumerate(self.samples.samples))

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """The source's output names, or ``None``: the package keeps its own."""
        return tuple(self.outputs[0]) if self.outputs else None


@dataclass(frozen=True)
class Conversions:
    """Converts each set of options once: packages that differ in compression alone share a conversion."""

    reference: Reference
    made: dict[str, Conversion] = field(default_factory=dict)

    def of_model(self, job: ModelJob) -> Conversion:
        """The packages of the model itself."""
        conversion = self._convert(job.model, job.folder, job)
        if job.model.compress is None:
            self.made[_options(job.model)] = conversion
        return conversion

    def of_variant(self, job: ModelJob) -> Conversion:
        """The packages of a variant; its own folder takes what belongs to it alone."""
        plain, compress = self._uncompressed(job), job.model.compress
        return plain if compress is None else compress_package(plain, compress, job.folder)

    def _uncompressed(self, job: ModelJob) -> Conversion:
        key, config = _options(job.model), job.model
        if key not in self.made:
            plain = changed(config, compress=None)
            folder = job.folder.parent / f"{UNCOMPRESSED}-{len(self.made)}" if config.compress else job.folder
            self.made[key] = self._convert(plain, folder, job)
        return self.made[key]

    def _convert(self, config: ModelConfig, folder: Path, job: ModelJob) -> Conversion:
        """The packages with these options, from the cache where they are in it."""
        source, samples = self.reference.source, self.reference.samples
        cache = None if job.cache is None else ConversionCache(job.cache)
        return convert(source, samples, config, folder, cache=cache, closure=job.closure)


def _options(config: ModelConfig) -> str:
    return config.model_dump_json(include=set(CONVERSION_OPTIONS) - {"compress"})


@dataclass(frozen=True)
class Bench:
    """One model, or one variant of it, while it is measured."""

    job: ModelJob
    beside: "Bench | None" = None
    """The model's own bench, whose source and conversions a variant shares."""

    @cached_property
    def reference(self) -> Reference:
        """What the packages are compared with."""
        return Reference(self.job) if self.beside is None else self.beside.reference

    @cached_property
    def conversions(self) -> Conversions:
        """All conversions of the source."""
        return Conversions(self.reference) if self.beside is None else self.beside.conversions

    @cached_property
    def conversion(self) -> Conversion | None:
        """How the conversion went; ``None`` for a source that is a package."""
        if self.reference.given is not None:
            return None
        made = self.conversions
        return made.of_model(self.job) if self.beside is None else made.of_variant(self.job)

    @cached_property
    def graph(self) -> TorchGraph | None:
        """What the converter was given."""
        return None if self.conversion is None else read_graph(self.conversion.graph)

    @cached_property
    def packages(self) -> Packages | None:
        """Both packages; ``None`` where the conversion failed."""
        made = self.conversion
        if made is None:
            return self.reference.given
        if made.package is None or made.reference is None:
            return None
        function = self.job.model.function
        shipped, wide = (read_package(path).choosing(function) for path in (made.package, made.reference))
        if made.facts.twin == "widened":
            wide = widened(wide)
        return Packages(shipped, wide, made.origins, made.facts.route, self.graph)

    @cached_property
    def loaded(self) -> MilEngines | UnsupportedOperationsError | None:
        """Both packages in our runtime, or what it does not know; ``None`` without packages."""
        if self.packages is None:
            return None
        names, config = self.reference.output_names, self.job.model
        try:
            return MilEngines(
                load_mil_engine(self.packages.wide, "fp32", names, config),
                load_mil_engine(self.packages.shipped, "fp16", names, config),
            )
        except UnsupportedOperationsError as error:
            return error

    @property
    def mil(self) -> MilEngines | None:
        """Both packages in our runtime; ``None`` where they cannot run."""
        return self.loaded if isinstance(self.loaded, MilEngines) else None

    @cached_property
    def runs(self) -> Runs | None:
        """Both packages on every sample; ``None`` where they cannot run."""
        return None if self.mil is None else _run(self.reference, self.mil)

    @cached_property
    def failing(self) -> tuple[Suspect, ...]:
        """The user's own samples on which the float32 package differs, worst first."""
        limits, samples = self.job.model.limits.parity, self.reference.samples.samples
        parity = () if self.runs is None else self.runs.parity
        wrong = [item for item in parity if not has_parity((item,), limits)]
        return tuple(
            Suspect("samples", samples[item.sample], item.sample, failing_error((item,), limits))
            for item in sorted(wrong, key=lambda item: -item.relative_error)
        )

    @cached_property
    def perturbed(self) -> tuple[tuple[PerturbedSample, Sample], ...] | None:
        """Changed samples; ``None`` where the samples differ as they are, or nothing can be compared."""
        engine, config = self.reference.engine, self.job.model
        if self.failing or engine is None or self.mil is None or not config.adversarial:
            return None
        wide = self.mil.wide
        cases = shape_cases(wide.model.interface)
        sides = SourceAndPackage(engine, wide, config, config.limits.parity, cases)
        return tuple(perturbed_samples(sides, self.reference.samples.samples[0]))

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """Samples on which the float32 package does not compute what the source does."""
        limits = self.job.model.limits.parity
        return self.failing or tuple(
            Suspect(perturbed.name, sample, 0, failing_error(perturbed.comparisons, limits))
            for perturbed, sample in self.perturbed or ()
            if not has_parity(perturbed.comparisons, limits)
        )

    @property
    def engines(self) -> tuple[Engine, ...]:
        """All engines of the model; of a variant only the package that ships, as the rest is the model's."""
        if self.mil is None:
            return ()
        if self.beside is not None:
            return (self.mil.shipped,)
        source = self.reference.engine
        mil: tuple[Engine, ...] = (self.mil.wide, self.mil.shipped)
        return mil if source is None else (source, *mil)

    @cached_property
    def metrics(self) -> tuple[MetricValue, ...]:
        """The user's metrics of every engine; the source's metrics of a variant are its model's."""
        if self.job.model.evaluate is None or not self.engines:
            return ()
        known = () if self.beside is None else self.beside.metrics
        own = evaluate(self.job.model.evaluate, self.job.root, self.engines, self.reference.samples.names)
        return (*(metric for metric in known if metric.side == "source"), *own)

    @property
    def inputs(self) -> tuple[Mapping[str, Any], ...]:
        """Every sample as the float32 package takes it."""
        if self.mil is None:
            return ()
        return tuple(self.mil.wide.inputs(sample) for sample in self.reference.samples.samples)


def _run(reference: Reference, mil: MilEngines) -> Runs:
    ranges = Ranges()
    halves: list[Outputs] = []
    parity: list[Comparison] = []
    precision: list[Comparison] = []
    for index, sample in enumerate(reference.samples.samples):
        ranges.observe_inputs(mil.wide.inputs(sample))
        of_wide, of_shipped = mil.wide.run(sample, ranges.observe), mil.shipped.run(sample)
        halves.append(of_shipped)
        if reference.outputs:
            parity += comparisons(reference.outputs[index], of_wide, index)
        precision += [
            compare(name, index, of_wide[name], of_shipped[name], ("fp32", "fp16")) for name in of_wide
        ]
    return Runs(tuple(parity), tuple(precision), ranges.of, tuple(halves))
