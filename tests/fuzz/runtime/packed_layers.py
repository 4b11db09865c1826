"""How far may a packed layer be from the exact result, which a float64 run of its formula gives?"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coreml_gate.mil.ir import Operation
from coreml_gate.runtime.ops.conv import conv, conv_transpose
from coreml_gate.runtime.ops.linear import linear, matmul
from tests.fuzz.runtime.cells import CELLS

_FORMULAS: Mapping[str, Callable[..., Tensor]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "linear": linear,
    "matmul": matmul,
}
_WEIGHTS = {"conv": "weight", "conv_transpose": "weight", "linear": "weight", "matmul": "y"}
_UNIT = 2.0**-24
_HALF_UNIT, _LEAST_HALF = 2.0**-11, 2.0**-25
_LARGE = 1e37
_HALF_LARGE = 65000.0
_NEAR_CELL = 2e-5


def far_from_exact(made: Operation, inputs: Mapping[str, Any], outputs: tuple[Any, ...]) -> str:
    """Empty where the result lies within what adding its products in some order can give."""
    if made.type in CELLS:
        return _far_cell(made, inputs, outputs)
    formula = _FORMULAS.get(made.type)
    if formula is None or not bool(inputs[_WEIGHTS[made.type]].isfinite().all()):
        return ""  # whether padding counts as zeros, times such a weight, nothing says
    found: Tensor = outputs[0]
    exact = formula(**{name: _wide(value) for name, value in inputs.items()})
    sizes = formula(**{name: _size(value) for name, value in inputs.items()})
    if exact.shape != found.shape:
        return f"`{made.name}` ({made.type}): shape {tuple(found.shape)}, not {tuple(exact.shape)}"
    terms = max(inputs[_WEIGHTS[made.type]].numel(), 1)
    allowed = 2 * _UNIT * (terms + 2) * sizes + 2.0**-149 * terms
    large = _LARGE
    if found.dtype is torch.float16:
        allowed, large = allowed + exact.abs() * _HALF_UNIT + _LEAST_HALF, _HALF_LARGE
    usual = sizes < large
    overflows = formula(**{name: _finite_size(value) for name, value in inputs.items()}) > _LARGE
    if not torch.equal(found.isnan() & ~overflows, exact.isnan() & ~overflows):
        return f"`{made.name}` ({made.type}): {int(found.isnan().sum())} NaN, not {int(exact.isnan().sum())}"
    off = ((found.double() - exact).abs() > allowed) & usual
    if bool(off.any()):
        return f"`{made.name}` ({made.type}): {found[off][:3].tolist()}, not {exact[off][:3].tolist()}"
    return ""


def _wide(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def _size(value: Any) -> Any:
    return value.double().abs() if isinstance(value, Tensor) and value.is_floating_point() else value


def _finite_size(value: Any) -> Any:
    """Of sums of these, finite in float64 but not in float32, the order decides whether one is infinite."""
    return _size(value).nan_to_num(0, 0, 0) if isinstance(value, Tensor) else value


def _far_cell(made: Operation, inputs: Mapping[str, Any], outputs: tuple[Any, ...]) -> str:
    tensors = [value for value in inputs.values() if isinstance(value, Tensor)]
    if any(not value.numel() or bool((_finite_size(value) > _LARGE).any()) for value in tensors):
        return ""  # nothing to compare, or a sum may leave float32, which float64 does not show
    given = {
        name: value.double().numpy() if isinstance(value, Tensor) else value for name, value in inputs.items()
    }
    with np.errstate(all="ignore"):
        wanted = CELLS[made.type](given)
    for place, (found, exact) in enumerate(zip(outputs, map(torch.from_numpy, wanted), strict=True)):
        half = found.dtype is torch.float16
        if found.shape != exact.shape:
            return f"`{made.name}` ({made.type}): shape {tuple(found.shape)}, not {tuple(exact.shape)}"
        near: Any = _NEAR_CELL * float(exact.nan_to_num(0, 0, 0).abs().max().clamp_min(1))
        near += _HALF_UNIT * 2 * (exact.abs() if half else 0)
        usual = exact.abs() < (_HALF_LARGE if half else _LARGE)
        off = (usual & ~((found.double() - exact).abs() <= near)) | (found.isnan() != exact.isnan())
        if bool(off.any()):
            first = [value[off][:3].tolist() for value in (found, exact)]
            return f"`{made.name}` ({made.type}), result {place}: {first[0]}, not {first[1]}"
    return ""
