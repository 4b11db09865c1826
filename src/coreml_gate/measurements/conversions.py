"""Makes each conversion of one source only once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from coreml_gate.children.job import ModelJob
from coreml_gate.config import ModelConfig
from coreml_gate.conversion import Conversion, ConversionCache, convert
from coreml_gate.conversion.key import CONVERSION_OPTIONS
from coreml_gate.conversion.shipped import compress_package
from coreml_gate.frozen import changed
from coreml_gate.measurements.reference import Packages, Reference
from coreml_gate.mil.package import read_package
from coreml_gate.mil.to_float32 import widened
from coreml_gate.torch_graph import TorchGraph

UNCOMPRESSED: Final = "uncompressed"


@dataclass(frozen=True)
class Conversions:
    """Converts each set of options once; packages that differ only in compression share a conversion."""

    reference: Reference
    made: dict[str, Conversion] = field(default_factory=dict)

    def of_model(self, job: ModelJob) -> Conversion:
        """The packages of the model itself."""
        conversion = self._convert(job.model, job.folder, job)
        if job.model.compress is None:
            self.made[_options(job.model)] = conversion
        return conversion

    def of_variant(self, job: ModelJob) -> Conversion:
        """The packages of a variant; files of this variant alone go to its own folder."""
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
        """The packages with these options, from the cache if possible."""
        source, samples = self.reference.source, self.reference.samples
        cache = None if job.cache is None else ConversionCache(job.cache)
        outputs = self.reference.first_outputs
        return convert(source, samples, config, folder, cache=cache, closure=job.closure, outputs=outputs)


def packages_of(made: Conversion, function: str | None, graph: TorchGraph | None) -> Packages | None:
    """The packages of a conversion, with ``function`` as the one to measure; ``None`` if it failed."""
    if made.package is None or made.reference is None:
        return None
    shipped, wide = read_package(made.package).choosing(function), read_package(made.reference)
    if made.facts.twin != "gate":  # the gate's own twin has a single function
        wide = wide.choosing(function)
    if made.facts.twin == "widened":
        wide = widened(wide)
    return Packages(shipped, wide, made.origins, made.facts.route, graph, by_team=bool(made.facts.maker))


def _options(config: ModelConfig) -> str:
    return config.model_dump_json(include=set(CONVERSION_OPTIONS) - {"compress"})
