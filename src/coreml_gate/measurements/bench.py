"""The intermediate results that the measurements of one model share, each made once, on first use."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from coreml_gate.children.job import ModelJob
from coreml_gate.conversion import Conversion
from coreml_gate.criteria import failing_error, has_parity
from coreml_gate.diagnose.parity_failure import Suspect
from coreml_gate.diagnose.perturbed_samples import (
    ChangesBudget,
    SourceAndPackage,
    perturbed_samples,
    reshaped_samples,
)
from coreml_gate.engines.engine import Engine, Sample
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.errors import UnsupportedOperationsError
from coreml_gate.measurements.conversions import Conversions, packages_of
from coreml_gate.measurements.reference import NOTHING_AT_HAND, AtHand, Packages, Reference
from coreml_gate.measurements.runs import MilEngines, Runs, footprint_of, run_both
from coreml_gate.package_facts.shapes import promised_shapes
from coreml_gate.record import CostFacts, MemoryFacts, MetricValue, PerturbedSample
from coreml_gate.torch_graph import TorchGraph, read_graph
from coreml_gate.wording import counted


@dataclass(frozen=True)
class Bench:
    """The shared results of one model, or one variant of it, while it is measured."""

    job: ModelJob
    beside: "Bench | None" = None
    """The model's own bench, whose source and conversions a variant shares."""
    at_hand: AtHand = NOTHING_AT_HAND
    advance: Callable[[str], None] = lambda _: None
    """Called with the progress of a long step, in words."""

    @cached_property
    def reference(self) -> Reference:
        """The source or package with which the packages are compared."""
        return Reference(self.job, self.at_hand) if self.beside is None else self.beside.reference

    @cached_property
    def conversions(self) -> Conversions:
        """All conversions of the source."""
        return Conversions(self.reference) if self.beside is None else self.beside.conversions

    @cached_property
    def conversion(self) -> Conversion | None:
        """The result of the conversion; ``None`` for a source that is a package."""
        if self.reference.given is not None:
            return None
        made = self.conversions
        return made.of_model(self.job) if self.beside is None else made.of_variant(self.job)

    @cached_property
    def graph(self) -> TorchGraph | None:
        """The graph that the converter received."""
        return None if self.conversion is None else read_graph(self.conversion.graph)

    @cached_property
    def packages(self) -> Packages | None:
        """Both packages; ``None`` if the conversion failed."""
        if self.conversion is None:
            return self.reference.given
        return packages_of(self.conversion, self.job.model.function, self.graph)

    @cached_property
    def loaded(self) -> MilEngines | UnsupportedOperationsError | None:
        """Both packages in our runtime, or the operations it does not know; ``None`` without packages."""
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
        """Both packages in our runtime; ``None`` if they cannot run."""
        return self.loaded if isinstance(self.loaded, MilEngines) else None

    @cached_property
    def footprint(self) -> tuple[MemoryFacts, CostFacts] | None:
        """Memory and cost of a run; ``None`` without packages, and where no shape is known."""
        return None if self.packages is None else footprint_of(self.packages, self.reference, self.mil)

    @cached_property
    def runs(self) -> Runs | None:
        """The outputs of both packages for every sample; ``None`` if they cannot run."""
        return None if self.mil is None else run_both(self.reference, self.mil, self.advance)

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
    def sides(self) -> SourceAndPackage | None:
        """The two sides that changed samples run through; ``None`` if nothing can be compared."""
        engine, config = self.reference.engine, self.job.model
        if engine is None or self.mil is None:
            return None
        wide = self.mil.wide
        return SourceAndPackage(
            engine, wide, config, config.limits.parity, promised_shapes(wide.model.interface)
        )

    @cached_property
    def reshaped(self) -> tuple[tuple[PerturbedSample, Sample], ...]:
        """The first sample in the other allowed shapes."""
        if self.failing or self.sides is None:
            return ()
        return tuple(reshaped_samples(self.sides, self.reference.samples.samples[0]))

    @cached_property
    def perturbed(self) -> tuple[tuple[PerturbedSample, Sample], ...] | None:
        """Changed samples; ``None`` if the original samples already differ, or nothing can be compared."""
        if self.failing or self.sides is None or not self.job.model.adversarial:
            return None
        first = self.reference.samples.samples[0]
        return tuple(self._counted(perturbed_samples(self.sides, first, self.changes_budget)))

    @cached_property
    def changes_budget(self) -> ChangesBudget:
        """How many changed samples are tried, and afterwards which were not."""
        return ChangesBudget(0 if self.footprint is None else self.footprint[1].macs)

    def _counted(
        self, perturbed: Iterable[tuple[PerturbedSample, Sample]]
    ) -> Iterator[tuple[PerturbedSample, Sample]]:
        for number, each in enumerate(perturbed, 1):
            self.advance(f"{counted(number, 'changed sample')}, the last one {each[0].name}")
            yield each

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """Samples on which the float32 package differs from the source."""
        limits = self.job.model.limits.parity
        return self.failing or tuple(
            Suspect(perturbed.name, sample, 0, failing_error(perturbed.comparisons, limits))
            for perturbed, sample in (*self.reshaped, *(self.perturbed or ()))
            if not has_parity(perturbed.comparisons, limits)
        )

    @property
    def engines(self) -> tuple[Engine, ...]:
        """All engines of the model; for a variant only its package, because the rest belongs to the model."""
        if self.mil is None:
            return ()
        if self.beside is not None:
            return (self.mil.shipped,)
        source = self.reference.engine
        mil: tuple[Engine, ...] = (self.mil.wide, self.mil.shipped)
        return mil if source is None else (source, *mil)

    @cached_property
    def metrics(self) -> tuple[MetricValue, ...]:
        """The user's metrics for every engine; a variant uses the source metrics of its model."""
        if self.job.model.evaluate is None or not self.engines:
            return ()
        known = () if self.beside is None else self.beside.metrics
        own = self.reference.metrics_of(self.one_at_a_time(), self.advance)
        return (*(metric for metric in known if metric.side == "source"), *own)

    def one_at_a_time(self) -> Iterator[Engine]:
        """Yield all engines in turn, so that only one holds packed weights at a time."""
        for engine in self.engines:
            self.release()
            yield engine

    def release(self) -> None:
        """Free both packages' packed weights; a later run packs them again."""
        for engine in () if self.mil is None else (self.mil.wide, self.mil.shipped):
            engine.release()

    @property
    def inputs(self) -> tuple[Mapping[str, Any], ...]:
        """Every sample as the float32 package takes it, rounded like the inputs of the shipped package."""
        if self.mil is None:
            return ()
        mil = self.mil
        return tuple(mil.wide.inputs(mil.rounded(sample)) for sample in self.reference.samples.samples)
