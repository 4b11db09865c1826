"""What is documented about operations that the Neural Engine does not run, one rule per reason.

Core ML decides by a cost model that is not public, on the chip and system at hand. So a rule can only tell
what certainly or probably stays off the Neural Engine, never that an operation runs there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from coreml_gate.mil.ir import Operation, TensorType
from coreml_gate.mil.values import Values

TYPED_EXECUTION: Final = "apple.github.io/coremltools/docs-guides/source/typed-execution.html"
UNSUPPORTED_LAYERS: Final = "github.com/hollance/neural-engine/blob/master/docs/unsupported-layers.md"
RANGES: Final = "developer.apple.com/forums/thread/724930"

_RECURRENT: Final = frozenset({"lstm", "gru", "rnn"})
_GATHER: Final = frozenset({"gather", "gather_along_axis", "gather_nd"})
_MOVES_TYPES: Final = frozenset({"cast"})
"""Where float32 and float16 meet there has to be a cast; it is not what keeps the work off the engine."""


@dataclass(frozen=True)
class PlacementRule:
    """One reason, whether it holds for an operation, and who says so."""

    reason: str
    source: str
    holds: Callable[[Values, Operation], bool]

    def __str__(self) -> str:
        return f"{self.reason} ({self.source})"


def _is_not_half(_: Values, operation: Operation) -> bool:
    types = [value.type for value in operation.outputs]
    return operation.type not in _MOVES_TYPES and any(
        isinstance(type_, TensorType) and type_.dtype != "fp16" for type_ in types
    )


def _is_dilated(values: Values, operation: Operation) -> bool:
    dilations = values.constant(operation, "dilations") if operation.type == "conv" else None
    return dilations is not None and bool(np.greater(dilations, 1).any())


RULES: Final[Mapping[str, PlacementRule]] = {
    "type": PlacementRule("the Neural Engine computes in float16 only", TYPED_EXECUTION, _is_not_half),
    "recurrent": PlacementRule(
        "recurrent layers do not run on it", UNSUPPORTED_LAYERS, lambda _, each: each.type in _RECURRENT
    ),
    "gather": PlacementRule(
        "gather does not run on it", UNSUPPORTED_LAYERS, lambda _, each: each.type in _GATHER
    ),
    "dilation": PlacementRule("dilated convolutions do not run on it", UNSUPPORTED_LAYERS, _is_dilated),
}
"""In the order in which they are asked: the first that holds is named."""

RANGES_NOTE: Final = (
    "an input takes a range of shapes: the Neural Engine runs the default shape only, while it can run every "
    f"one of enumerated shapes ({RANGES})"
)
