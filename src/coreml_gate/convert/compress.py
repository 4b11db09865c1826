"""Makes the weights of a converted model smaller, as the configuration asks."""

from typing import Any

import coremltools as ct
from coremltools.optimize import coreml as cto

from coreml_gate.config import Compression

_INTEGERS = {"linear-int8": "int8", "linear-int4": "int4"}


def compress(model: ct.models.MLModel, options: Compression) -> ct.models.MLModel:
    """Quantises linearly (symmetric, one scale per channel or block) or palettises by k-means."""
    config = cto.OptimizationConfig(global_config=_operation_config(options))
    if options.method == "palettize":
        return cto.palettize_weights(model, config)
    return cto.linear_quantize_weights(model, config)


def _operation_config(options: Compression) -> Any:  # noqa: ANN401 - coremltools' own types
    grouped = options.block_size is not None
    if options.method == "palettize":
        group: dict[str, object] = {"granularity": "per_grouped_channel", "group_size": options.block_size}
        return cto.OpPalettizerConfig(
            mode="kmeans",
            nbits=options.bits,
            weight_threshold=options.weight_threshold,
            **(group if grouped else {}),
        )
    block: dict[str, object] = {"granularity": "per_block", "block_size": options.block_size}
    return cto.OpLinearQuantizerConfig(
        mode="linear_symmetric",
        dtype=_INTEGERS[options.method],
        weight_threshold=options.weight_threshold,
        **(block if grouped else {}),
    )
