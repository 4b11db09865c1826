"""Which operations of a program have constant weights that are packed once, and what packs them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import torch
from torch import Tensor

from coreml_gate.mil.ir import Argument, Constant, Operation, TensorType
from coreml_gate.mil.weights import release
from coreml_gate.runtime.arguments import Known
from coreml_gate.runtime.packed import PACKED, Constants, PackedKernel, available
from coreml_gate.runtime.precision import Mode, storage
from coreml_gate.runtime.registry import Implementation
from coreml_gate.untyped import MilValue

OPERAND: Final = "x"
"""The first operand of what can be packed; it is not constant."""


class Packer:
    """One kernel per operation, for all plans of a program: so their bits are the same."""

    def __init__(self, mode: Mode, constant: Callable[[Known, object], MilValue]) -> None:
        """:param constant: A constant in the form of a parameter's kind, a tensor as it is stored."""
        self._mode = mode
        self._constant = constant
        self._kernels: dict[int, PackedKernel | None] = {}
        self._packs = available() and mode != "neural-engine"

    def kernel(
        self, operation: Operation, implementation: Implementation, known: Mapping[str, Known]
    ) -> PackedKernel | None:
        """The operation with its constants packed; ``None`` where its own body has to compute."""
        if not self._packs or operation.type not in PACKED:
            return None
        if id(operation) not in self._kernels:
            constants = self._constants(operation, implementation, known)
            released = partial(_release, operation, known)
            made = constants and PACKED[operation.type](implementation.body, constants, released)
            self._kernels[id(operation)] = made or None
        return self._kernels[id(operation)]

    def _constants(
        self, operation: Operation, implementation: Implementation, known: Mapping[str, Known]
    ) -> Constants | None:
        """All arguments but the operands, as the body takes them; ``None`` where one is computed."""
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
        """Is it a layer of floats, with a weight?"""
        kind = operation.outputs[0].type
        stored = storage(kind.dtype, self._mode) if isinstance(kind, TensorType) else None
        tensors = (value for value in constants.values() if isinstance(value, Tensor))
        return (
            stored in {torch.float16, torch.float32}
            and PACKED[operation.type].weight in constants
            and all(value.is_floating_point() for value in tensors)
        )


def arguments_of(operation: Operation, name: str) -> tuple[Argument, ...] | None:
    """What is given for a parameter."""
    if operation.inputs.get(name):
        return operation.inputs[name]
    if name in operation.attributes:  # the constexpr operations of iOS 16 keep their operands there
        return (operation.attributes[name],)
    return None


def _release(operation: Operation, known: Mapping[str, Known]) -> None:
    """Let the system take back the pages of the constants: they were copied."""
    for name in operation.reads():
        constant = known.get(name)
        if isinstance(constant, Constant) and isinstance(constant.type, TensorType):
            release(constant.data)
