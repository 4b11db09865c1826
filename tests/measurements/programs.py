"""Small packages written with coremltools' builder, where a conversion would only cost time."""

from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder


def doubled(path: Path, *, half: bool = False, factor: float = 2.0, shape: tuple[int, ...] = (1, 4)) -> Path:
    """``scores = factor * x``, computed in float32 or in half."""

    def body(x: Any) -> Any:
        return Builder.mul(x=x, y=np.float32(factor), name="scores")

    target = ct.target.iOS16
    program = Builder.program(input_specs=[Builder.TensorSpec(shape)], opset_version=target)(body)
    precision = ct.precision.FLOAT16 if half else ct.precision.FLOAT32
    ct.convert(program, minimum_deployment_target=target, compute_precision=precision).save(str(path))
    return path
