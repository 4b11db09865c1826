"""A faster call that serves only where it was seen to give the bits of the plain one.

Whether oneDNN adds in the same order when it goes on to compute what follows is for its kernels to say. So
each set of shapes is tried first, on drawn values with some that are no numbers.
"""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

Call = Callable[..., Tensor]
_GREAT: Final = 3e38
_ODD: Final = (torch.nan, torch.inf, -torch.inf)


class TriedCall:
    """The faster of two calls of float32 tensors, for the shapes for which both give the same."""

    def __init__(
        self, fast: Call, plain: Call, serves: Callable[[Tensor], bool], *, odd: bool = True
    ) -> None:
        """:param serves: Can the fast call take such a last operand?
        :param odd: May there be operands that are not all numbers?
        """
        self._odd = odd
        self._fast = fast
        self._plain = plain
        self._serves = serves
        self._equal: dict[tuple[object, ...], bool] = {}

    def __call__(self, *operands: Tensor) -> Tensor:
        """The result; the fast call may overwrite its operands."""
        key = (torch.get_num_threads(), *((value.shape, value.stride()) for value in operands))
        equal = self._equal.get(key)
        if equal is None:
            equal = self._equal[key] = self._serves(operands[-1]) and self._try(operands)
        return (self._fast if equal else self._plain)(*operands)

    def _try(self, operands: tuple[Tensor, ...]) -> bool:
        """On normal values, and again with NaN and infinities among them where there may be some."""
        draw = torch.Generator().manual_seed(0)
        drawn = [torch.empty_like(value).normal_(generator=draw) for value in operands]
        tried = [drawn, [_with_odd(value) for value in drawn]] if self._odd else [drawn]
        return all(_same(self._plain, self._fast, given) for given in tried)


def _same(plain: Call, fast: Call, given: list[Tensor]) -> bool:
    """In the same layout too: what sums the result up afterwards adds in its order."""
    found = [call(*(value.clone() for value in given)) for call in (plain, fast)]
    if found[0].stride() != found[1].stride():
        return False
    numbers = torch.equal(*(value.nan_to_num(0, _GREAT, -_GREAT) for value in found))
    return numbers and torch.equal(*(value.isnan() for value in found))


def _with_odd(value: Tensor) -> Tensor:
    """The tensor with NaN, inf and -inf at three places of its memory."""
    odd = value.clone()
    flat = odd.as_strided((odd.numel(),), (1,))
    flat[torch.linspace(0, len(flat) - 1, len(_ODD)).long()] = torch.tensor(_ODD)
    return odd
