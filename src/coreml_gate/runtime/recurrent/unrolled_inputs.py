"""Recognises the input terms of all turns of an unrolled layer: one linear layer of the sequence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coreml_gate.mil.ir import Argument, Constant, Operation, TensorType
from coreml_gate.runtime.pattern import OtherFormError, Wiring, argument, demand
from coreml_gate.runtime.recurrent.unrolled_turns import SHAPES_ALONE

_MATRIX, _MATRICES = 2, 3


@dataclass(frozen=True, slots=True, eq=False)
class InputProduct:
    """The product of a sequence (length, batch, features), in any shape, and a weight (width, features)."""

    sequence: str
    weight: NDArray[np.generic]
    bias: NDArray[np.generic] | None
    backwards: bool
    """Whether the turns begin at the last position."""
    operations: frozenset[str]
    """The names of the operations that compute it."""


def input_product(products: str, wiring: Wiring) -> InputProduct | None:
    """The linear layer that gives the rows of all turns; ``None`` if they have another origin."""
    try:
        return _InputReader(wiring).read(products)
    except OtherFormError:
        return None


class _InputReader:
    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._seen: set[str] = set()

    def read(self, products: Argument) -> InputProduct:
        made = self._made(products)
        backwards = made.type == "reverse"
        if backwards:
            demand(self._wiring.values(argument(made, "axes")) == [0])
            made = self._made(argument(made, "x"))
        bias = None
        if made.type == "add":
            made, bias = self._biased(made)
        if made.type == "linear":
            weight, bias = self._array(argument(made, "weight")), self._array(argument(made, "bias"))
        else:
            weight = self._matrix(made)
        sequence = self._unshaped(argument(made, "x"))
        demand(isinstance(sequence, str) and weight.ndim == _MATRIX and weight.size > 0)
        demand(bias is None or bias.shape == weight.shape[:1])
        return InputProduct(str(sequence), weight, bias, backwards, frozenset(self._seen))

    def _biased(self, total: Operation) -> tuple[Operation, NDArray[np.generic]]:
        """The product and the constant of a sum."""
        product, bias = argument(total, "x"), argument(total, "y")
        if not isinstance(product, str) or product in self._wiring.known:
            product, bias = bias, product
        return self._made(product), self._array(bias)

    def _matrix(self, made: Operation) -> NDArray[np.generic]:
        """The matrix of a product, (width, features).

        The converter repeats it for each position of a batch-first sequence.
        """
        demand(made.type == "matmul" and self._wiring.values(argument(made, "transpose_x")) == [False])
        matrix = self._array(argument(made, "y"))
        if matrix.ndim == _MATRICES:
            demand(len(matrix) > 0 and bool((matrix == matrix[:1]).all()))
            matrix = matrix[0]
        demand(matrix.ndim == _MATRIX)
        return matrix if self._wiring.values(argument(made, "transpose_y")) == [True] else matrix.T

    def _made(self, name: Argument) -> Operation:
        """The operation that gives the value before changes of shape."""
        name = self._unshaped(name)
        made = self._wiring.maker(name)
        if made is None:
            raise OtherFormError
        self._seen.add(made.name)
        return made

    def _unshaped(self, name: Argument) -> Argument:
        made = self._wiring.maker(name)
        if made is None or made.type not in SHAPES_ALONE:
            return name
        self._seen.add(made.name)
        return self._unshaped(argument(made, "x"))

    def _array(self, name: Argument) -> NDArray[np.generic]:
        known = self._wiring.known.get(name) if isinstance(name, str) else name
        if not isinstance(known, Constant) or not isinstance(known.type, TensorType):
            raise OtherFormError
        return known.array
