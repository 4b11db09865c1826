"""Computes recurrent layers, which coremltools writes as many operations, as single layers.

The trace route turns torch's GRU into a loop, and the export route writes out all recurrent layers turn by
turn. Both keep their operations in nested blocks, so that an observer sees them run.
"""

from collections.abc import Mapping

from coreml_gate.mil.ir import Block, Operation
from coreml_gate.runtime.arguments import Known
from coreml_gate.runtime.precision import Mode
from coreml_gate.runtime.recurrent.gru_layer import Stacked, gru_call
from coreml_gate.runtime.recurrent.layer_call import MakeCall
from coreml_gate.runtime.recurrent.unrolled_block import UNROLLED, unrolled_block
from coreml_gate.runtime.recurrent.unrolled_layer import unrolled_call

__all__ = ["UNROLLED", "RecurrentLayers"]


class RecurrentLayers:
    """The recurrent layers of one program; each is made once, for all plans."""

    def __init__(self, block: Block, mode: Mode, stacked: Stacked) -> None:
        """:param stacked: Joins constants in float32 in one tensor."""
        self._mode = mode
        self._stacked = stacked
        self._calls: dict[int, MakeCall | None] = {}
        self.block, self._unrolled = (block, {}) if mode == "neural-engine" else unrolled_block(block, mode)
        """``block`` has one operation per unrolled layer."""

    def call(self, operation: Operation, known: Mapping[str, Known]) -> MakeCall | None:
        """The call that computes an operation with blocks as a layer, if one is known for it."""
        if id(operation) not in self._calls:
            self._calls[id(operation)] = self._made(operation, known)
        return self._calls[id(operation)]

    def _made(self, operation: Operation, known: Mapping[str, Known]) -> MakeCall | None:
        if operation.type != UNROLLED:
            return gru_call(operation, known, self._mode, self._stacked)
        return unrolled_call(self._unrolled[operation.name], self._mode)
