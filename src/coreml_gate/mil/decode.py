"""Decodes protobuf messages to the program and interfaces of ir.py, and validates everything in the file.

In a decoded program every value is defined before it is read, so its users need not check that.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from coreml_gate.errors import PackageError
from coreml_gate.mil.dtypes import BY_NUMBER, DTYPES, MOST_BYTES, DType
from coreml_gate.mil.ir import (
    Argument,
    Block,
    Constant,
    DictionaryType,
    Feature,
    FeatureKind,
    Function,
    Interface,
    ListType,
    Operation,
    Program,
    StateType,
    TensorType,
    Value,
    ValueType,
)
from coreml_gate.mil.weights import Weights
from coreml_gate.untyped import Message

MOST_OPERATIONS = 250_000
"""Bounds the time and memory of every analysis of a program; only unrolled loops come near it."""
_OPSETS = {"CoreML5": 15, "CoreML6": 16, "CoreML7": 17, "CoreML8": 18, "CoreML9": 26}
_AGAIN = "convert the model again with coremltools 6 to 9, or report the package."
_SHOWN = 80
"""Characters of a foreign name in a message."""
_DAMAGED = "the package is damaged: convert the model again, or fetch the package again."
# FeatureTypes.proto of apple/coremltools: ArrayDataType and ColorSpace.
_ARRAY_TYPES = {65568: "fp32", 65600: "fp64", 131104: "int32", 131080: "int8", 65552: "fp16"}
_COLORS = {10: "GRAYSCALE", 20: "RGB", 30: "BGR", 40: "GRAYSCALE_FLOAT16"}
_KINDS: dict[str, FeatureKind] = {
    "multiArrayType": "multiarray",
    "imageType": "image",
    "stateType": "state",
    "stringType": "string",
    "int64Type": "int64",
    "doubleType": "double",
    "dictionaryType": "dictionary",
    "sequenceType": "sequence",
}


def decode_program(message: Message, weights: Weights) -> Program:
    """The ``mlProgram`` of a specification.

    :raises PackageError: The program is invalid; the message names the function and the operation.
    """
    _check_size(message)
    functions = {
        name: _function(name, function, weights) for name, function in sorted(message.functions.items())
    }
    if not functions:
        raise PackageError("the program has no function.", _AGAIN)
    return Program(functions)


def _check_size(message: Message) -> None:
    """Count operations before decoding, because each takes a kilobyte once it is decoded."""
    pending = [
        block for function in message.functions.values() for block in function.block_specializations.values()
    ]
    count = 0
    while pending:
        operations = pending.pop().operations
        count += len(operations)
        pending += [block for operation in operations for block in operation.blocks]
        if count > MOST_OPERATIONS:
            raise PackageError(
                f"the program has more than {MOST_OPERATIONS:,} operations, constants included.",
                "look for an unrolled loop, or split the model.",
            )


def _function(name: str, message: Message, weights: Weights) -> Function:
    if message.opset not in _OPSETS:
        known = ", ".join(_OPSETS)
        raise PackageError(f"function `{name}` uses the opset `{message.opset}`; known are {known}.", _AGAIN)
    if message.opset not in message.block_specializations:
        raise PackageError(f"function `{name}` has no block for its opset `{message.opset}`.", _AGAIN)
    inputs = tuple(_value(item) for item in message.inputs)
    block = replace(_block(message.block_specializations[message.opset], weights), inputs=inputs)
    _check_names(block)
    function = Function(name, _OPSETS[message.opset], inputs, block)
    _check_wiring(function)
    return function


def _block(message: Message, weights: Weights) -> Block:
    block = Block(
        inputs=tuple(_value(item) for item in message.inputs),
        operations=tuple(_operation(item, weights) for item in message.operations),
        outputs=tuple(message.outputs),
    )
    _check_names(block)
    return block


def _check_names(block: Block) -> None:
    """Check that value names are unique within a block, because operations refer to values by name."""
    seen: set[str] = set()
    for value in (*block.inputs, *(value for item in block.operations for value in item.outputs)):
        if value.name in seen:
            raise PackageError(f"two values of one block are named `{value.name}`.", _AGAIN)
        seen.add(value.name)


def _operation(message: Message, weights: Weights) -> Operation:
    name = message.outputs[0].name if message.outputs else _attribute_name(message)
    blocks = tuple(_block(block, weights) for block in message.blocks)
    try:
        return Operation(
            type=message.type,
            name=name,
            inputs={key: _arguments(item, weights) for key, item in sorted(message.inputs.items())},
            attributes={key: _constant(item, weights) for key, item in sorted(message.attributes.items())},
            outputs=tuple(_value(item) for item in message.outputs),
            blocks=blocks,
        )
    except PackageError as error:
        raise PackageError(f"operation `{name}` ({message.type}): {error.message}", error.hint) from error


def _attribute_name(message: Message) -> str:
    strings = (
        message.attributes["name"].immediateValue.tensor.strings.values
        if "name" in message.attributes
        else ()
    )
    return strings[0] if strings else str(message.type)


def _arguments(message: Message, weights: Weights) -> tuple[Argument, ...]:
    return tuple(
        binding.name if binding.WhichOneof("binding") == "name" else _constant(binding.value, weights)
        for binding in message.arguments
    )


def _value(message: Message) -> Value:
    return Value(message.name, _type(message.type))


def _type(message: Message) -> ValueType:
    match message.WhichOneof("type"):
        case "tensorType":
            return _tensor_type(message.tensorType)
        case "listType":
            length = message.listType.length
            known = length.WhichOneof("dimension") == "constant"
            return ListType(_element(message.listType.type), length.constant.size if known else None)
        case "stateType":
            return StateType(_element(message.stateType.wrappedType))
        case "dictionaryType":
            return DictionaryType(
                _element(message.dictionaryType.keyType), _element(message.dictionaryType.valueType)
            )
        case other:
            raise PackageError(f"a value of the type `{other}` is not known.", _AGAIN)


def _element(message: Message) -> TensorType:
    kind = _type(message)
    if not isinstance(kind, TensorType):
        raise PackageError("a list, state or dictionary contains something other than tensors.", _AGAIN)
    return kind


def _tensor_type(message: Message) -> TensorType:
    dtype = BY_NUMBER.get(message.dataType)
    if dtype is None:
        raise PackageError(f"element type number {message.dataType} is not known.", _AGAIN)
    if any(dimension.unknown.variadic for dimension in message.dimensions):
        return TensorType(dtype.name, (), ranked=False)
    declared = TensorType(dtype.name, tuple(_dimension(dimension) for dimension in message.dimensions))
    if dtype.stored_bytes(declared.elements or 0) > MOST_BYTES:
        raise PackageError(f"a value of {declared} takes more than {MOST_BYTES >> 30} GB.", _AGAIN)
    return declared


def _dimension(message: Message) -> int | None:
    return int(message.constant.size) if message.WhichOneof("dimension") == "constant" else None


def _constant(message: Message, weights: Weights) -> Constant:
    declared = _type(message.type)
    if isinstance(declared, ListType):
        return Constant(declared, _list_values(message, declared, weights))
    if not isinstance(declared, TensorType):
        raise PackageError(f"a constant of the type {type(declared).__name__} cannot be read.", _AGAIN)
    count = declared.elements
    if count is None:
        raise PackageError(f"a constant of the unknown shape {declared} cannot be read.", _AGAIN)
    dtype = DTYPES[declared.dtype]
    if message.WhichOneof("value") == "blobFileValue":
        blob = message.blobFileValue
        return Constant(declared, weights.blob(blob.fileName, blob.offset, dtype, count))
    return Constant(declared, _immediate(message.immediateValue.tensor, dtype, count))


def _immediate(message: Message, dtype: DType, count: int) -> NDArray[np.generic]:
    """Decode an immediate value: bytes for small types, else a list; coremltools versions differ in which."""
    field = message.WhichOneof("value")
    values: Message = getattr(message, field).values if field is not None else ()
    if field == "bytes":
        data: NDArray[np.generic] = np.frombuffer(values, np.uint8)
        _check_count(data.size, dtype.stored_bytes(count), "bytes")
        return data if dtype.packed else data.view(dtype.numpy)
    _check_count(len(values), count, f"elements of {dtype.name}")
    if field is not None and (dtype.packed or (field == "strings") is not (dtype.name == "string")):
        raise PackageError(f"a constant of {dtype.name} is stored as `{field}`.", _AGAIN)
    return np.array(values).astype(dtype.numpy)


def _check_count(found: int, declared: int, unit: str) -> None:
    if found != declared:
        raise PackageError(f"a constant holds {found} {unit}, but its shape takes {declared}.", _AGAIN)


def _list_values(message: Message, declared: ListType, weights: Weights) -> NDArray[np.generic]:
    values = [_constant(item, weights).array for item in message.immediateValue.list.values]
    if any(math.prod(value.shape) != 1 for value in values):
        raise PackageError("a list of constants contains something other than single elements.", _AGAIN)
    return np.array([value.item() for value in values], DTYPES[declared.element.dtype].numpy)


def _check_wiring(function: Function) -> None:
    """Check that values are defined before they are read, and that constants have a value and no operands.

    :raises PackageError: An operation or an output of a block violates this; the message names it.
    """
    given = {value.name for value in function.inputs}
    _check_block(function.block, given)


def _check_block(block: Block, around: set[str]) -> None:
    given = around | {value.name for value in block.inputs}
    for operation in block.operations:
        _check_reads(operation, given)
        _check_constant(operation)
        for nested in operation.blocks:
            _check_block(nested, given)
        given.update(value.name for value in operation.outputs)
    missing = next((name for name in block.outputs if name not in given), None)
    if missing is not None:
        raise PackageError(f"the output `{missing[:_SHOWN]}` is not the result of an operation.", _DAMAGED)


def _check_reads(operation: Operation, given: set[str]) -> None:
    missing = next((name for name in operation.reads() if name not in given), None)
    if missing is not None:
        raise PackageError(
            f"operation `{operation.name[:_SHOWN]}` ({operation.type[:_SHOWN]}) reads `{missing[:_SHOWN]}`, "
            "which nothing before it gives.",
            _DAMAGED,
        )


def _check_constant(operation: Operation) -> None:
    is_held = operation.type == "const"
    if is_held and ("val" not in operation.attributes or operation.inputs or len(operation.outputs) != 1):
        raise PackageError(f"the constant `{operation.name[:_SHOWN]}` has no value.", _DAMAGED)


def decode_interfaces(description: Message) -> tuple[str, Mapping[str, Interface]]:
    """The default function's name, and each function's interface; a single function is named ``main``."""
    if not description.functions:
        return "main", {"main": _interface(description)}
    return description.defaultFunctionName, {item.name: _interface(item) for item in description.functions}


def _interface(message: Message) -> Interface:
    return Interface(
        inputs=tuple(_feature(item) for item in message.input),
        outputs=tuple(_feature(item) for item in message.output),
        states=tuple(_feature(item) for item in message.state),
    )


def _feature(message: Message) -> Feature:
    kind = _KINDS.get(message.type.WhichOneof("Type"))
    if kind is None:
        raise PackageError(f"the interface gives `{message.name}` no type.", "convert the model again.")
    optional = message.type.isOptional
    if kind == "multiarray":
        return _array(message.name, kind, message.type.multiArrayType, optional=optional)
    if kind == "state":
        return _array(message.name, kind, message.type.stateType.arrayType, optional=optional)
    if kind == "image":
        return _image(message.name, message.type.imageType, optional=optional)
    return Feature(message.name, kind, optional=optional)


def _array(name: str, kind: FeatureKind, message: Message, *, optional: bool) -> Feature:
    _check_shape(name, tuple(message.shape))
    if kind == "state" and message.dataType not in _ARRAY_TYPES:
        raise PackageError(f"the interface gives the state `{name}` no element type.", "convert again.")
    default = message.WhichOneof("defaultOptionalValue")
    return Feature(
        name=name,
        kind=kind,
        dtype=_ARRAY_TYPES.get(message.dataType, ""),
        shape=tuple(message.shape),
        ranges=tuple(_bounds(item) for item in message.shapeRange.sizeRanges),
        shapes=tuple(tuple(item.shape) for item in message.enumeratedShapes.shapes),
        optional=optional,
        default=None if default is None else getattr(message, default),
    )


def _check_shape(name: str, shape: tuple[int, ...]) -> None:
    if any(size < 0 for size in shape) or math.prod(shape) > MOST_BYTES:
        raise PackageError(
            f"the interface gives `{name}` the shape {shape}, which is not valid for an array.",
            "convert the model again.",
        )


def _image(name: str, message: Message, *, optional: bool) -> Feature:
    _check_shape(name, (message.height, message.width))
    sizes = message.imageSizeRange
    flexible = message.WhichOneof("SizeFlexibility") == "imageSizeRange"
    return Feature(
        name=name,
        kind="image",
        dtype="fp32",
        shape=(message.height, message.width),
        ranges=(_bounds(sizes.heightRange), _bounds(sizes.widthRange)) if flexible else (),
        shapes=tuple((item.height, item.width) for item in message.enumeratedSizes.sizes),
        optional=optional,
        color=_COLORS.get(message.colorSpace, ""),
    )


def _bounds(message: Message) -> tuple[int, int | None]:
    return message.lowerBound, None if message.upperBound < 0 else message.upperBound
