"""A package's program as coremltools' ``MLModelStructure``, which a compute plan refers to.

The order of functions is undefined, constants are operations, and an operation is identified by its proxy.
"""

import importlib

from coreml_gate.mil.ir import Argument, Block, Constant, Function, Operation, Value
from coreml_gate.mil.package import Package
from coreml_gate.untyped import CoreMlObject


def of_coremltools() -> CoreMlObject:
    """The classes for plans, which coremltools imports after its native half."""
    return importlib.import_module("coremltools.models.compute_plan")


class OperationProxy:
    """The native operation behind a Python one; only the native half can make it."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation


class LayerProxy:
    """The native layer of a neural network, which our runtime does not have."""


def structure_of(package: Package) -> CoreMlObject:
    """The structure of an ML Program."""
    functions = dict(reversed(list(package.program.functions.items())))
    program = of_coremltools().MLModelStructureProgram(
        {name: _function(function) for name, function in functions.items()}
    )
    return of_coremltools().MLModelStructure(None, program, None)


def _function(function: Function) -> CoreMlObject:
    inputs = [_named(value) for value in function.inputs]
    return of_coremltools().MLModelStructureProgramFunction(inputs, _block(function.block, function.opset))


def _block(block: Block, opset: int) -> CoreMlObject:
    return of_coremltools().MLModelStructureProgramBlock(
        [_named(value) for value in block.inputs],
        [_operation(each, opset) for each in block.operations],
        list(block.outputs),
    )


def _operation(operation: Operation, opset: int) -> CoreMlObject:
    name = operation.type if operation.type == "const" else f"ios{opset}.{operation.type}"
    return of_coremltools().MLModelStructureProgramOperation(
        {parameter: _argument(given) for parameter, given in operation.inputs.items()},
        name,
        [_named(value) for value in operation.outputs],
        [_block(block, opset) for block in operation.blocks],
        OperationProxy(operation),
    )


def _argument(given: tuple[Argument, ...]) -> CoreMlObject:
    return of_coremltools().MLModelStructureProgramArgument([_binding(each) for each in given])


def _binding(argument: Argument) -> CoreMlObject:
    if isinstance(argument, Constant):
        return of_coremltools().MLModelStructureProgramBinding(
            None, of_coremltools().MLModelStructureProgramValue()
        )
    return of_coremltools().MLModelStructureProgramBinding(argument, None)


def _named(value: Value) -> CoreMlObject:
    return of_coremltools().MLModelStructureProgramNamedValueType(
        value.name, of_coremltools().MLModelStructureProgramValueType()
    )
