"""``convert``: makes a package and its float32 twin as the gate does."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from coreml_gate.api.bench import Model, bench_of, folder_for, kept_random_state
from coreml_gate.api.options import ModelKeywords
from coreml_gate.errors import ConversionError, UsageError
from coreml_gate.measurements.bench import Bench


@dataclass(frozen=True)
class ConvertedModel:
    """The packages of one model."""

    package: Path
    """The package that ships, with the precision and compression of the options."""
    float32: Path
    """The same in float32, to separate errors of the conversion from those of FP16."""
    route: str
    """How torch captured the model: ``export``, ``decomposed``, ``undecomposed`` or ``trace``."""
    notes: tuple[str, ...]
    """Notes on the conversion: a fallback, an operation converted by one of the gate's own converters."""


def convert(
    model: Model,
    samples: Iterable[object] | None = None,
    *,
    folder: str | Path,
    name: str | None = None,
    **options: Unpack[ModelKeywords],
) -> ConvertedModel:
    """Converts a model like ``coreml-gate run``, along each route of torch and coremltools in turn.

    :param model: A module, an exported program, or a ``source`` as in the configuration.
    :param samples: Example inputs; the first one gives the shapes. ``None`` draws random ones.
    :param folder: For the packages, below ``models/NAME``.
    :param options: Keys of ``[[model]]`` (docs/configuration.md), such as ``precision`` and ``compress``.
    :raises ConversionError: No route gave a package; the message has the converter's error for each.
    :raises SourceError: The model does not run on its first sample.
    """
    _, bench = bench_of("convert", model, samples, options, name=name, folder=folder_for(folder))
    with kept_random_state():
        return _packages(bench)


def _packages(bench: Bench) -> ConvertedModel:
    made = bench.conversion
    if made is None:
        raise UsageError(f"`{bench.job.model.source}` is a package already.", "use it as it is.")
    facts = made.facts
    if made.package is None or made.reference is None:
        raise ConversionError(facts.message, facts.hint, lines=facts.log_tail)
    return ConvertedModel(made.package, made.reference, facts.route, facts.notes)
