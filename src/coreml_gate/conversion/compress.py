"""Compresses the weights of a converted model as configured."""

from collections.abc import Callable, Mapping
from typing import Final

import coremltools as ct
from coremltools.optimize import coreml as cto

from coreml_gate.config import Compression
from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.conversion.quick import quick_conversion
from coreml_gate.untyped import CoreMlObject

_TARGETS = {7: "iOS16", 8: "iOS17", 9: "iOS18"}
"""The deployment target of each specification version."""
_METHODS: Final[Mapping[str, Callable[..., ct.models.MLModel]]] = {
    "linear-int8": cto.linear_quantize_weights,
    "linear-int4": cto.linear_quantize_weights,
    "palettize": cto.palettize_weights,
    "prune": cto.prune_weights,
}
_INTEGERS = {"linear-int8": "int8", "linear-int4": "int4"}


def compress(model: ct.models.MLModel, options: Compression) -> ct.models.MLModel:
    """Quantizes linearly (symmetric, one scale per channel or block), palettizes by k-means, or prunes.

    coremltools raises the package's version silently when compressed weights need a later one; that is a
    :class:`ConversionFailedError` here, because older phones could not load the package any more.
    """
    config = cto.OptimizationConfig(global_config=_operation_config(options))
    with quick_conversion():
        compressed = _METHODS[options.method](model, config)
    before, after = (one.get_spec().specificationVersion for one in (model, compressed))
    if after > before:
        raise ConversionFailedError(
            f"`compress` raises the package's specification version from {before} to {after}: phones of the "
            "configured deployment target could not load it.",
            f'set `deployment-target = "{_TARGETS.get(after, "iOS18")}"`, or leave `compress` out.',
        )
    return compressed


def _operation_config(options: Compression) -> CoreMlObject:
    grouped = options.block_size is not None
    if options.method == "palettize":
        group: dict[str, object] = {"granularity": "per_grouped_channel", "group_size": options.block_size}
        return cto.OpPalettizerConfig(
            mode="kmeans",
            nbits=options.bits,
            weight_threshold=options.weight_threshold,
            **(group if grouped else {}),
        )
    if options.method == "prune":
        return cto.OpMagnitudePrunerConfig(
            target_sparsity=options.sparsity, weight_threshold=options.weight_threshold
        )
    block: dict[str, object] = {"granularity": "per_block", "block_size": options.block_size}
    return cto.OpLinearQuantizerConfig(
        mode="linear_symmetric",
        dtype=_INTEGERS[options.method],
        weight_threshold=options.weight_threshold,
        **(block if grouped else {}),
    )
