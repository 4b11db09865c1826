"""Published values of what moves, picks and quantizes values."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from coreml_gate.runtime.precision import Mode
from tests.core_ml_values.published import Answer, Published, converted, half, operation, wide
from tests.runtime.conftest import run

# test_nms_corner_case_iou_equal_threshold of coremltools 9.0: corners and scores; the first box is flat.
_CORNERS = np.array([[3, 2, 3, 0], [0, 0, 2, 2], [1, 3, 2, 1], [0, 2, 1, 3], [1, 1, 2, 3]], np.float32)
_BOXES = np.hstack([(_CORNERS[:, :2] + _CORNERS[:, 2:]) / 2, _CORNERS[:, 2:] - _CORNERS[:, :2]])
_SCORES = wide(3, 2, 0, 1, 4)
_NMS = "coremltools 9.0, test_nms_corner_case_iou_equal_threshold"


def _suppressed(opset: int, dtype: type[Any]) -> Answer:
    def answer(mode: Mode) -> NDArray[Any]:
        boxes, scores = _BOXES[None].astype(dtype), _SCORES[None, :, None].astype(dtype)
        name = "fp32" if dtype is np.float32 else "fp16"
        outputs, options = [name, name, "int32"], {"iou_threshold": dtype(0.2), "max_boxes": 5}
        if opset >= 17:
            boxes, scores = boxes.swapaxes(1, 2).copy(), scores.swapaxes(1, 2).copy()
        else:
            outputs, options = [*outputs, "int32"], {**options, "score_threshold": dtype(-10)}
        inputs = {"boxes": boxes, "scores": scores}
        places = run("non_maximum_suppression", inputs, options, outputs, mode, opset)[2]
        return np.asarray(places[places >= 0])

    return answer


def _requantized(scale: float) -> Answer:
    """The product of two quantized ones, quantized by ``scale``."""

    def answer(mode: Mode) -> NDArray[Any]:
        one = np.full(8, 16, np.int8)
        x = operation("dequantize", "fp16", input=one, scale=np.float16(0.0625))(mode).astype(np.float16)
        product = operation("mul", x=x, y=x)(mode).astype(np.float16)
        return _fake_quantized(product, np.float16(scale), None, mode)

    return answer


def _fake_quantized(x: NDArray[Any], scale: np.generic, zero: np.int8 | None, mode: Mode) -> NDArray[Any]:
    dtype = {"float16": "fp16", "float32": "fp32"}[x.dtype.name]
    given = {"scale": scale} if zero is None else {"scale": scale, "zero_point": zero}
    steps = operation("quantize", "int8", input=x, output_dtype="int8", **given)(mode)
    return operation("dequantize", dtype, input=steps.astype(np.int8), **given)(mode)


def _quantized(function: str, scale: float) -> Answer:
    """WPT's quantized activations: the input is quantized by 1/255, the output by ``scale``."""

    def answer(mode: Mode) -> NDArray[Any]:
        x = _fake_quantized(_WPT, np.float32(0.003921568859368563), np.int8(-128), mode)
        return _fake_quantized(operation(function, x=x)(mode), np.float32(scale), np.int8(-128), mode)

    return answer


_WPT = wide(0.68114662, 0.0479511022, 0.333554625, 0.198826954, 0.4116714, 0.0793424025)
_RESCALED = "a bug of the engine's compiler: the wrong scale; the rule `requantized-product` names it"

CASES = (
    Published(
        "gather",
        "torch.roll by -2 along a flexible axis",
        "any",
        "2026-08",
        "apple/coremltools#2778",
        list(range(15)),
        converted(lambda x: torch.roll(x, -2, 1), np.arange(15, dtype=np.float32).reshape(3, 5), flexible=1),
        differs="the runtime names the invalid range; Core ML gives the input or fails (#2838)",
    ),
    *(
        Published(
            "non_maximum_suppression",
            f"an overlap of just the limit, iOS {opset}, {dtype.__name__}",
            "CPU",
            "macOS 13 to 15",
            _NMS,
            kept,
            _suppressed(opset, dtype),
        )
        for opset, dtype, kept in (
            (15, np.float32, [4, 0, 1, 3, 2]),
            (15, np.float16, [4, 0, 3, 2]),
            (17, np.float32, [4, 0, 3, 2]),
            (17, np.float16, [4, 0, 3, 2]),
        )
    ),
    *(
        Published(
            "quantize",
            f"a product of 1, output scale {scale}",
            unit,
            "macOS 27, M5 Pro",
            "apple/coreai-torch#112, also seen with Core ML",
            [value] * 8,
            _requantized(scale),
            differs=why,
        )
        for scale, unit, value, why in (
            (0.0625, "CPU", 1, ""),
            (0.125, "CPU", 1, ""),
            (0.25, "CPU", 1, ""),
            (0.5, "CPU", 1, ""),
            (0.125, "Neural Engine", 2, _RESCALED),
            (0.25, "Neural Engine", 4, _RESCALED),
            (0.5, "Neural Engine", 8, _RESCALED),
        )
    ),
    Published(
        "quantize",
        "quantized tanh",
        "GPU",
        "macOS 15, arm64",
        "Chromium, qdq_subgraph_gpu baseline",
        [0.592156887, 0.047058828, 0.321568638, 0.196078449, 0.388235331, 0.078431375],
        _quantized("tanh", 0.003921568859368563),
        within=5e-8,
    ),
    Published(
        "quantize",
        "quantized sigmoid",
        "GPU",
        "macOS 15, arm64",
        "Chromium, qdq_subgraph_gpu baseline",
        [0.6640625, 0.51171875, 0.58203125, 0.55078125, 0.6015625, 0.51953125],
        _quantized("sigmoid", 0.00390625),
    ),
    Published(
        "gather",
        "index -2 of 2 rows",
        "GPU",
        "macOS 15, arm64",
        "Chromium, gather_gpu baseline",
        [-66.059013367],
        operation("gather", x=wide(-66.059013367, 2.5)[:, None], indices=np.array([-2], np.int32), axis=0),
        relative=1e-6,
    ),
    *(
        Published(
            "gather",
            f"index {index} of 2 rows",
            "GPU",
            "macOS 15, arm64",
            "Chromium, gather_gpu baseline",
            [-66.059013367],
            operation(
                "gather",
                x=wide(-66.059013367, 2.5)[:, None],
                indices=np.array([index], np.int32),
                axis=0,
            ),
            relative=1e-6,
            differs="some number of the tensor on Core ML; here an error that names the operation",
        )
        for index in (10, -10)
    ),
    Published(
        "argsort",
        "of a NaN, ascending",
        "CPU",
        "2026-08",
        "kasper0406/stablehlo-coreml, test_sort: NaN comes first",
        [1, 2, 0],
        operation("argsort", "int32", x=wide(3, np.nan, 1), axis=0, ascending=True),
    ),
    Published(
        "fill",
        "torch.diagonal of 5 by 5, exported",
        "any",
        "macOS 15",
        "apple/coremltools#2565",
        [n if n % 6 == 0 else 0 for n in range(25)],
        converted(
            lambda x: torch.diagonal(x) * 1, np.arange(25, dtype=np.float32).reshape(5, 5), route="export"
        ),
    ),
    Published(
        "band_part",
        "torch.triu of -inf",
        "any",
        "2026",
        "apple/coremltools#2771",
        [np.nan, -np.inf, -np.inf, np.nan, np.nan, -np.inf, np.nan, np.nan, np.nan],
        converted(lambda x: torch.triu(x, 1), np.full((3, 3), -np.inf, np.float32)),
    ),
    Published(
        "band_part",
        "all of it with negative widths",
        "any",
        "macOS 26, M4",
        "rustnn/rustnn#235: negative widths are unlimited",
        list(range(9)),
        operation("band_part", x=half(*range(9)).reshape(3, 3), lower=-1, upper=-1),
    ),
)
