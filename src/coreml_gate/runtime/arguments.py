"""Converts values to the form that an operation's body takes: a tensor, or plain Python for settings."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coreml_gate.errors import PackageError
from coreml_gate.mil.ir import Constant, ListType, TensorType
from coreml_gate.mil.weights import release
from coreml_gate.runtime.precision import Mode, enter, storage, widen
from coreml_gate.runtime.registry import Bools, Gates, Ints, Number
from coreml_gate.untyped import MilValue

Known = Constant | Tensor
Convert = Callable[[MilValue], MilValue]


def to_ints(value: Tensor) -> Ints:
    """The elements as Python integers."""
    return tuple(_whole(item) for item in value.reshape(-1).tolist())


def to_bools(value: Tensor) -> Bools:
    """The elements as Python booleans."""
    return tuple(bool(item) for item in value.reshape(-1).tolist())


def _only(value: Tensor) -> MilValue:
    if value.numel() != 1:
        raise PackageError(f"a single number is wanted, not a tensor of the shape {tuple(value.shape)}.")
    return value.item()


def _whole(number: float) -> int:
    if not math.isfinite(number):
        raise PackageError(f"a whole number is wanted, not {number}.")
    return int(number)


def to_gates(value: Tensor) -> Gates:
    """Float32 weights or biases of an LSTM in torch's order, from MIL's: input, forget, output, cell."""
    i, f, o, z = widen(value).chunk(4)
    return Gates(torch.cat((i, f, z, o)))


# The conversion of a value computed at run time before a body can take it; tensors need none.
AT_RUN_TIME: dict[MilValue, Convert] = {
    int: lambda value: _whole(_only(value)),
    float: lambda value: float(_only(value)),
    bool: lambda value: bool(_only(value)),
    Number: _only,
    Ints: to_ints,
    Bools: to_bools,
    Gates: to_gates,
}


def known_argument(known: Known, kind: object, mode: Mode, *, wide: bool) -> MilValue:
    """A constant in the form of ``kind``; ``wide`` reads stored half precision as float32."""
    if kind is str:
        return _text(known)
    if kind in AT_RUN_TIME and kind is not Gates:
        return AT_RUN_TIME[kind](known_tensor(known, mode))
    if isinstance(known, Constant) and isinstance(known.type, ListType):
        return tuple(known.data.tolist())
    tensor = known_tensor(known, mode)
    result = to_gates(tensor) if kind is Gates else widen(tensor) if wide else tensor
    if isinstance(known, Constant) and result.data_ptr() != known.data.ctypes.data:
        release(known.data)
    return result


def known_tensor(known: Known, mode: Mode) -> Tensor:
    """A constant as stored in this mode; shares the mapped weight file's memory if the dtype stays."""
    if isinstance(known, Tensor):
        return known
    if not isinstance(known.type, TensorType):
        raise PackageError(f"a constant of the type {known.type} is given where a tensor is expected.")
    dtype = known.type.dtype
    if dtype == "string":
        raise PackageError("a text is given where numbers are expected.")
    return enter(from_numpy(known.array).to(storage(dtype, mode)), mode)


def from_numpy(array: NDArray[np.generic]) -> Tensor:
    """A tensor that shares the array's memory if torch knows the dtype and the array is writable."""
    if array.dtype in (np.uint16, np.uint32, np.uint64):
        array = array.astype(np.int64)
    forward = min(array.strides, default=0) >= 0  # a single element is contiguous in any layout
    shares = array.flags.writeable and array.flags.c_contiguous and forward
    return torch.from_numpy(array if shares else array.copy())


def _text(known: Known) -> str:
    if isinstance(known, Tensor) or known.data.size != 1:
        raise PackageError("a single text is expected, not numbers or a list.")
    return str(known.array.item())
