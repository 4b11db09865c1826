"""Bounds of a program's integers from its graph alone, because sizes, positions and counts are limited."""

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

from coreml_gate.arrays import greatest_magnitude
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Constant, Feature, Operation, TensorType
from coreml_gate.mil.weights import release

_HANDED_ON: Final = frozenset(
    {
        *("cast", "identity", "reshape", "expand_dims", "squeeze", "transpose", "reverse", "tile", "sign"),
        *("slice_by_index", "slice_by_size", "gather", "gather_along_axis", "gather_nd", "split", "concat"),
        *("select", "stack", "reduce_max", "reduce_min", "maximum", "minimum", "floor_div", "abs", "pad"),
    }
)
"""Operations whose results are not greater than their greatest operand."""
_STEERING: Final = frozenset(
    {
        *("indices", "axis", "axes", "cond", "shape", "perm", "begin", "end", "size", "stride", "reps"),
        *("begin_mask", "end_mask", "squeeze_mask", "dtype", "split_sizes", "num_splits", "interleave"),
        *("batch_dims", "validate_indices", "keep_dims", "mode"),
    }
)
"""Parameters that select or shape values."""
_DEEPEST: Final = 64
"""Operations followed back from a value; sizes are only a few steps away from their tensor."""
_POSITIONS: Final = frozenset({"reduce_argmax", "reduce_argmin", "argsort"})


class IntegerBounds:
    """Greatest absolute values in one function; ``features`` are its inputs by the interface."""

    def __init__(self, index: Index, features: tuple[Feature, ...]) -> None:
        self._index = index
        self._features = features
        self._known: dict[str, float] = {}
        self._depth = 0

    def greatest(self, name: str) -> float:
        """A bound of the magnitude of all elements of this value; infinite if the graph shows none."""
        if name not in self._known and self._depth < _DEEPEST:
            self._known[name] = math.inf  # a value that depends on itself has no bound
            self._depth += 1
            self._known[name] = self._found(name)
            self._depth -= 1
        return self._known.get(name, math.inf)

    def _found(self, name: str) -> float:
        constant = self._index.constants.get(name)
        if constant is not None:
            return _greatest_of(constant)
        if self._index.dtype(name) == "bool":
            return 1.0
        made = self._index.producers.get(name)
        return math.inf if made is None or made.blocks else self._of_operation(made)

    def _of_operation(self, operation: Operation) -> float:
        known = _BOUNDS.get(operation.type)
        if known is not None:
            return known(self, operation)
        if operation.type in _HANDED_ON:
            return max((self._argument(operation, key) for key in self._values(operation)), default=math.inf)
        return math.inf

    def _values(self, operation: Operation) -> list[str]:
        return [key for key in operation.inputs if key not in _STEERING]

    def _argument(self, operation: Operation, parameter: str) -> float:
        """The bound of everything bound to a parameter; immediate values are constants."""
        found = 0.0
        for argument in operation.inputs.get(parameter, ()):
            if isinstance(argument, str):
                found = max(found, self.greatest(argument))
            elif _is_numbers(argument):
                found = max(found, _greatest_of(argument))
        return found

    def _longest_axis(self, name: str | None) -> float:
        kind = self._index.types.get(name or "")
        if not isinstance(kind, TensorType) or not kind.ranked:
            return math.inf
        return float(max((self._open_size if size is None else size for size in kind.shape), default=1))

    @cached_property
    def _open_size(self) -> float:
        """The greatest size of any dimension that the interface leaves open."""
        sizes: list[float] = []
        for feature in self._features:
            sizes += [math.inf if high is None else high for low, high in feature.ranges if high != low]
            sizes += [size for shape in feature.shapes for size in shape]
        return max(sizes, default=math.inf)

    def size_of_operand(self, operation: Operation) -> float:
        """The bound of a size or position: the longest axis of the first operand."""
        return self._longest_axis(self._index.name(operation, "x"))

    def sum_of(self, operation: Operation) -> float:
        """The sum of both operands' bounds."""
        return self._argument(operation, "x") + self._argument(operation, "y")

    def product_of(self, operation: Operation) -> float:
        """The product of both operands' bounds."""
        factors = self._argument(operation, "x"), self._argument(operation, "y")
        return 0.0 if 0.0 in factors else factors[0] * factors[1]

    def end_of(self, operation: Operation) -> float:
        """The bound of a range: its farther end."""
        return max(self._argument(operation, "start"), self._argument(operation, "end"))

    def divisor_of(self, operation: Operation) -> float:
        """The bound of a remainder, which is smaller than its divisor."""
        return self._argument(operation, "y")


def _is_numbers(constant: Constant) -> bool:
    return constant.array.dtype.kind in "iufb" and constant.array.size > 0


def _greatest_of(constant: Constant) -> float:
    """The greatest magnitude, infinite for anything but numbers; the pages of a weight file are released."""
    if not _is_numbers(constant):
        return math.inf
    greatest = greatest_magnitude(constant.array)
    release(constant.data)
    return greatest


_BOUNDS: Final[Mapping[str, Callable[[IntegerBounds, Operation], float]]] = {
    "shape": IntegerBounds.size_of_operand,
    **dict.fromkeys(_POSITIONS, IntegerBounds.size_of_operand),
    "add": IntegerBounds.sum_of,
    "sub": IntegerBounds.sum_of,
    "mul": IntegerBounds.product_of,
    "range_1d": IntegerBounds.end_of,
    "mod": IntegerBounds.divisor_of,
}
