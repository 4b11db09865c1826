"""Small packages written with coremltools' builder, where a conversion would only cost time."""

from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder
from coremltools.converters.mil.mil import types


def doubled(path: Path, *, half: bool = False, factor: float = 2.0, half_input: bool = False) -> Path:
    """``scores = factor * x`` of four numbers, in float32 or in half; the input can be float16 itself."""

    def body(x: Any) -> Any:
        return Builder.mul(x=x, y=np.float16(factor) if half_input else np.float32(factor), name="scores")

    target = ct.target.iOS16
    dtype = types.fp16 if half_input else types.fp32
    program = Builder.program(input_specs=[Builder.TensorSpec((1, 4), dtype)], opset_version=target)(body)
    precision = ct.precision.FLOAT16 if half else ct.precision.FLOAT32
    ct.convert(program, minimum_deployment_target=target, compute_precision=precision).save(str(path))
    return path
