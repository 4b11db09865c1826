"""The reference for a package: the source, its samples and its outputs, or a package as the source."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from torch.export import ExportedProgram

from coreml_gate.children.job import ModelJob
from coreml_gate.comparing.noise_floor import LITTLE, is_steady, noise_floors
from coreml_gate.conversion.conversion import PACKAGE
from coreml_gate.engines.engine import SEED, Engine, Outputs
from coreml_gate.engines.evaluate import evaluate
from coreml_gate.engines.in_double import in_double
from coreml_gate.engines.python import load_callable
from coreml_gate.engines.samples import Samples, load_samples, samples_of
from coreml_gate.engines.source import Source, as_source, copied_package, load_source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import EvaluateError, SourceError
from coreml_gate.mil.outline import UNKNOWN, ModuleNames, written_modules
from coreml_gate.mil.package import Package, read_package
from coreml_gate.record import MetricValue, Route
from coreml_gate.torch_graph import TorchGraph

_FLOOR_SAMPLES: Final = 3
_FLOOR_SECONDS: Final = 1.0
"""A limit on this thread's CPU time: a large model runs once in float64, a small one on three samples."""


@dataclass(frozen=True)
class Packages:
    """The shipped package and its float32 twin, which separates errors of conversion and precision."""

    shipped: Package
    wide: Package
    origins: Path | None = None
    route: Literal[Route, "none"] = "none"
    graph: TorchGraph | None = None
    by_team: bool = False
    """Whether a team's own conversion made the shipped package: the graph does not have its names."""

    @property
    def names(self) -> ModuleNames:
        """The source's module names, by what the converter makes of them."""
        if self.graph is None:
            return UNKNOWN
        written = written_modules(call.module for call in self.graph.calls)
        return ModuleNames(written, {} if self.by_team else self.graph.convolutions())

    @property
    def route_taken(self) -> Route:
        """The route of the conversion, or the one that is tried first."""
        return "export" if self.route == "none" else self.route


@dataclass(frozen=True)
class AtHand:
    """Objects that a program passes directly; those that are ``None`` are loaded by their names."""

    model: torch.nn.Module | ExportedProgram | None = None
    samples: Iterable[object] | None = None
    metric: Callable[..., object] | None = None


NOTHING_AT_HAND: Final = AtHand()


@dataclass(frozen=True)
class Reference:
    """The samples and, for a PyTorch source, its outputs, with which a package is compared."""

    job: ModelJob
    at_hand: AtHand = NOTHING_AT_HAND

    @cached_property
    def source(self) -> Source:
        """The source; raises :class:`SourceError` if there is none."""
        name, root = self.job.model.source, self.job.root
        built = self.at_hand.model
        return load_source(name, root) if built is None else as_source(name, root, built)

    @cached_property
    def given(self) -> Packages | None:
        """A source that is a package, copied beside the Record because the base's tree is removed later."""
        path = self.source.path
        if path is None:
            return None
        read_package(path).choosing(self.job.model.function)
        copy = copied_package(path, self.job.folder / PACKAGE)
        package = read_package(copy).choosing(self.job.model.function)
        return Packages(shipped=package, wide=package)

    @cached_property
    def samples(self) -> Samples:
        """The user's samples, or random ones."""
        interface = () if self.given is None else self.given.shipped.interface.inputs
        config, root, most = self.job.model, self.job.root, self.job.max_samples
        if self.at_hand.samples is None:
            return load_samples(config, self.source, root, most, interface)
        return samples_of(self.at_hand.samples, config, self.source, root, most, interface)

    def metrics_of(
        self, engines: Iterable[Engine], advance: Callable[[str], None] = lambda _: None
    ) -> tuple[MetricValue, ...]:
        """The user's metrics with each of the engines; none if the configuration has no ``evaluate``."""
        name, root = self.job.model.evaluate, self.job.root
        if name is None:
            return ()
        metric = self.at_hand.metric or load_callable(name, root, EvaluateError)
        return evaluate(metric, name, root, engines, self.samples.names, advance)

    @cached_property
    def engine(self) -> SourceEngine | None:
        """The source as an engine; ``None`` for a package."""
        return None if self.given is not None else SourceEngine(self.source, self.job.model.output)

    @cached_property
    def outputs(self) -> tuple[Outputs, ...]:
        """The source's outputs for each sample; empty for a package."""
        if self.engine is None:
            return ()
        return tuple(self.engine.run(sample, index) for index, sample in enumerate(self.samples.samples))

    @property
    def first_outputs(self) -> Outputs | None:
        """The first sample's outputs under the source's own names; ``None`` if the names are configured."""
        return self.outputs[0] if self.outputs and not self.job.model.output else None

    @cached_property
    def again(self) -> tuple[Outputs, ...]:
        """The outputs of a second run with other random states; those of a steady source are the same."""
        return tuple(map(self._run_again, range(len(self.outputs))))

    def _run_again(self, index: int) -> Outputs:
        """Run one sample again, while Python and NumPy draw other numbers."""
        if self.engine is not None and index not in self._repeated:
            self._repeated[index] = self.engine.run(self.samples.samples[index], index, SEED + 1)
        return self._repeated[index]

    @cached_property
    def _repeated(self) -> dict[int, Outputs]:
        return {}

    @cached_property
    def floors(self) -> Mapping[str, float] | SourceError:
        """Each output's difference between float32 and float64, over a few samples, or why none is known."""
        engine, samples = self.engine, self.samples.samples
        if engine is None or not self.outputs:
            return {}
        worst: dict[str, float] = {}
        measured, started = 0, time.thread_time()
        try:
            wide = in_double(engine)
            for sample, outputs in zip(samples[:_FLOOR_SAMPLES], self.outputs, strict=False):
                found = noise_floors(engine, wide, sample, outputs)
                worst = {name: max(error, worst.get(name, 0.0)) for name, error in found.items()}
                measured += 1
                if time.thread_time() - started > _FLOOR_SECONDS:
                    break
            return {name: error for name, error in worst.items() if self._is_rounding(name, error, measured)}
        except SourceError as error:
            return error

    def _is_rounding(self, name: str, floor: float, measured: int) -> bool:
        """Whether a floor is rounding, not the variation of an unsteady source; a small floor always is.

        The floor comes from the first ``measured`` samples, so these run again.
        """
        first = [outputs[name] for outputs in self.outputs]
        greatest = max(float(np.abs(each).max(initial=0.0, where=np.isfinite(each))) for each in first)
        if floor <= LITTLE * greatest:
            return True
        return all(is_steady(first[index], self._run_again(index)[name]) for index in range(measured))

    @property
    def known_floors(self) -> Mapping[str, float]:
        """The floors; empty if they are unknown."""
        return {} if isinstance(self.floors, SourceError) else self.floors

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """The source's output names; ``None`` if the package keeps its own."""
        return tuple(self.outputs[0]) if self.outputs else None
