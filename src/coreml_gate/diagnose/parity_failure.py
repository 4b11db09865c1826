"""A sample on which the float32 package differs from its source, with conversions to try on it."""

import math
from dataclasses import dataclass
from pathlib import Path

from coreml_gate.comparing.compare import comparisons
from coreml_gate.config import ModelConfig
from coreml_gate.conversion.mapper import Mapper
from coreml_gate.conversion.mapping import Mapped
from coreml_gate.criteria import has_parity
from coreml_gate.engines.engine import Sample
from coreml_gate.engines.mil import MilEngine, load_mil_engine
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source, run_source
from coreml_gate.mil.package import read_package
from coreml_gate.record import Route


@dataclass(frozen=True)
class Suspect:
    """A sample on which the two sides differ."""

    found_on: str
    """``samples``, or the name of its perturbation."""
    sample: Sample
    index: int
    error: float = math.inf
    """The greatest error of the outputs that fail, as a share of the greatest reference value."""


@dataclass(frozen=True)
class Failure:
    """A model whose float32 package disagrees with its source on a sample."""

    source: Source
    samples: Samples
    config: ModelConfig
    folder: Path
    route: Route
    suspect: Suspect

    @property
    def sample(self) -> Sample:
        """The failing inputs."""
        return self.suspect.sample

    @property
    def limit(self) -> float:
        """The share of the greatest value from which two results count as different.

        A class may change although the error is within the limit; then the limit is half of that error.
        """
        allowed, error = self.config.limits.parity.max_error, self.suspect.error
        return allowed if error > allowed else error / 2

    def mapper(self, route: Route) -> Mapper:
        """A mapper that converts again along a route and knows the package's name of each value."""
        folder = self.folder / "parity" / route
        return Mapper(self.source, self.samples, self.config, folder, route)

    def engine(self, mapped: Mapped) -> MilEngine:
        """Our runtime with the package that was converted again."""
        return load_mil_engine(read_package(mapped.package), "fp32", None, self.config)

    def agrees(self, mapped: Mapped) -> bool:
        """Whether the package that was converted again agrees with the source on the failing sample."""
        index = self.suspect.index
        source, package = run_source(self.source, self.sample, index), self.engine(mapped).run(self.sample)
        return has_parity(comparisons(source, package, index), self.config.limits.parity)
