"""What the Neural Engine of an M1 gave at the edges of half precision, through Apple's private interfaces."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.core_ml_values.published import Answer, Published, half, operation

_GUIDE: Final = "sbryngelson/ane-guide, part-1-machine/03-numerics.md"
_TABLE: Final = "the engine's table of this function is not published"
_SUBNORMALS: Final = (
    "M1 takes subnormals in a sum of products as 0; the estimate follows M5, which keeps them"
)
_LANES: Final = "on M1 four neighbours are added up in half before the wide sum; M5's sum was not published"


def _measured(
    kind: str, what: str, values: Sequence[float], answer: Answer, differs: str = "", within: float = 0.0
) -> Published:
    return Published(
        kind, what, "Neural Engine", "M1", _GUIDE, values, answer, differs=differs, within=within
    )


def _sum(x: NDArray[np.float16]) -> Answer:
    """A sum as a product with ones, which the engine adds up wide."""
    return operation("matmul", x=x[None], y=np.ones((x.size, 1), np.float16))


def _unary(kind: str, *numbers: float, **options: Any) -> Answer:
    return operation(kind, x=half(*numbers), **options)


_INDETERMINATE: Final = (
    _measured("sub", "infinity minus infinity", [0], operation("sub", x=half(np.inf), y=half(np.inf))),
    _measured("mul", "0 times infinity", [0], operation("mul", x=half(0), y=half(np.inf))),
    _measured("sqrt", "of -1", [0], _unary("sqrt", -1)),
    _measured("rsqrt", "of -1", [0], _unary("rsqrt", -1, epsilon=np.float16(0))),
    _measured("log", "of -1", [0], _unary("log", -1, epsilon=np.float16(0))),
    _measured("log", "of 0", [-45440], _unary("log", 0, epsilon=np.float16(0))),
    _measured("real_div", "1 by -0", [np.inf], operation("real_div", x=half(1), y=half(-0.0))),
    _measured("rsqrt", "of -0", [np.inf], _unary("rsqrt", -0.0, epsilon=np.float16(0))),
    _measured("softplus", "of infinity", [0], _unary("softplus", np.inf)),
    _measured("softsign", "of infinity", [0], _unary("softsign", np.inf)),
)

_NAN: Final = (
    _measured("add", "NaN and 0", [np.inf], operation("add", x=half(np.nan), y=half(0))),
    _measured("sigmoid", "of NaN", [1], _unary("sigmoid", np.nan)),
    _measured("tanh", "of NaN", [1], _unary("tanh", np.nan)),
    _measured("erf", "of NaN", [1], _unary("erf", np.nan)),
    _measured("exp", "of NaN", [np.inf], _unary("exp", np.nan)),
    _measured("softmax", "with a NaN", [0, 1, 0], _unary("softmax", 1, np.nan, 2)),
    _measured("relu", "of NaN", [np.inf], _unary("relu", np.nan)),
    _measured("maximum", "NaN and 1", [np.inf], operation("maximum", x=half(np.nan), y=half(1))),
)

_RANGE: Final = (
    _measured("softmax", "of 1000 and less", [1, 0, 0, 0], _unary("softmax", 1000, 1, 2, 3)),
    _measured("softmax", "of four equal ones", [0.25] * 4, _unary("softmax", 5, 5, 5, 5)),
    _measured("exp", "of 11.1", [np.inf], _unary("exp", 11.1)),
    _measured("square", "of 256", [np.inf], _unary("square", 256)),
    _measured("matmul", "32752 by 1", [32752], _sum(half(32752))),
    _measured("matmul", "32768 by 1", [np.inf], _sum(half(32768))),
    _measured(
        "conv",
        "60000 by one weight",
        [60000],
        operation(
            "conv",
            x=half(60000).reshape(1, 1, 1, 1),
            weight=half(1).reshape(1, 1, 1, 1),
            strides=[1, 1],
            dilations=[1, 1],
            groups=1,
            pad_type="valid",
            pad=[0, 0, 0, 0],
        ),
        "a convolution of one tap keeps the whole range; the estimate ends it at 32,752 like the others",
    ),
    _measured("gelu", "of 0", [-0.000543], _unary("gelu", 0, mode="EXACT"), _TABLE, within=5e-7),
    _measured("silu", "of 0", [-0.001259], _unary("silu", 0), _TABLE, within=5e-7),
)

_SUMS: Final = (
    _measured("matmul", "sixteen thousand ones", [16000], _sum(half(*[1] * 16000))),
    _measured("matmul", "4000, -4000 and 1 sixteen times", [16], _sum(half(*[4000, -4000, 1] * 16))),
    _measured("matmul", "4096, -4096 and 1 sixteen times", [4], _sum(half(*[4096, -4096, 1] * 16)), _LANES),
    _measured("matmul", "two subnormals on M1", [0], _sum(half(2**-20, 2**-20)), _SUBNORMALS),
    Published(
        "matmul",
        "two subnormals on M5",
        "Neural Engine",
        "M5",
        _GUIDE,
        [2**-19],
        _sum(half(2**-20, 2**-20)),
    ),
    _measured("matmul", "4096 and 1024 ones", [5116], _sum(half(4096, *[1] * 1024)), _LANES),
)

CASES: Final = (*_INDETERMINATE, *_NAN, *_RANGE, *_SUMS)
