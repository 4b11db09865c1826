"""Calls a recurrent layer in place of the operations that compute it.

Each set of shapes is tried first: the program and the layer compute random values, and the layer is used only
if both agree. It is then used in every run. An observer also sees the program's operations run, so that all
runs give the same bits.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from coreml_gate.runtime.plan import Observe
from coreml_gate.untyped import MilValue

Plain = Callable[..., MilValue]
"""The program's own operations: takes the observer, then the arguments; returns one value or a tuple."""
MakeCall = Callable[[Plain, Mapping[str, int]], "LayerCall"]
"""Makes the call of a recognised layer; the mapping has the indices of values among the arguments."""


class LayerCall(ABC):
    """Takes the plan's arguments; a subclass defines the layer to compute."""

    def __init__(self, plain: Plain, tolerance: float) -> None:
        """:param tolerance: The allowed difference from the program's results in the trial."""
        self._plain = plain
        self._tolerance = tolerance
        self._equal: dict[tuple[MilValue, ...], bool] = {}

    def __call__(self, observe: Observe | None, *arguments: MilValue) -> MilValue:
        """The layer's results; with an observer, the program itself runs as well."""
        if not self._serves(arguments) or not self.takes(arguments):
            return self._plain(observe, *arguments)
        if observe is not None:
            self._plain(observe, *arguments)
        results = self.compute(arguments)
        return results if len(results) > 1 else results[0]

    @abstractmethod
    def operands(self, arguments: Sequence[MilValue]) -> Mapping[int, Tensor]:
        """The arguments that the layer reads, by index."""

    @abstractmethod
    def fits(self, arguments: Sequence[MilValue]) -> bool:
        """Whether the layer can run on such shapes; if not, the program reports the error."""

    @abstractmethod
    def compute(self, arguments: Sequence[MilValue]) -> tuple[MilValue, ...]:
        """The program's results, computed by the layer."""

    def turns(self, arguments: Sequence[MilValue]) -> int:  # noqa: ARG002  # those of a loop are computed
        """The number of turns, if the shapes do not determine it."""
        return 0

    def takes(self, arguments: Sequence[MilValue]) -> bool:  # noqa: ARG002  # the usual layer takes all
        """Whether the layer can compute these values, which may differ from random ones."""
        return True

    def drawn(self, arguments: Sequence[MilValue]) -> list[MilValue]:
        """The arguments with random normal values in the operands."""
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
        """Whether the program and the layer agree on random values."""
        drawn, near = self.drawn(arguments), self._tolerance
        plain = self._plain(None, *drawn)
        pairs = zip(plain if isinstance(plain, tuple) else (plain,), self.compute(drawn), strict=True)
        return all(torch.allclose(wanted, found, rtol=0, atol=near) for wanted, found in pairs)
