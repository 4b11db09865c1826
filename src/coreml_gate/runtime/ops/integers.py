"""Integers as Core ML computes them: through float32, so that they are exact to 2^24 only."""

import torch
from torch import Tensor

_LEAST, _GREATEST = -(2**31), 2**31 - 1


def to_int32(x: Tensor) -> Tensor:
    """Floats as int32, toward zero; what lies beyond ends at the border (2,147,483,646 comes back as
    2,147,483,647: rustnn/rustnn#183), and NaN is 0, as Arm's conversion (FCVTZS) and Metal's have it.
    """
    return x.double().nan_to_num(0.0).clamp(_LEAST, _GREATEST).to(torch.int32)
