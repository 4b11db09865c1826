"""Writes a small program of our IR as a ``.mlpackage``: constants in the specification, no weight file."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coreml_gate.errors import UsageError
from coreml_gate.mil.dtypes import DTYPES
from coreml_gate.mil.ir import Argument, Constant, Function, ListType, Operation, TensorType, Value
from coreml_gate.mil.proto import model_class

Message = Any  # generated protobuf classes are untyped

_OPSETS = {15: "CoreML5", 16: "CoreML6", 17: "CoreML7", 18: "CoreML8", 26: "CoreML9"}
_SPECIFICATIONS = {15: 6, 16: 7, 17: 8, 18: 9, 26: 10}
_ARRAYS = {"fp32": 65568, "int32": 131104}
_FIELDS = {"f": "floats", "i": "ints", "b": "bools", "O": "strings"}
_WORD = 4
"""The size in bytes from which integers are stored as a list."""
_MODEL = "com.apple.CoreML/model.mlmodel"


def write_package(function: Function, path: Path) -> None:
    """Write one function, named ``main``, as a package.

    :raises UsageError: An input or output is neither float32 nor int32, or a constant cannot be written.
    """
    data = path / "Data" / "com.apple.CoreML"
    data.mkdir(parents=True, exist_ok=True)
    (data / "model.mlmodel").write_bytes(_specification(function).SerializeToString(deterministic=True))
    name = str(uuid.uuid4()).upper()
    entry = {
        "author": "com.apple.CoreML",
        "description": "CoreML Model Specification",
        "name": "model.mlmodel",
        "path": _MODEL,
    }
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": {name: entry},
        "rootModelIdentifier": name,
    }
    (path / "Manifest.json").write_text(json.dumps(manifest, indent=4), encoding="utf-8")


def _specification(function: Function) -> Message:
    spec = model_class()()
    spec.specificationVersion = _SPECIFICATIONS[function.opset]
    given = {value.name: value for operation in function.block.walk() for value in operation.outputs}
    _describe(spec.description.input, function.inputs)
    _describe(spec.description.output, [given[name] for name in function.block.outputs])
    spec.mlProgram.version = 1
    main = spec.mlProgram.functions["main"]
    main.opset = _OPSETS[function.opset]
    for value in function.inputs:
        _value(main.inputs.add(), value)
    block = main.block_specializations[main.opset]
    for operation in function.block.operations:
        append_operation(block.operations, operation)
    block.outputs.extend(function.block.outputs)
    return spec


def _describe(features: Message, values: Sequence[Value]) -> None:
    for value in values:
        if not isinstance(value.type, TensorType) or value.type.dtype not in _ARRAYS:
            raise UsageError(f"value `{value.name}` is {value.type}: a package takes float32 and int32 only.")
        feature = features.add()
        feature.name = value.name
        feature.type.multiArrayType.dataType = _ARRAYS[value.type.dtype]
        feature.type.multiArrayType.shape.extend(size or 1 for size in value.type.shape)


def append_operation(operations: Message, operation: Operation) -> None:
    """Append one ``const`` per constant argument, then the operation, as coremltools does."""
    bound = {
        parameter: [
            item
            if isinstance(item, str)
            else _const(operations, f"{operation.name}_{parameter}_{place}", item)
            for place, item in enumerate(arguments)
        ]
        for parameter, arguments in operation.inputs.items()
    }
    message = operations.add()
    message.type = operation.type
    _constant(message.attributes["name"], _text(operation.name))
    for parameter, names in bound.items():
        for name in names:
            message.inputs[parameter].arguments.add().name = name
    for value in operation.outputs:
        _value(message.outputs.add(), value)


def _const(operations: Message, name: str, constant: Argument) -> str:
    assert isinstance(constant, Constant)  # noqa: S101  # the caller checked
    message = operations.add()
    message.type = "const"
    _constant(message.attributes["name"], _text(name))
    _constant(message.attributes["val"], constant)
    output = message.outputs.add()
    output.name = name
    _type(output.type, constant.type)
    return name


def _text(text: str) -> Constant:
    return Constant(TensorType("string", ()), np.array(text, np.object_))


def _value(message: Message, value: Value) -> None:
    message.name = value.name
    _type(message.type, value.type)


def _type(message: Message, kind: object) -> None:
    if not isinstance(kind, TensorType):
        raise UsageError(f"a value of the type {kind} cannot be written into a package of one operation.")
    message.tensorType.dataType = DTYPES[kind.dtype].number
    message.tensorType.rank = len(kind.shape)
    for size in kind.shape:
        dimension = message.tensorType.dimensions.add()
        dimension.constant.size = size or 1


def _constant(message: Message, constant: Constant) -> None:
    if isinstance(constant.type, ListType):
        raise UsageError("a list of constants cannot be written into a package of one operation.")
    _type(message.type, constant.type)
    tensor = message.immediateValue.tensor
    values = constant.array
    field = _FIELDS.get(values.dtype.kind)
    if values.dtype == np.float16 or (field == "ints" and values.dtype.itemsize < _WORD):
        tensor.bytes.values = values.tobytes()
    elif field is None:
        raise UsageError(f"a constant of {values.dtype} cannot be written into a package of one operation.")
    else:
        getattr(tensor, field).values.extend(values.reshape(-1).tolist())
