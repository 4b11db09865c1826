"""Makes the shipped package again: compressed, or along a known route."""

from dataclasses import replace
from pathlib import Path

import coremltools as ct

from coreml_gate.config import Compression, ModelConfig
from coreml_gate.conversion.capture import capture
from coreml_gate.conversion.compress import compress
from coreml_gate.conversion.conversion import PACKAGE, Conversion, task_of
from coreml_gate.conversion.failures import ConversionFailedError, converter_errors
from coreml_gate.conversion.origins import Origin
from coreml_gate.conversion.packages import save, to_half
from coreml_gate.conversion.shims import identity_shims
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source
from coreml_gate.frozen import changed
from coreml_gate.record import Route


def compress_package(plain: Conversion, options: Compression, folder: Path) -> Conversion:
    """Compress an uncompressed package into ``folder``; the twin is shared.

    A failure is a value, as with :func:`convert`.
    """
    if plain.package is None:
        return plain
    try:
        with converter_errors(folder):
            model = compress(ct.models.MLModel(str(plain.package), skip_model_load=True), options)
            return replace(plain, package=save(model, folder / PACKAGE))
    except ConversionFailedError as failure:
        facts = changed(plain.facts, status="failed", message=failure.message, hint=failure.hint)
        return Conversion(facts, None, None, graph=plain.graph)


def convert_shipped(
    source: Source, samples: Samples, config: ModelConfig, folder: Path, route: Route
) -> tuple[Path, dict[str, Origin]]:
    """Convert only the shipped package again, along a route that worked.

    :raises ConversionFailedError: The route no longer works.
    """
    task = task_of(source, samples, config, folder)
    with converter_errors(source.root), identity_shims():
        model, origins = to_half(capture(route, source, samples, task.config), task)
    return save(model, folder / PACKAGE), origins
