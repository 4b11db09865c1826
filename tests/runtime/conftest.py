"""One operation as a program of its own: built from the IR, compiled and run, no conversion needed."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.mil.ir import Argument, Block, Constant, Function, ListType, Operation, TensorType, Value
from coreml_gate.runtime.compile import compile_function
from coreml_gate.runtime.precision import enter

NAMES = {
    np.dtype(np.float16): "fp16",
    np.dtype(np.float32): "fp32",
    np.dtype(np.int32): "int32",
    np.dtype(np.int8): "int8",
    np.dtype(np.uint8): "uint8",
    np.dtype(np.bool_): "bool",
    np.dtype(np.object_): "string",
}
RunOperation = Callable[..., tuple[Any, ...]]


def constant(value: Any) -> Constant:
    if isinstance(value, Constant):
        return value
    if isinstance(value, list) and value and isinstance(value[0], str):
        return Constant(ListType(TensorType("string", ()), len(value)), np.array(value, np.object_))
    array = np.array(value, np.object_) if isinstance(value, str) else np.asarray(value)
    array = array.astype(np.int32) if array.dtype == np.int64 else array
    array = array.astype(np.float32) if array.dtype == np.float64 else array
    return Constant(TensorType(NAMES[array.dtype], array.shape), array)


def single(
    operation_type: str,
    values: dict[str, Any],
    constants: dict[str, Any],
    outputs: Sequence[str],
    opset: int = 18,
) -> Function:
    inputs, arguments = [], {key: _constants(value) for key, value in constants.items()}
    for key, value in values.items():
        several = value if isinstance(value, tuple) else (value,)
        made = [
            Value(f"{key}_{place}", TensorType(NAMES[item.dtype], item.shape))
            for place, item in enumerate(several)
        ]
        inputs += made
        arguments[key] = tuple(item.name for item in made)
    results = tuple(Value(f"out_{n}", TensorType(dtype, (), ranked=False)) for n, dtype in enumerate(outputs))
    operation = Operation(operation_type, "out_0", arguments, {}, results)
    block = Block(tuple(inputs), (operation,), tuple(value.name for value in results))
    return Function("main", opset, tuple(inputs), block)


def _constants(value: Any) -> tuple[Argument, ...]:
    return tuple(constant(item) for item in value) if isinstance(value, tuple) else (constant(value),)


def run(
    operation_type: str,
    values: dict[str, Any],
    constants: dict[str, Any] | None = None,
    outputs: Sequence[str] = ("fp32",),
    mode: Any = "fp16",
    opset: int = 18,
) -> tuple[Any, ...]:
    plan = compile_function(single(operation_type, values, constants or {}, outputs, opset), mode)
    flat = [item for value in values.values() for item in (value if isinstance(value, tuple) else (value,))]
    wide = [
        torch.from_numpy(item.astype(np.float32) if mode == "fp32" and item.dtype == np.float16 else item)
        for item in flat
    ]
    results = plan.run([enter(item, mode) for item in wide])
    return tuple(item.numpy() if isinstance(item, torch.Tensor) else item for item in results)


@pytest.fixture
def run_operation() -> RunOperation:
    """``run_operation(type, values, constants, outputs, mode, opset)`` gives the outputs as numpy arrays."""
    return run


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
