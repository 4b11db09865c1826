"""What a case of the hunt is."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Function = Callable[..., Tensor | tuple[Tensor, ...]]
SHAPE = (2, 3, 4)
IMAGE = (1, 4, 8, 8)


@dataclass(frozen=True)
class Case:
    """One module: its name, its function, and the shapes and element types of its inputs."""

    name: str
    function: Function
    shapes: tuple[tuple[int, ...], ...] = (SHAPE,)
    dtypes: tuple[torch.dtype, ...] = ()
    """Of the first inputs; the others hold float32."""


class Expression(torch.nn.Module):
    """A case as a module."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the case says; a boolean becomes a number, as Core ML has no boolean outputs."""
        result = self.function(*inputs)
        several = result if isinstance(result, tuple) else (result,)
        plain = tuple(item.float() if item.dtype is torch.bool else item for item in several)
        return plain if isinstance(result, tuple) else plain[0]
