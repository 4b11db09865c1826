"""Computes integers like Core ML: through float32, so that they are exact only to 2^24."""

import torch
from torch import Tensor

_LEAST, _GREATEST = -(2**31), 2**31 - 1


def to_int32(x: Tensor) -> Tensor:
    """Floats as int32, toward zero; values outside are clamped (2,147,483,646 comes back as
    2,147,483,647: rustnn/rustnn#183), and NaN is 0, like Arm's conversion (FCVTZS) and Metal's.
    """
    return x.double().nan_to_num(0.0).clamp(_LEAST, _GREATEST).to(torch.int32)
