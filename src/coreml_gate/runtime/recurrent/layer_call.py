"""A recurrent layer in the place of the operations that compute it.

Each set of shapes is tried first: the program itself and the layer compute drawn values, and the layer serves
from then on only where both agree. It serves every run, also under an observer, who sees the program's
operations beside it: so all runs give the same bits.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from coreml_gate.runtime.plan import Observe
from coreml_gate.untyped import MilValue

Plain = Callable[..., MilValue]
"""The program's own operations: takes the observer, then the arguments; gives one value, or a tuple."""
MakeCall = Callable[[Plain, Mapping[str, int]], "LayerCall"]
"""Makes the call of a recognised layer; the mapping has the places of values among the arguments."""


class LayerCall(ABC):
    """Takes the arguments as the plan gives them; what a layer is to compute is a subclass's."""

    def __init__(self, plain: Plain, tolerance: float) -> None:
        """:param tolerance: How far a result may be from the program's, of the numbers of the trial."""
        self._plain = plain
        self._tolerance = tolerance
        self._equal: dict[tuple[MilValue, ...], bool] = {}

    def __call__(self, observe: Observe | None, *arguments: MilValue) -> MilValue:
        """The layer's results; an observer sees the program itself run as well."""
        if not self._serves(arguments) or not self.takes(arguments):
            return self._plain(observe, *arguments)
        if observe is not None:
            self._plain(observe, *arguments)
        results = self.compute(arguments)
        return results if len(results) > 1 else results[0]

    @abstractmethod
    def operands(self, arguments: Sequence[MilValue]) -> Mapping[int, Tensor]:
        """The arguments that the layer reads, by place."""

    @abstractmethod
    def fits(self, arguments: Sequence[MilValue]) -> bool:
        """May the layer run at all on such shapes? If not, the program says what is wrong."""

    @abstractmethod
    def compute(self, arguments: Sequence[MilValue]) -> tuple[MilValue, ...]:
        """What the program gives, by the layer."""

    def turns(self, arguments: Sequence[MilValue]) -> int:  # noqa: ARG002  # those of a loop are computed
        """The number of turns, where the shapes do not say it."""
        return 0

    def takes(self, arguments: Sequence[MilValue]) -> bool:  # noqa: ARG002  # the usual layer takes all
        """Can the layer compute these values, other than drawn ones?"""
        return True

    def drawn(self, arguments: Sequence[MilValue]) -> list[MilValue]:
        """The arguments with normal values in the operands."""
        draw, drawn = torch.Generator().manual_seed(0), list(arguments)
        for place, operand in self.operands(arguments).items():
            drawn[place] = torch.empty_like(operand).normal_(generator=draw)
        return drawn

    def _serves(self, arguments: tuple[MilValue, ...]) -> bool:
        shapes = ((value.shape, value.stride()) for value in self.operands(arguments).values())
        key = (*shapes, self.turns(arguments), torch.get_num_threads())
        if key not in self._equal:
            self._equal[key] = self.fits(arguments) and self._tried(arguments)
        return self._equal[key]

    def _tried(self, arguments: tuple[MilValue, ...]) -> bool:
        """Do the program and the layer give the same for drawn values?"""
        drawn, near = self.drawn(arguments), self._tolerance
        plain = self._plain(None, *drawn)
        pairs = zip(plain if isinstance(plain, tuple) else (plain,), self.compute(drawn), strict=True)
        return all(torch.allclose(wanted, found, rtol=0, atol=near) for wanted, found in pairs)
