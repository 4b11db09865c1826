"""Expectations of ONNX Runtime's tests of operations that move numbers without changing them."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from coreml_gate.runtime.precision import Mode
from tests.core_ml_values.published import Answer, Published, operation, wide
from tests.core_ml_values.tests_of_onnx_runtime import microsoft_test
from tests.runtime.conftest import run

_BASIC: Final = "ONNX Runtime, coreml_basic_test.cc"
_DEPTH: Final = "ONNX Runtime, space_depth_ops_test.cc"


def _split(x: NDArray[Any], place: int, parts: int, **sizes: Any) -> Answer:
    def answer(mode: Mode) -> NDArray[Any]:
        return np.asarray(run("split", {"x": x}, {**sizes, "axis": 1}, ("fp32",) * parts, mode, 18)[place])

    return answer


_NINE: Final = wide(0.5, -1, 2.25, -3.5, 4, -0.125, 7.5, -8, 0).reshape(1, 9)
_SIX: Final = wide(1, -2, 3, -4, 5, -6).reshape(1, 6)
_PARTS: Final = (
    *(
        microsoft_test(
            "split",
            f"part {place + 1} of 4, 3 and 2",
            f"{_BASIC}, Split11UnevenAttribute",
            wanted,
            _split(_NINE, place, 3, split_sizes=[4, 3, 2]),
        )
        for place, wanted in enumerate(([0.5, -1, 2.25, -3.5], [4, -0.125, 7.5], [-8, 0]))
    ),
    *(
        microsoft_test(
            "split",
            f"part {place + 1} of 3 and 3",
            f"{_BASIC}, Split11EvenAttribute",
            wanted,
            _split(_SIX, place, 2, split_sizes=[3, 3]),
        )
        for place, wanted in enumerate(([1, -2, 3], [-4, 5, -6]))
    ),
    *(
        microsoft_test(
            "split",
            f"part {place + 1} of two equal ones",
            f"{_BASIC}, Split11NoAttributeEven",
            wanted,
            _split(wide(*range(8)).reshape(1, 8), place, 2, num_splits=2),
        )
        for place, wanted in enumerate(([0, 1, 2, 3], [4, 5, 6, 7]))
    ),
)


def _line(*shape: int, step: float = 1, start: float = 0, dtype: Any = np.float32) -> NDArray[Any]:
    """Numbers at one distance."""
    return (np.arange(np.prod(shape), dtype=dtype).reshape(shape) * dtype(step) + dtype(start)).astype(dtype)


def _one(x: NDArray[Any], axis: int, index: int) -> Answer:
    """A gather of one place, whose axis vanishes."""
    return operation("gather", x=x, indices=np.int32(index), axis=axis, batch_dims=0, validate_indices=False)


_GATHERED: Final = tuple(
    microsoft_test(
        "gather",
        f"place {index} of {name} along axis {axis}",
        f"{_BASIC}, Gather tests with a scalar index",
        np.take(x, index, axis).reshape(-1),
        _one(x, axis, index),
    )
    for name, x, axis, index in (
        ("1 by 4 by 8", _line(1, 4, 8, step=0.25, start=-1), 1, 2),
        ("6 by 5", _line(6, 5, start=-12.5), 0, 4),
        ("2 by 3 by 4", _line(2, 3, 4, step=0.5), -1, 1),
        ("1 by 4 by 8 halves", _line(1, 4, 8, step=0.25, start=-1, dtype=np.float16), 1, 2),
        ("2 by 5 by 3 by 4", _line(2, 5, 3, 4, step=0.1, start=-5), 1, 3),
        ("six", _line(6, start=-2.5), 0, 2),
        ("3 by 4 int32", _line(3, 4, step=1000, start=-5000, dtype=np.int32), 0, 1),
    )
)

_DEEP: Final = wide(0, 0.2, 2, 2.2, 0.1, 0.3, 2.1, 2.3, 1, 1.2, 3, 3.2, 1.1, 1.3, 3.1, 3.3).reshape(
    1, 8, 1, 2
)
_MOVED: Final = (
    microsoft_test(
        "depth_to_space",
        "eight channels to 2 by 4 of two",
        f"{_DEPTH}, DepthToSpaceTest_1",
        [0, 0.1, 0.2, 0.3, 1, 1.1, 1.2, 1.3, 2, 2.1, 2.2, 2.3, 3, 3.1, 3.2, 3.3],
        operation("depth_to_space", x=_DEEP, block_size=2),
    ),
    microsoft_test(
        "depth_to_space",
        "the first image of twelve channels",
        f"{_DEPTH}, DepthToSpaceTest_4",
        [
            *(0, 18, 1, 19, 36, 54, 37, 55, 2, 20, 3, 21, 38, 56, 39, 57, 4, 22, 5, 23, 40, 58, 41, 59),
            *(6, 24, 7, 25, 42, 60, 43, 61, 8, 26, 9, 27, 44, 62, 45, 63, 10, 28, 11, 29, 46, 64, 47, 65),
            *(12, 30, 13, 31, 48, 66, 49, 67, 14, 32, 15, 33, 50, 68, 51, 69, 16, 34, 17, 35, 52, 70, 53, 71),
        ],
        operation("depth_to_space", x=_line(1, 12, 3, 2), block_size=2),
    ),
    microsoft_test(
        "pad",
        "zeros by 1, 1 and 2, 1",
        f"{_BASIC}, PadConstantDefaultValueMLProgram",
        np.pad(_line(3, 4, start=1), ((1, 1), (2, 1))).reshape(-1),
        operation(
            "pad",
            x=_line(1, 1, 3, 4, start=1),
            pad=[1, 1, 2, 1],
            mode="constant",
            constant_val=np.float32(0),
        ),
    ),
    microsoft_test(
        "pad",
        "a row by 2 and 3",
        f"{_BASIC}, Pad1DMLProgram",
        [0, 0, 1, 2, 3, 4, 5, 0, 0, 0],
        operation("pad", x=_line(5, start=1), pad=[2, 3], mode="constant", constant_val=np.float32(0)),
    ),
    microsoft_test(
        "select",
        "of float32",
        f"{_BASIC}, Where in float32",
        [1, -2, 3, -4],
        operation(
            "select",
            "fp32",
            cond=np.array([True, False, True, False]),
            a=wide(1, 2, 3, 4),
            b=wide(-1, -2, -3, -4),
        ),
    ),
)

CASES: Final[tuple[Published, ...]] = (*_PARTS, *_GATHERED, *_MOVED)
