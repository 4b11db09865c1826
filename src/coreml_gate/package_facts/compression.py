"""What compression did to each layer's weights, and how many bits are really stored."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from coreml_gate.mil.dtypes import DTYPES
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Block, Constant, Function, Operation, TensorType
from coreml_gate.mil.package import Package
from coreml_gate.mil.weights import release
from coreml_gate.record import CompressionFacts, LayerCompression
from coreml_gate.runtime.compile import compile_function

_CAST = "constexpr_cast"


def compression_facts(shipped: Package, wide: Package) -> CompressionFacts | None:
    """Per layer with a constant weight: bits stored per weight, and the error against the float32 twin.

    Layers of the two packages are matched by position where their shapes agree. ``None`` when nothing is
    compressed.
    """
    ours, theirs = list(_weights(shipped.function())), list(_weights(wide.function()))
    if not any(weight.compressed for weight in ours):
        return None
    twins = theirs if [weight.shape for weight in ours] == [weight.shape for weight in theirs] else []
    layers = [_layer(weight, twins[place] if twins else None) for place, weight in enumerate(ours)]
    return CompressionFacts(layers=tuple(layers))


def _layer(weight: "_Weight", twin: "_Weight | None") -> LayerCompression:
    return LayerCompression(
        operation=weight.operation.name,
        shape=weight.shape,
        compressed=weight.compressed,
        stored_bytes=weight.stored_bytes,
        sqnr=None if twin is None or not weight.compressed else sqnr(twin.values(), weight.values()),
    )


def sqnr(reference: NDArray[np.float64], candidate: NDArray[np.float64]) -> float | None:
    """Signal-to-quantisation-noise ratio in dB; ``None`` when nothing changed or there is no signal.

    Both arrays are overwritten: copies of a large layer in float64 would be the most that a run holds.
    """
    noise = _sum_of_squares(np.subtract(reference, candidate, out=candidate))
    signal = _sum_of_squares(reference)
    return 10 * math.log10(signal / noise) if noise > 0 and signal > 0 else None


def _sum_of_squares(array: NDArray[np.float64]) -> float:
    return float(np.square(array, out=array).sum())


class _Weight:
    """A layer's constant weight, with the operations that decompress it."""

    def __init__(
        self, function: Function, operation: Operation, name: str, made: dict[str, Operation]
    ) -> None:
        self.operation = operation
        self._function = function
        self._name = name
        self._chain = tuple(_chain(name, made))
        (kind,) = (value.type for value in made[name].outputs if value.name == name)
        self.shape = tuple(size or 0 for size in kind.shape) if isinstance(kind, TensorType) else ()

    @property
    def compressed(self) -> bool:
        return any(item.type.startswith("constexpr_") and item.type != _CAST for item in self._chain)

    @property
    def stored_bytes(self) -> int:
        """All bytes stored for this weight: indices, tables, scales, masks."""
        return sum(constant.stored_bytes for constant in _constants(self._chain))

    def values(self) -> NDArray[np.float64]:
        """The decompressed weight, in the shape of the layer's operand."""
        block = Block((), self._chain, (self._name,))
        alone = Function(self._function.name, self._function.opset, (), block)
        (tensor,) = compile_function(alone, "fp32").run([])
        found: NDArray[np.float64] = tensor.numpy().astype(np.float64)
        for constant in _constants(self._chain):
            release(constant.data)
        return found


def _weights(function: Function) -> Iterator[_Weight]:
    index = Index(function)
    for operation, _, name in index.weights():
        if name in index.stored:
            yield _Weight(function, operation, name, index.producers)


def _chain(name: str, made: dict[str, Operation]) -> Iterator[Operation]:
    item = made[name]
    for read in dict.fromkeys(item.reads()):
        yield from _chain(read, made)
    yield item


def _constants(chain: tuple[Operation, ...]) -> Iterator[Constant]:
    for item in chain:
        for key, constant in item.attributes.items():
            if key != "name" and _is_numeric(constant):
                yield constant
        for arguments in item.inputs.values():
            yield from (
                argument for argument in arguments if isinstance(argument, Constant) and _is_numeric(argument)
            )


def _is_numeric(constant: Constant) -> bool:
    return isinstance(constant.type, TensorType) and DTYPES[constant.type.dtype].name != "string"
