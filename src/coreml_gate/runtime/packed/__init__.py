"""Lays out an operation's constant weights once for oneDNN, instead of in every run.

torch's own ``conv2d`` reorders weights, input and output of each layer in every call, and its ``linear`` uses
MKL, which takes twice as long on AMD processors. A packed kernel reads and writes channels last, so that no
reorder is needed between convolutions. Without oneDNN (macOS on arm64) nothing is packed, and the operation's
own body computes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import torch
from torch import Tensor

from coreml_gate.mil.ir import Argument, Constant, Operation, TensorType
from coreml_gate.mil.weights import release
from coreml_gate.runtime.arguments import Known
from coreml_gate.runtime.packed.convolution import PackedConvolution
from coreml_gate.runtime.packed.kernel import Constants, ExtensibleKernel, PackedAnew, PackedKernel
from coreml_gate.runtime.packed.linear import PackedLinear, PackedMatmul
from coreml_gate.runtime.packed.lstm import PackedLstm
from coreml_gate.runtime.packed.onednn import After, available
from coreml_gate.runtime.packed.transposed import PackedTransposedConvolution
from coreml_gate.runtime.precision import Mode, storage
from coreml_gate.runtime.registry import Implementation
from coreml_gate.untyped import MilValue

__all__ = [
    "OPERAND",
    "PACKED",
    "After",
    "Constants",
    "ExtensibleKernel",
    "PackedAnew",
    "PackedKernel",
    "PackedLinear",
    "PackedLstm",
    "Packer",
    "arguments_of",
    "available",
    "let_go",
    "stored",
]

OPERAND: Final = "x"
"""The first operand of an operation that can be packed; it is not constant."""
PACKED: Mapping[str, type[PackedKernel]] = {
    "conv": PackedConvolution,
    "conv_transpose": PackedTransposedConvolution,
    "linear": PackedLinear,
    "lstm": PackedLstm,
    "matmul": PackedMatmul,
}
"""By operation type; all parameters except a kernel's ``operands`` are constant."""


class Packer:
    """One kernel for all operations that read the same constants, in all plans of a program.

    So their results have the same bits, and a weight that a program reads several times is packed once.
    """

    def __init__(self, mode: Mode, constant: Callable[[Known, object], MilValue], *, keeps: bool) -> None:
        """:param constant: Converts a constant to the form of a parameter's kind, a tensor as stored.

        :param keeps: Whether packed weights stay from one call to the next.
        """
        self._mode = mode
        self._keeps = keeps
        self._constant = constant
        self._kernels: dict[object, PackedKernel | PackedAnew | None] = {}
        self._packs = available() and mode != "neural-engine"

    def kernel(
        self, operation: Operation, implementation: Implementation, known: Mapping[str, Known]
    ) -> PackedKernel | PackedAnew | None:
        """The operation with its constants packed; ``None`` if its own body must compute."""
        if not self._packs or operation.type not in PACKED:
            return None
        key = _key(operation, implementation, known)
        if key not in self._kernels:
            self._kernels[key] = self._made(operation, implementation, known)
        return self._kernels[key]

    def _made(
        self, operation: Operation, implementation: Implementation, known: Mapping[str, Known]
    ) -> PackedKernel | PackedAnew | None:
        constants, kind = self._constants(operation, implementation, known), PACKED[operation.type]
        if not constants:
            return None
        make = partial(kind, implementation.body, constants, partial(let_go, stored(operation, known)))
        return make() if self._keeps else PackedAnew(make, kind.operands)

    def _constants(
        self, operation: Operation, implementation: Implementation, known: Mapping[str, Known]
    ) -> Constants | None:
        """All arguments except the operands, as the body takes them; ``None`` if one is computed."""
        constants: dict[str, MilValue] = {}
        for parameter in implementation.parameters:
            (argument, *_) = arguments_of(operation, parameter.name) or (None,)
            if parameter.name in PACKED[operation.type].operands or argument is None:
                continue
            value = known.get(argument) if isinstance(argument, str) else argument
            if value is None:
                return None
            constants[parameter.name] = self._constant(value, parameter.kind)
        return constants if self._floats(operation, constants) else None

    def _floats(self, operation: Operation, constants: Constants) -> bool:
        """Whether it is a layer of floats with a weight."""
        kind = operation.outputs[0].type
        stored = storage(kind.dtype, self._mode) if isinstance(kind, TensorType) else None
        tensors = (value for value in constants.values() if isinstance(value, Tensor))
        return (
            stored in {torch.float16, torch.float32}
            and PACKED[operation.type].weight in constants
            and all(value.is_floating_point() for value in tensors)
        )


def arguments_of(operation: Operation, name: str) -> tuple[Argument, ...] | None:
    """The arguments for a parameter."""
    if operation.inputs.get(name):
        return operation.inputs[name]
    if name in operation.attributes:  # the constexpr operations of iOS 16 store their operands as attributes
        return (operation.attributes[name],)
    return None


def _key(operation: Operation, implementation: Implementation, known: Mapping[str, Known]) -> object:
    """The key of a kernel, shared by operations with the same constants and the same result shape.

    A constant's identity is unique while it lives, and the compiler keeps a kernel's constants alive.
    """
    constants = (
        (parameter.name, id(known.get(argument) if isinstance(argument, str) else argument))
        for parameter in implementation.parameters
        if parameter.name not in PACKED[operation.type].operands
        for argument in arguments_of(operation, parameter.name) or ()
    )
    return operation.type, operation.outputs[0].type, *constants


def stored(operation: Operation, known: Mapping[str, Known]) -> tuple[Constant, ...]:
    """The package's constants that the operation reads, without those expanded during compilation."""
    read = (known.get(name) for name in operation.reads())
    return tuple(each for each in read if isinstance(each, Constant) and isinstance(each.type, TensorType))


def let_go(constants: Sequence[Constant]) -> None:
    """Release their memory pages, because they were copied or will not be read soon."""
    for constant in constants:
        release(constant.data)
