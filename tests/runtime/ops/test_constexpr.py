"""Expanding compressed weights; coremltools' own decompression in numpy is the second opinion."""

from typing import Any

import numpy as np
import pytest
import torch
from coremltools.converters.mil._deployment_compatibility import AvailableTarget
from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry
from numpy.typing import NDArray

from coreml_gate.errors import PackageError
from coreml_gate.mil.dtypes import DTYPES
from coreml_gate.mil.ir import Block, Constant, Function, Operation, TensorType, Value
from coreml_gate.runtime.compile import compile_function


def oracle(name: str, target: AvailableTarget) -> Any:
    return SSAOpRegistry.core_ops[name][target].decompress


def pack(values: Any, dtype: str) -> Any:
    bits = [int(value) >> bit & 1 for value in values.ravel() for bit in range(DTYPES[dtype].bits)]
    return np.packbits(np.array(bits, np.uint8), bitorder="little")


def expand(kind: Any, operands: Any, outputs: Any, opset: int) -> Any:
    """``operands`` are (dtype, array); iOS 16 keeps them in the attributes, iOS 18 in the inputs."""
    made = {
        name: Constant(
            TensorType(dtype, array.shape), pack(array, dtype) if DTYPES[dtype].packed else array.reshape(-1)
        )
        for name, (dtype, array) in operands.items()
    }
    inputs = {} if opset == 16 else {name: (value,) for name, value in made.items()}
    values = tuple(Value(f"w{n}", TensorType(dtype, shape)) for n, (dtype, shape) in enumerate(outputs))
    operation = Operation(kind, "w0", inputs, made if opset == 16 else {}, values)
    block = Block((), (operation,), tuple(value.name for value in values))
    plan = compile_function(Function("main", opset, (), block), "fp16")
    assert not plan.steps, "constants are folded when the program is compiled"
    return [output.numpy() for output in plan.run(())]


@pytest.fixture
def scale(rng: np.random.Generator) -> NDArray[np.float16]:
    return rng.uniform(0.01, 0.1, (4, 1, 3)).astype(np.float16)


@pytest.mark.parametrize("dtype", ["int4", "uint4", "int8"])
def test_blockwise_shift_scale(dtype: str, scale: NDArray[np.float16], rng: np.random.Generator) -> None:
    low = 0 if dtype == "uint4" else -8
    data, offset = rng.integers(low, low + 16, (4, 5, 6)), rng.integers(low, low + 16, (4, 1, 3))
    kind = DTYPES[dtype].numpy
    operands = {
        "data": (dtype, data.astype(kind)),
        "scale": ("fp16", scale),
        "offset": (dtype, offset.astype(kind)),
    }
    (found,) = expand("constexpr_blockwise_shift_scale", operands, [("fp16", data.shape)], 18)
    wanted = oracle("constexpr_blockwise_shift_scale", AvailableTarget.iOS18)(
        data, scale.astype(np.float64), offset
    )
    np.testing.assert_array_equal(found, wanted.astype(np.float16))


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8])
def test_lut_to_dense_with_a_table_per_group(bits: int, rng: np.random.Generator) -> None:
    indices = rng.integers(0, 2**bits, (4, 6)).astype(np.uint8)
    lut = rng.standard_normal((2, 1, 2**bits, 1)).astype(np.float16)
    operands = {"indices": (f"uint{bits}", indices), "lut": ("fp16", lut)}
    (found,) = expand("constexpr_lut_to_dense", operands, [("fp16", (4, 6))], 18)
    np.testing.assert_array_equal(
        found, oracle("constexpr_lut_to_dense", AvailableTarget.iOS18)(indices, lut, None)
    )


@pytest.mark.parametrize("shape", [(1, 1, 3, 1), (2, 1, 3, 1)])
def test_an_index_beyond_its_table_reads_no_other_table(shape: tuple[int, ...]) -> None:
    operands = {
        "indices": ("uint2", np.array([[1, 3], [0, 2]], np.uint8)),
        "lut": ("fp16", np.arange(np.prod(shape), dtype=np.float16).reshape(shape)),
    }
    with pytest.raises(PackageError, match="outside of their tables"):
        expand("constexpr_lut_to_dense", operands, [("fp16", (2, 2))], 18)


def test_a_plan_holds_the_expanded_weight_alone() -> None:
    """Neither the indices, a byte each, nor their table."""
    indices = Constant(TensorType("uint4", (8, 8)), np.zeros(32, np.uint8))
    lut = Constant(TensorType("fp16", (1, 1, 16, 1)), np.ones(16, np.float16))
    kind = TensorType("fp16", (8, 8))
    inputs: dict[str, Any] = {"indices": (indices,), "lut": (lut,)}
    expanded = Operation("constexpr_lut_to_dense", "w", inputs, {}, (Value("w", kind),))
    add = Operation("add", "y", {"x": ("x",), "y": ("w",)}, {}, (Value("y", kind),))
    block = Block((Value("x", kind),), (expanded, add), ("y",))
    plan = compile_function(Function("main", 18, block.inputs, block), "fp16")
    held = [each for each in plan.registers if isinstance(each, torch.Tensor)]
    assert [(tuple(each.shape), each.dtype.is_floating_point) for each in held] == [((8, 8), True)]


@pytest.mark.parametrize("axis", [0, 1])
def test_lut_of_vectors_fills_an_axis(axis: int, rng: np.random.Generator) -> None:
    indices, lut = (
        rng.integers(0, 4, (3, 2)).astype(np.uint8),
        rng.standard_normal((1, 1, 4, 3)).astype(np.float16),
    )
    shape = (9, 2) if axis == 0 else (3, 6)
    operands = {
        "indices": ("uint2", indices),
        "lut": ("fp16", lut),
        "vector_axis": ("int32", np.array(axis, np.int32)),
    }
    (found,) = expand("constexpr_lut_to_dense", operands, [("fp16", shape)], 18)
    np.testing.assert_array_equal(
        found, oracle("constexpr_lut_to_dense", AvailableTarget.iOS18)(indices, lut, axis)
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8])
def test_lut_to_dense_of_ios16_reads_packed_bytes(bits: int, rng: np.random.Generator) -> None:
    indices = rng.integers(0, 2**bits, (5, 3)).astype(np.uint8)
    lut = rng.standard_normal(2**bits).astype(np.float16)
    packed = pack(indices, f"uint{bits}") if bits < 8 else indices.ravel()
    operands = {
        "indices": ("uint8", packed),
        "lut": ("fp16", lut),
        "shape": ("uint32", np.array([5, 3], np.uint32)),
    }
    (found,) = expand("constexpr_lut_to_dense", operands, [("fp16", (5, 3))], 16)
    np.testing.assert_array_equal(found, lut[indices])


def test_affine_dequantize_per_channel(rng: np.random.Generator) -> None:
    data = rng.integers(-128, 127, (2, 3, 4)).astype(np.int8)
    zero, scale = np.array([1, -2, 3], np.int8), np.array([0.1, 0.2, 0.3], np.float16)
    operands = {
        "quantized_data": ("int8", data),
        "zero_point": ("int8", zero),
        "scale": ("fp16", scale),
        "axis": ("int32", np.array(1, np.int32)),
    }
    (found,) = expand("constexpr_affine_dequantize", operands, [("fp16", data.shape)], 16)
    wanted = (data.astype(np.float32) - zero.reshape(3, 1)) * scale.astype(np.float32).reshape(3, 1)
    np.testing.assert_array_equal(found, wanted.astype(np.float16))


@pytest.fixture
def mask(rng: np.random.Generator) -> NDArray[np.uint8]:
    return (rng.random((4, 6)) < 0.5).astype(np.uint8)


def test_sparse_to_dense_of_both_versions(mask: NDArray[np.uint8], rng: np.random.Generator) -> None:
    values = rng.standard_normal(int(mask.sum())).astype(np.float16)
    wanted = np.zeros(mask.shape, np.float16)
    wanted[mask == 1] = values
    new = {"nonzero_data": ("fp16", values), "mask": ("uint1", mask)}
    old = {
        "nonzero_data": ("fp16", values),
        "mask": ("uint8", pack(mask, "uint1")),
        "shape": ("uint32", np.array(mask.shape, np.uint32)),
    }
    for operands, opset in ((new, 18), (old, 16)):
        (found,) = expand("constexpr_sparse_to_dense", operands, [("fp16", mask.shape)], opset)
        np.testing.assert_array_equal(found, wanted)


def test_sparse_tables_and_sparse_blocks(mask: NDArray[np.uint8], rng: np.random.Generator) -> None:
    count = int(mask.sum())
    indices, lut = (
        rng.integers(0, 4, count).astype(np.uint8),
        rng.standard_normal((1, 1, 4, 1)).astype(np.float16),
    )
    operands = {
        "indices_mask": ("uint1", mask),
        "indices_nonzero_data": ("uint2", indices),
        "lut": ("fp16", lut),
    }
    outputs = [("uint1", mask.shape), ("fp16", (count,))]
    found_mask, found = expand("constexpr_lut_to_sparse", operands, outputs, 18)
    np.testing.assert_array_equal(found_mask, mask)
    np.testing.assert_array_equal(found, lut.ravel()[indices])
    data, scale = rng.integers(-8, 8, count).astype(np.int8), rng.uniform(0.1, 1, (2, 1)).astype(np.float16)
    operands = {"data_mask": ("uint1", mask), "nonzero_data": ("int4", data), "scale": ("fp16", scale)}
    found_mask, found = expand("constexpr_sparse_blockwise_shift_scale", operands, outputs, 18)
    rows = np.repeat(np.arange(4), mask.sum(1).astype(int)) // 2
    np.testing.assert_array_equal(found, (data * scale.astype(np.float32)[rows, 0]).astype(np.float16))


def test_cast(rng: np.random.Generator) -> None:
    half = rng.standard_normal(5).astype(np.float16)
    values = {
        "source_val": Constant(TensorType("fp16", half.shape), half),
        "output_dtype": Constant(TensorType("string", ()), np.array("fp32", np.object_)),
    }
    wide = Value("wide", TensorType("fp32", (5,)))
    block = Block((), (Operation("constexpr_cast", "wide", {}, values, (wide,)),), ("wide",))
    (found,) = compile_function(Function("main", 16, (), block), "fp16").run(())
    np.testing.assert_array_equal(found.numpy(), half.astype(np.float32))
