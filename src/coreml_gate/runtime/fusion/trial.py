"""Uses a faster call only for shapes for which a trial gave the bits of the plain call.

Whether oneDNN adds in the same order in a fused call depends on its kernels. So each set of shapes is tried
first, with random values and some that are not finite.
"""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

Call = Callable[..., Tensor]
_GREAT: Final = 3e38
_LEAST_NUMBERS: Final = 256
"""The number of results to compare: two orders of a sum agree on many of them by chance, and a small layer
gives only a few at a time."""
_MOST_DRAWN: Final = 65_537
"""A prime, so that the values do not repeat with the rows of a tensor."""
_ODD: Final = (torch.nan, torch.inf, -torch.inf)


class TriedCall:
    """The faster of two calls on float32 tensors, for shapes for which both give the same."""

    def __init__(
        self, fast: Call, plain: Call, serves: Callable[[Tensor], bool], *, odd: bool = True
    ) -> None:
        """:param serves: Whether the fast call can take such a last operand.
        :param odd: Whether operands may contain values that are not finite.
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
        """Try normal values until enough results are compared, and NaN and infinities if they may occur."""
        draw = torch.Generator().manual_seed(0)
        left = _LEAST_NUMBERS
        while left > 0:
            drawn = [_drawn_like(value, draw) for value in operands]
            plain, fast = self._both(drawn)
            if not _same(plain, fast):
                return False
            left -= max(plain.numel(), 1)
        return not self._odd or _same(*self._both([_with_odd(value) for value in drawn]))

    def _both(self, given: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The results of the plain call and of the fast one, which may overwrite its operands."""
        return self._plain(*map(torch.clone, given)), self._fast(*map(torch.clone, given))


def _drawn_like(value: Tensor, draw: torch.Generator) -> Tensor:
    """Normal values, which repeat in a large tensor: to draw each takes longer than the calls themselves."""
    drawn = torch.empty_like(value)
    numbers = torch.empty(min(drawn.numel(), _MOST_DRAWN)).normal_(generator=draw)
    for part in torch.split(drawn.as_strided((drawn.numel(),), (1,)), max(len(numbers), 1)):
        part.copy_(numbers[: len(part)])
    return drawn


def _same(plain: Tensor, fast: Tensor) -> bool:
    """Whether bits and layout are equal; later sums add in the order of the layout."""
    if plain.stride() != fast.stride():
        return False
    found = (plain, fast)
    numbers = torch.equal(*(value.nan_to_num(0, _GREAT, -_GREAT) for value in found))
    return numbers and torch.equal(*(value.isnan() for value in found))


def _with_odd(value: Tensor) -> Tensor:
    """The tensor with NaN, inf and -inf at three of its elements."""
    odd = value.clone()
    flat = odd.as_strided((odd.numel(),), (1,))
    flat[torch.linspace(0, len(flat) - 1, len(_ODD)).long()] = torch.tensor(_ODD)
    return odd
