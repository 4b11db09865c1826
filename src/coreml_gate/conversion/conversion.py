"""The task and the result of a conversion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coreml_gate.config import ModelConfig
from coreml_gate.engines.engine import Outputs
from coreml_gate.engines.features import with_program_ranges
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source, run_source
from coreml_gate.record import ConversionFacts

REFERENCE: Final = "reference.mlpackage"
PACKAGE: Final = "package.mlpackage"
ORIGINS: Final = "operations.json"


@dataclass(frozen=True)
class Task:
    """One source to convert with its options, and its outputs for the first sample."""

    source: Source
    samples: Samples
    config: ModelConfig
    folder: Path
    outputs: Outputs


def task_of(
    source: Source, samples: Samples, config: ModelConfig, folder: Path, outputs: Outputs | None = None
) -> Task:
    """The task of a source; runs the first sample if its outputs, by the source's own names, are not given.

    Raises :class:`~coreml_gate.errors.SourceError` if the source fails.
    """
    own = with_program_ranges(config, source, samples.names)
    if outputs is None:
        outputs = run_source(source, samples.samples[0])
    return Task(source, samples, own, folder, outputs)


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion, and the paths of its packages (``None`` if there is none)."""

    facts: ConversionFacts
    reference: Path | None
    """The float32 twin; the package itself if it is float32 and not compressed."""
    package: Path | None
    origins: Path | None = None
    """The file that lists where each operation in half was written (``conversion/origins.py``)."""
    graph: Path | None = None
    """The captured graph (``conversion/graph.py``), of a failed conversion that of the last route."""
