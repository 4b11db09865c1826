"""Numeric modes: the torch dtype in which a MIL value is stored, and where it is rounded.

Half precision needs no conversion if torch's half kernel computes in float32 and rounds once. Otherwise
operands are widened, the body computes in float32 and the result is stored as half: one rounding, in
``store``. ``neural-engine`` estimates the Neural Engine from its published behaviour, with its own formulas
and rounding (``ops/neural_engine.py``).
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from coreml_gate.errors import PackageError, UsageError

Mode = Literal["fp32", "fp16", "neural-engine"]
MODES: tuple[Mode, ...] = get_args(Mode)

# torch supports few operations on the wider unsigned types, so the next wider signed type stores these.
_STORAGE: dict[str, torch.dtype] = {
    "bool": torch.bool,
    "fp16": torch.float16,
    "fp32": torch.float32,
    "fp64": torch.float64,
    "int4": torch.int8,
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "uint1": torch.uint8,
    "uint2": torch.uint8,
    "uint3": torch.uint8,
    "uint4": torch.uint8,
    "uint6": torch.uint8,
    "uint8": torch.uint8,
    "uint16": torch.int32,
    "uint32": torch.int64,
    "uint64": torch.int64,
}


def check_mode(mode: str) -> None:
    """Reject an unknown mode.

    :raises UsageError: There is no such mode.
    """
    if mode not in MODES:
        raise UsageError(f"the MIL runtime has no mode `{mode}`.", f"choose one of {', '.join(MODES)}.")


def storage(dtype: str, mode: Mode) -> torch.dtype:
    """The torch dtype that holds a MIL element type; ``fp32`` mode widens half precision."""
    return torch.float32 if mode == "fp32" and dtype == "fp16" else _STORAGE[dtype]


def store(value: Tensor, dtype: torch.dtype) -> Tensor:
    """Round a computed value to its declared type: overflow becomes infinite, subnormals stay.

    :raises PackageError: The value is of another kind than the program declares: float, integer or boolean.
        Widths within a kind follow the declaration.
    """
    if dtype is torch.float16 and value.dtype is torch.float32:  # the usual case, with the fewest calls
        return value.half()
    if _kind(value.dtype) != _kind(dtype):
        raise PackageError(f"gives {value.dtype}, but the program declares {dtype}.")
    return value.to(dtype)


def _kind(dtype: torch.dtype) -> str:
    return "bool" if dtype is torch.bool else "float" if dtype.is_floating_point else "integer"


def enter(value: Tensor, mode: Mode) -> Tensor:
    """An input, a state or a constant as the program reads it: the Neural Engine reads NaN as infinity and
    never computes one (sbryngelson/ane-guide, part-1-machine/03-numerics.md).
    """
    if mode != "neural-engine" or value.dtype is not torch.float16 or not bool(value.isnan().any()):
        return value
    return torch.where(value.isnan(), torch.inf, value)


def widen(value: Tensor) -> Tensor:
    """Half precision as float32; any other value unchanged."""
    return value.float() if value.dtype is torch.float16 else value
