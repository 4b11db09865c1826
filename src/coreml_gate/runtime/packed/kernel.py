"""The base of packed kernels: the shape of the first operand selects oneDNN or the operation's own body."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from threading import Lock, local
from typing import ClassVar, Final

import torch
from torch import Tensor

from coreml_gate.runtime.allocator import LARGEST_KEPT
from coreml_gate.runtime.packed.onednn import NOTHING, After
from coreml_gate.runtime.precision import widen
from coreml_gate.runtime.registry import Body, Ints
from coreml_gate.untyped import MilValue

LEAST_PRODUCTS: Final = 2**19
"""Products of a run below which calling oneDNN costs more than it saves (12 to 20 microseconds)."""

_ROOM: Final = local()

Constants = Mapping[str, MilValue]
"""By parameter, in the form that the operation's body takes; tensors as the package stores them."""


class PackedKernel(ABC):
    """An operation on float32, whose constants are packed on the first call.

    The shape alone decides whether oneDNN or the operation's own body computes, so every run with a shape
    gives the same bits.
    """

    weight: ClassVar[str]
    """The parameter that must be constant for the operation to be packed."""
    operands: ClassVar[tuple[str, ...]] = ("x",)
    """The first parameters of the operation, which are not constant."""

    def __init__(self, body: Body, constants: Constants, release: Callable[[], None]) -> None:
        """:param release: Called when the constants have been copied, to release their memory pages."""
        self._plain = _plain(body, constants)
        self._release = release
        self._serves: dict[torch.Size, bool] = {}
        self._packed: Tensor | None = None
        self._packing = Lock()

    def __call__(self, x: Tensor, *_: MilValue) -> Tensor:
        """The operation's result, called like its body, with the constants as further arguments."""
        return self.compute(x) if self.serves(x) else self._plain(x)

    def serves(self, x: Tensor) -> bool:
        """Whether oneDNN computes operands of this shape."""
        served = self._serves.get(x.shape)
        if served is None:
            served = self._serves[x.shape] = x.dtype is torch.float32 and x.numel() > 0 and self.pays(x)
        return served

    @abstractmethod
    def pays(self, x: Tensor) -> bool:
        """Whether oneDNN accepts this operand and the layer is large enough."""

    @abstractmethod
    def compute(self, x: Tensor) -> Tensor:
        """The result by oneDNN."""

    def weight_for(self, x: Tensor) -> Tensor:
        """The packed weight: laid out for the first operand, and valid for all."""
        if self._packed is None:
            with self._packing:  # otherwise the first runs of two threads both pack
                if self._packed is None:
                    self._packed = self.pack(x)
                    self._release()
        return self._packed

    @abstractmethod
    def pack(self, x: Tensor) -> Tensor:
        """The weight in oneDNN's layout for operands like ``x``."""


@dataclass(frozen=True)
class PackedAnew:
    """A kernel whose packed weight is freed after each call, to save memory at the cost of speed."""

    make: Callable[[], PackedKernel]
    operands: tuple[str, ...]

    def __call__(self, x: Tensor, *rest: MilValue) -> MilValue:
        """The operation's result."""
        return self.make()(x, *rest)


class WindowKernel(PackedKernel):
    """Moves a window of constant weights over one to three axes."""

    weight = "weight"

    def __init__(self, body: Body, constants: Constants, release: Callable[[], None]) -> None:
        super().__init__(body, constants, release)
        self._weight: Tensor = constants[self.weight]
        self._sizes: Ints = tuple(self._weight.shape[2:])
        ones = (1,) * len(self._sizes)
        self._strides: Ints = constants.get("strides", ones)
        self._dilations: Ints = constants.get("dilations", ones)
        self._groups: int = constants.get("groups", 1)
        self._bias = bias_of(constants)


class ExtensibleKernel(PackedKernel):
    """A kernel that can also compute the activation after its result."""

    @abstractmethod
    def compute(self, x: Tensor, after: After = NOTHING) -> Tensor:
        """The result with the activation after it, for operands that the kernel ``serves``."""

    @abstractmethod
    def sums(self, x: Tensor) -> bool:
        """Whether it can add its result for operands of this shape to another tensor."""

    @abstractmethod
    def add_to(self, other: Tensor, x: Tensor, after: After = NOTHING) -> Tensor:
        """The result for ``x`` plus ``other``, which may be overwritten, with the activation after it."""

    @abstractmethod
    def most(self, operand: float) -> float:
        """The greatest magnitude of any partial sum if no element's magnitude exceeds ``operand``."""


def contiguous_wide(weight: Tensor) -> Tensor:
    """A weight in float32 and contiguous, valid until the next one of this thread is made.

    One buffer serves all weights that would come from the heap; otherwise each would leave a hole of its size
    beside its packed weight. Larger ones are returned to the system at once.
    """
    if weight.dtype is torch.float32 and weight.is_contiguous():
        return weight
    if weight.numel() * torch.float32.itemsize > LARGEST_KEPT:
        return weight.float().contiguous()
    with torch.inference_mode():
        room: Tensor | None = getattr(_ROOM, "room", None)
        if room is None:
            room = _ROOM.room = torch.empty(LARGEST_KEPT // torch.float32.itemsize)
        return room[: weight.numel()].view(weight.shape).copy_(weight)


def bias_of(constants: Constants) -> Tensor | None:
    """The bias in float32, if there is one."""
    bias = constants.get("bias")
    return None if bias is None else widen(bias).contiguous()


def _plain(body: Body, constants: Constants) -> Body:
    """The operation's own body with its constants, which are widened on the first run."""

    @cache
    def wide() -> Constants:
        return {
            name: widen(value) if isinstance(value, Tensor) else value for name, value in constants.items()
        }

    return lambda *operands: body(*operands, **wide())
