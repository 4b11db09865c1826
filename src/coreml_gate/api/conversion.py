"""``convert``: a package as the gate makes it, and its float32 twin."""

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
    """The package that ships, with the precision and compression that the options say."""
    float32: Path
    """The same in float32, to separate errors of the conversion from those of FP16."""
    route: str
    """How torch captured the model: ``export``, ``decomposed``, ``undecomposed`` or ``trace``."""
    notes: tuple[str, ...]
    """What a reader should know: a fallback, an operation that got its converter from the gate."""


def convert(
    model: Model,
    samples: Iterable[object] | None = None,
    *,
    folder: str | Path,
    name: str | None = None,
    **options: Unpack[ModelKeywords],
) -> ConvertedModel:
    """Converts a model as ``coreml-gate run`` does: along each route of torch and coremltools in turn.

    :param model: A module or an exported program, or what ``source`` of the configuration names.
    :param samples: Example inputs; the first one gives the shapes. ``None`` draws random ones.
    :param folder: Takes the packages, below ``models/NAME``.
    :param options: Keys of ``[[model]]`` (docs/configuration.md), such as ``precision`` and ``compress``.
    :raises ConversionError: No route leads to a package; each is named with what the converter says.
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
