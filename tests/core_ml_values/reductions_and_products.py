"""Published values of reductions, matrix products, convolutions and pools."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from coreml_gate.runtime.precision import Mode
from tests.core_ml_values.published import Published, Unit, converted, half, operation, whole, wide

_M5 = "macOS 26.5, M5"
_CLIFFS = "sbryngelson/ANEForge docs/numeric-cliffs.md, #115"
_POOL = {"strides": [3, 3], "pad_type": "custom", "pad": [0] * 4, "kernel_sizes": [2, 2]}
_FIVE = {"kernel_sizes": [5, 5], "pad_type": "valid"}
_ROOTS: tuple[tuple[Unit, float], ...] = (("CPU", np.inf), ("Neural Engine", 289.0))
_GRID = np.arange(49, dtype=np.float32).reshape(1, 1, 7, 7)
_CEIL = "apple/coremltools#2844, #2772"
_WHOLE_KERNEL = [4, 7, 4.75, 25, 28, 15.25, 21.25, 22.75, 12]


def _ones(rows: int, columns: int) -> NDArray[np.float16]:
    return np.ones((rows, columns), np.float16)


def _extremes(mode: Mode) -> NDArray[Any]:
    bounds = {"low": np.float16(0), "high": np.float16(100)}
    drawn = operation("random_uniform", "fp16", shape=whole(874_000), **bounds)(mode)
    return np.array([np.floor(drawn.min()), drawn.max()])


CASES = (
    *(
        Published(
            "reduce_log_sum_exp",
            f"of 32 halves of {level}",
            unit,
            "2026-05",
            "apple/coremltools#2690",
            [value],
            operation("reduce_log_sum_exp", x=half(*[level] * 32)[None], axes=[-1]),
            within=within,
            relative=relative,
        )
        for level, unit, value, within, relative in (
            (7.61, "Neural Engine", 11.08, 5e-3, 0.0),
            (7.65, "Neural Engine", 0.0, 0.0, 0.0),
            (7.61, "CPU", 11.075110903, 0.0, 2**-11),
            (7.61, "GPU", 11.075110903, 0.0, 2**-11),
            (7.65, "CPU", 11.114173403, 0.0, 2**-11),
            (7.65, "GPU", 11.114173403, 0.0, 2**-11),
        )
    ),
    Published(
        "reduce_sum",
        "2049 ones",
        "Neural Engine",
        "macOS 26.5, M2 Pro and M5",
        "sbryngelson/ANEForge docs/numeric-cliffs.md",
        [2050],
        operation("reduce_sum", x=_ones(1, 2049), axes=[-1]),
    ),
    Published(
        "reduce_sum",
        "2048 ones",
        "Neural Engine",
        "macOS 26.5, M2 Pro and M5",
        "sbryngelson/ANEForge docs/numeric-cliffs.md",
        [2048],
        operation("reduce_sum", x=_ones(1, 2048), axes=[-1]),
    ),
    Published(
        "matmul",
        "32 products of 1000",
        "Neural Engine",
        "macOS 26.5, M2 Pro and M5",
        _CLIFFS,
        [32000],
        operation("matmul", x=_ones(1, 32) * np.float16(1000), y=_ones(32, 1)),
    ),
    Published(
        "matmul",
        "33 products of 1000",
        "Neural Engine",
        "macOS 26.5, M2 Pro and M5",
        _CLIFFS,
        [np.inf],
        operation("matmul", x=_ones(1, 33) * np.float16(1000), y=_ones(33, 1)),
    ),
    Published(
        "matmul",
        "16,384 ones",
        "Neural Engine",
        _M5,
        "sbryngelson/ANEForge docs/developer/numerics.md",
        [16384],
        operation("matmul", x=_ones(1, 16384), y=_ones(16384, 1)),
    ),
    Published(
        "matmul",
        "1 beside 16,000",
        "Neural Engine",
        _M5,
        "sbryngelson/ANEForge docs/developer/numerics.md",
        [1],
        operation("matmul", x=half(16000, 1, -16000)[None], y=_ones(3, 1)),
    ),
    Published(
        "avg_pool",
        "ceil_mode, torch's avg_pool2d",
        "CPU",
        "2026-08",
        _CEIL,
        _WHOLE_KERNEL,
        converted(lambda x: torch.nn.functional.avg_pool2d(x, 2, 3, ceil_mode=True), _GRID),
    ),
    Published(
        "avg_pool",
        "ceil_mode, torch's avg_pool1d",
        "any",
        "2026-08",
        "apple/coremltools#2844",
        [0.5, 3.5, 3],
        converted(lambda x: torch.nn.functional.avg_pool1d(x, 2, 3, ceil_mode=True), _GRID[:, 0, :1]),
    ),
    Published(
        "avg_pool",
        "ceil_mode, padding counted",
        "CPU",
        "2026-08",
        _CEIL,
        _WHOLE_KERNEL,
        operation("avg_pool", x=_GRID, ceil_mode=True, exclude_padding_from_average=False, **_POOL),
    ),
    Published(
        "avg_pool",
        "ceil_mode, padding excluded",
        "CPU",
        "2026-08",
        f"{_CEIL}: what the fix of #2844 gives",
        [4, 7, 9.5, 25, 28, 30.5, 42.5, 45.5, 48],
        operation("avg_pool", x=_GRID, ceil_mode=True, exclude_padding_from_average=True, **_POOL),
    ),
    Published(
        "max_pool",
        "windows of ceil_mode with kernel < stride",
        "any",
        "not said",
        "coremltools 9.0, test_internal_graph.py (rdar 80050546)",
        [6],
        lambda mode: np.array(
            operation(
                "max_pool",
                x=wide(*range(10))[None, None],
                kernel_sizes=[1],
                strides=[2],
                pad_type="valid",
                ceil_mode=True,
            )(mode).shape[-1]
        ),
    ),
    *(
        Published(
            "l2_pool",
            "5 by 5 halves with a root of 289",
            unit,
            "macOS 14, arm64",
            "Chromium, l2Pool2d baselines (values of another vector with this root)",
            [value],
            operation("l2_pool", x=np.full((1, 1, 5, 5), 57.8, np.float16), **_FIVE),
        )
        for unit, value in _ROOTS
    ),
    Published(
        "slice_by_index",
        "of 5000 with a width offset",
        "Neural Engine",
        "macOS 26.5, M5",
        "sbryngelson/ANEForge docs/cross-chip.md",
        [4000, 5000, -6000],
        operation("slice_by_index", x=half(1, 4000, 5000, -6000)[None], begin=[0, 1], end=[1, 4]),
    ),
    Published(
        "slice_by_index",
        "of 5000 with a width offset, on M1",
        "Neural Engine",
        "2026, M1",
        "sbryngelson/ANEForge docs/cross-chip.md",
        [4000, np.inf, -np.inf],
        operation("slice_by_index", x=half(1, 4000, 5000, -6000)[None], begin=[0, 1], end=[1, 4]),
        differs="a bug of the oldest engine (A13 and M1) with values above 4,094, which no program shows",
    ),
    Published(
        "mul",
        "of a floor by a scalar",
        "Neural Engine",
        _M5,
        "sbryngelson/ANEForge#112",
        [11, -4, 2, -12],
        operation("mul", x=np.floor(half(11.3, -3.5, 2.4, -11.2)), y=half(-1.206)),
        differs="a bug of the engine's compiler; the rule `scaled-rounding` names it",
    ),
    Published(
        "random_uniform",
        "least and greatest of 874,000 halves from 0 to 100",
        "any",
        "macOS 15",
        "apple/coremltools#2568",
        [0, 100],
        _extremes,
    ),
)
