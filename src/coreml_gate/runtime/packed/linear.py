"""Computes ``linear``, and ``matmul`` with a constant matrix, by oneDNN."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from coreml_gate.runtime.packed.kernel import (
    LEAST_PRODUCTS,
    Constants,
    PackedKernel,
    bias_of,
    contiguous_wide,
)
from coreml_gate.runtime.packed.onednn import NOTHING
from coreml_gate.runtime.registry import Body

_MATRIX, _MATRICES = 2, 3


class PackedLinear(PackedKernel):
    """A linear layer with constant weights."""

    weight = "weight"

    def __init__(self, body: Body, constants: Constants, release: Callable[[], None]) -> None:
        super().__init__(body, constants, release)
        self._weight = self._oriented(constants)
        self._bias = bias_of(constants)

    def _oriented(self, constants: Constants) -> Tensor:
        """The weight in the shape (outputs, inputs)."""
        weight: Tensor = constants[self.weight]
        return weight

    def pays(self, x: Tensor) -> bool:
        """Whether it is a product with one matrix, and large enough."""
        rows = math.prod(x.shape[:-1])
        return x.ndim >= _MATRIX == self._weight.ndim and rows * self._weight.numel() >= LEAST_PRODUCTS

    def compute(self, x: Tensor) -> Tensor:
        """The result by oneDNN, without fusing a sum after it, which would take four times as long."""
        door = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001  # torch has no public one
        result: Tensor = door(x.contiguous(), self.weight_for(x), self._bias, *NOTHING)
        return result

    def pack(self, x: Tensor) -> Tensor:
        """The weight in oneDNN's layout."""
        door = torch.ops.mkldnn._reorder_linear_weight  # noqa: SLF001  # torch has no public one
        packed: Tensor = door(contiguous_wide(self._weight), math.prod(x.shape[:-1]))
        return packed


class PackedMatmul(PackedLinear):
    """A product with a constant matrix on the right, or with one repeated for each item of a batch.

    coremltools repeats the weight of a recurrent layer for each position of a batch-first sequence.
    """

    weight = "y"

    def __init__(self, body: Body, constants: Constants, release: Callable[[], None]) -> None:
        self._repeats = 0
        super().__init__(body, constants, release)
        self._transposes: bool = constants.get("transpose_x", False)

    def _oriented(self, constants: Constants) -> Tensor:
        matrix: Tensor = constants[self.weight]
        if matrix.ndim == _MATRICES and len(matrix) and bool((matrix == matrix[:1]).all()):
            self._repeats, matrix = len(matrix), matrix[0]
        turned = matrix.ndim == _MATRIX and not constants.get("transpose_y", False)
        return matrix.T if turned else matrix

    def pays(self, x: Tensor) -> bool:
        """Whether it is a product with one matrix, and large enough."""
        one_each = not self._repeats or (x.ndim >= _MATRICES and x.shape[-3] == self._repeats)
        return one_each and not self._transposes and super().pays(x)
