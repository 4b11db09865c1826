"""Literal expectations of coremltools' own tests of operations, which Apple runs on Core ML's CPU.

By default those tests run in half precision only and allow 0.5 and 5 % (``compare_backend``), so here stand
those that another reading of the operation would miss by more; the runtime is held to what halves give. The
tests of ``dequantize`` are in float32 and allow 0.001.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from coreml_gate.runtime.precision import Mode
from tests.core_ml_values.published import Answer, Published, half, operation, wide
from tests.runtime.conftest import run
from tests.runtime.ops.test_constexpr import expand

_SYSTEM: Final = "macOS, continuous integration"
_ROWS: Final = half(-1, 2, -3, 4, -5, 6).reshape(2, 3)
_RANKS: Final = np.array([[2, 3, 1], [5, 4, 6]])


def apple_test(kind: str, what: str, source: str, values: Any, answer: Answer, **more: Any) -> Published:
    """An expectation of coremltools 9.0, held to what halves give unless ``more`` says otherwise."""
    wanted = [float(value) for value in np.asarray(values).reshape(-1)]
    tolerance = {"within": 5e-3, "relative": 2e-3, **more}
    return Published(
        kind, what, "CPU", _SYSTEM, f"coremltools 9.0, {source}", wanted, answer, evidence="test", **tolerance
    )


_INTEGER_TYPES: Final = (np.int8, np.uint8, np.int32)


def _topk(place: int, x: NDArray[Any], dtype: str, **options: Any) -> Answer:
    def answer(mode: Mode) -> NDArray[Any]:
        found = run("topk", {"x": x}, {"k": 2, "axis": 1, **options}, (dtype, "int32"), mode, 17)
        return np.asarray(found[place])

    return answer


_PICKED: Final = (
    *(
        apple_test(
            "topk",
            f"{part} of two of three, {'sorted' if sort else 'as they come'}",
            "iOS16 test_tensor_operation.py, TestTopK",
            wanted,
            _topk(place, _ROWS, "fp16", sort=sort),
        )
        for sort in (True, False)
        for place, part, wanted in ((0, "values", [2, -1, 6, 4]), (1, "places", [1, 0, 2, 0]))
        if sort or place == 0
    ),
    apple_test(
        "topk",
        "places of the least two",
        "iOS14 test_tensor_operation.py, TestTopK symbolic",
        [2, 0, 1, 0],
        _topk(1, half(1, 2, -3, 4, -5, 6).reshape(2, 3), "fp16", ascending=True),
    ),
    *(
        apple_test(
            "topk",
            f"values of {np.dtype(kind).name}",
            "iOS17 test_tensor_operation.py, test_ios17_different_dtypes",
            [3, 2, 6, 5],
            _topk(0, _RANKS.astype(kind), np.dtype(kind).name),
        )
        for kind in _INTEGER_TYPES
    ),
    *(
        apple_test(
            "argsort",
            f"{'upward along axis 0' if upward else 'downward along axis 1'}",
            "iOS14 test_tensor_operation.py, TestArgSort",
            wanted,
            operation("argsort", "int32", x=_ROWS, axis=axis, ascending=upward),
        )
        for upward, axis, wanted in ((False, 1, [1, 0, 2, 2, 0, 1]), (True, 0, [0, 1, 0, 1, 0, 1]))
    ),
    *(
        apple_test(
            "one_hot",
            f"of 1 and 0 along axis {axis}, {on:g} and {off:g}",
            "iOS14 test_tensor_operation.py, TestOneHot",
            wanted,
            operation(
                "one_hot",
                indices=np.array([1, 0], np.int32),
                one_hot_vector_size=4,
                axis=axis,
                on_value=on,
                off_value=off,
            ),
        )
        for axis, on, off, wanted in (
            (-1, 1, 0, [0, 1, 0, 0, 1, 0, 0, 0]),
            (0, 1, 0, [0, 1, 1, 0, 0, 0, 0, 0]),
            (-1, 1, 9, [9, 1, 9, 9, 1, 9, 9, 9]),
        )
    ),
    apple_test(
        "non_zero",
        "of 3 by 3",
        "iOS14 test_tensor_operation.py, TestNonZero",
        [0, 0, 1, 1, 2, 0, 2, 1],
        operation("non_zero", "int32", x=half(3, 0, 0, 0, 4, 0, 5, 6, 0).reshape(3, 3)),
    ),
    *(
        apple_test(
            "gather",
            f"along axis {axis} with {batch} shared",
            "iOS16 test_scatter_gather.py, TestGather",
            wanted,
            operation(
                "gather",
                x=half(*range(1, 13)).reshape(2, 2, 3),
                indices=np.array([[[1, 0], [0, 1]], [[1, 0], [0, 0]]], np.int32),
                axis=axis,
                batch_dims=batch,
            ),
        )
        for axis, batch, wanted in (
            (1, 1, [4, 5, 6, 1, 2, 3, 1, 2, 3, 4, 5, 6, 10, 11, 12, 7, 8, 9, 7, 8, 9, 7, 8, 9]),
            (2, 1, [2, 1, 1, 2, 5, 4, 4, 5, 8, 7, 7, 7, 11, 10, 10, 10]),
            (2, 2, [2, 1, 4, 5, 8, 7, 10, 10]),
        )
    ),
)


def _expanded(kind: str, opset: int, size: tuple[int, ...], /, **operands: Any) -> Answer:
    """A compressed weight; its test adds it to an input."""

    def answer(_: Mode) -> NDArray[Any]:
        return np.asarray(expand(kind, operands, [("fp16", size)], opset)[0])

    return answer


_TABLE: Final = half(-19, 4, 0, -1, 1, 3, 5, -8, 19, 13, 42, 4.5, 5.4, 2, -6, -7)
_TWO_TABLES: Final = half(1, 5, 9, 13, 2, 10, 18, 26).reshape(2, 4)
_WEIGHTS: Final = "iOS16 test_constexpr_ops.py"
_EXPANDED: Final = (
    apple_test(
        "constexpr_lut_to_dense",
        "four of a palette of 16, iOS 16",
        f"{_WEIGHTS}, TestConstexprLutToDense",
        [1, 2, 3, 4],
        _expanded(
            "constexpr_lut_to_dense",
            16,
            (4, 1),
            lut=("fp16", _TABLE),
            indices=("uint8", np.array([212, 21], np.uint8)),
            shape=("uint32", np.array([4, 1], np.uint32)),
        ),
    ),
    apple_test(
        "constexpr_sparse_to_dense",
        "three of four, iOS 16",
        f"{_WEIGHTS}, TestConstexprSparseToDense",
        [1, 2, 0, 4],
        _expanded(
            "constexpr_sparse_to_dense",
            16,
            (4, 1),
            nonzero_data=("fp16", half(1, 2, 4)),
            mask=("uint8", np.array([11], np.uint8)),
            shape=("uint32", np.array([4, 1], np.uint32)),
        ),
    ),
    apple_test(
        "constexpr_affine_dequantize",
        "a scale and a zero point per column, iOS 16",
        f"{_WEIGHTS}, TestConstexprAffineDequantize",
        [1, 2, 3, 4],
        _expanded(
            "constexpr_affine_dequantize",
            16,
            (1, 1, 2, 2),
            quantized_data=("uint8", np.array([3, 5, 5, 6], np.uint8).reshape(1, 1, 2, 2)),
            zero_point=("uint8", np.array([2, 4], np.uint8)),
            scale=("fp16", half(1, 2)),
            axis=("int32", np.array(3, np.int32)),
        ),
    ),
    *(
        apple_test(
            "constexpr_lut_to_dense",
            f"two palettes of {1 << bits}, iOS 18",
            "iOS18 test_compression.py, TestConstexprLut",
            [9, 13, 13, 1, 5, 1, 26, 2, 18, 10, 2, 26],
            _expanded(
                "constexpr_lut_to_dense",
                18,
                (6, 2),
                indices=(
                    f"uint{bits}",
                    np.array([2, 3, 3, 0, 1, 0, 3, 0, 2, 1, 0, 3], np.uint8).reshape(6, 2),
                ),
                lut=("fp16", np.pad(_TWO_TABLES, ((0, 0), (0, (1 << bits) - 4))).reshape(2, 1, -1, 1)),
            ),
        )
        for bits in (2, 4, 8)
    ),
)

_STEPS: Final = "iOS17 test_quantization.py"
_QUANTIZED: Final = (
    apple_test(
        "quantize",
        "halves by 0.1 to int8",
        f"{_STEPS}, quantize_per_tensor",
        [0, 10, 20, 30],
        operation(
            "quantize",
            "int8",
            input=half(-1, 0, 1, 2),
            zero_point=np.int8(10),
            scale=np.float16(0.1),
            output_dtype="int8",
        ),
    ),
    apple_test(
        "quantize",
        "halves by a scale per row to uint8",
        f"{_STEPS}, quantize_per_channel",
        [0, 10, 100, 200],
        operation(
            "quantize",
            "uint8",
            input=half(-1, 0, 1, 2).reshape(2, 2),
            zero_point=np.array([10, 0], np.uint8),
            scale=half(0.1, 0.01),
            axis=0,
            output_dtype="uint8",
        ),
    ),
    apple_test(
        "dequantize",
        "uint8 by 0.2 in float32",
        f"{_STEPS}, dequantize_per_tensor",
        [0, 1, 2, 3],
        operation(
            "dequantize",
            "fp32",
            input=np.array([5, 10, 15, 20], np.uint8),
            zero_point=np.uint8(5),
            scale=np.float32(0.2),
        ),
        within=1e-3,
    ),
    apple_test(
        "dequantize",
        "int8 by a scale per column in float32",
        f"{_STEPS}, dequantize_per_channel",
        [-1, -3, 1, 0],
        operation(
            "dequantize",
            "fp32",
            input=np.array([[-10, -5], [0, 5]], np.int8),
            zero_point=np.array([-5, 5], np.int8),
            scale=wide(0.2, 0.3),
            axis=1,
        ),
        within=1e-3,
    ),
)

CASES: Final = (*_PICKED, *_EXPANDED, *_QUANTIZED)
