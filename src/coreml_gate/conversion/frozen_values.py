"""Finds tensor values that become Python numbers during tracing and so stay fixed to sample 0."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from coreml_gate.engines.places import Frame, own_place
from coreml_gate.untyped import TorchObject

_LEAVES_TORCH: Final = frozenset(
    {
        *("__bool__", "__int__", "__float__", "__complex__", "__index__", "__contains__", "__array__"),
        *("item", "tolist", "numpy"),
    }
)
"""Methods of a tensor that return a Python or numpy value."""
_MAKES_CONSTANTS: Final = frozenset({"tensor", "as_tensor", "asarray"})
"""Functions of torch whose result is a constant in the trace unless they get a tensor."""
_SHAPES: Final = frozenset({"aten::size", "aten::numel", "aten::dim", "aten::len"})
_SIZED: Final = frozenset({"unbind", "__len__"})
"""Functions with one result per element of the first axis."""
_HELD: Final = frozenset({"prim::Constant", "prim::GetAttr"})


class FreezeWatch(TorchFunctionMode):
    """Records the lines below ``root`` at which tracing freezes a value that another input could change.

    Values that follow from fixed shapes are constants; ``flexible_sizes`` are the sizes of flexible
    dimensions in the traced sample. Parameters, buffers and literals are constants anyway.
    """

    def __init__(self, root: Path, flexible_sizes: frozenset[int]) -> None:
        super().__init__()
        self._root, self._flexible = root, flexible_sizes
        self._known: dict[int, bool] = {}
        self._places: dict[str, str] = {}

    @property
    def places(self) -> Mapping[str, str]:
        """The method called at each place (such as ``numpy``), by ``file:line``, in the order of the run."""
        return self._places

    def __torch_function__(
        self,
        func: Callable[..., TorchObject],
        types: Sequence[type],  # the form that torch prescribes
        args: Sequence[TorchObject] = (),
        kwargs: Mapping[str, TorchObject] | None = None,
    ) -> TorchObject:
        """Runs the function, and checks what it takes out of the trace."""
        if any(self._varies(tensor) for tensor in _taken_out(func, args)) or self._is_cut(func, args):
            place = own_place(_frames(sys._getframe(1)), self._root)  # noqa: SLF001  # the caller's frame
            if place:
                self._places.setdefault(place, func.__name__)
        return func(*args, **(kwargs or {}))

    def _is_cut(self, func: Callable[..., TorchObject], args: Sequence[TorchObject]) -> bool:
        """Whether a flexible axis is split into a fixed number of pieces."""
        value = args[0] if args and getattr(func, "__name__", "") in _SIZED else None
        return isinstance(value, Tensor) and value.dim() > 0 and int(value.size(0)) in self._flexible

    def _varies(self, tensor: Tensor) -> bool:
        try:
            value = torch._C._get_value_trace(tensor)  # type: ignore[attr-defined]  # noqa: SLF001  # not public
        except RuntimeError:  # made outside of the trace
            return False
        return self._depends(value)

    def _depends(self, value: TorchObject) -> bool:
        """Whether a traced value depends on an input's elements or on a flexible size."""
        pending, seen = [value], {value.unique()}
        while pending:
            current = pending.pop()
            node = current.node()
            if node.kind() == "prim::Param":
                return True
            if node.kind() in _SHAPES:
                if self._is_flexible(node):
                    return True
                continue
            given = [] if node.kind() in _HELD else list(node.inputs())
            pending += [item for item in given if item.unique() not in seen]
            seen.update(item.unique() for item in given)
        return False

    def _is_flexible(self, node: TorchObject) -> bool:
        sizes = node.inputsAt(0).type().sizes() if self._flexible and node.kind() != "aten::dim" else None
        if sizes is None:
            return bool(self._flexible) and node.kind() != "aten::dim"
        axis = node.inputsAt(1).toIValue() if node.kind() == "aten::size" and node.inputsSize() > 1 else None
        chosen = sizes if axis is None else [sizes[axis]]
        return not self._flexible.isdisjoint(chosen)


def _taken_out(func: Callable[..., TorchObject], args: Sequence[TorchObject]) -> Iterator[Tensor]:
    """The tensors whose elements leave the trace with this call."""
    name = getattr(func, "__name__", "")
    if name in _LEAVES_TORCH:
        given = args[:1]
    elif name in _MAKES_CONSTANTS and args and not isinstance(args[0], Tensor):
        given = tree_leaves(args[0])
    else:
        given = ()
    yield from (item for item in given if isinstance(item, Tensor))


def _frames(frame: FrameType | None) -> Iterator[Frame]:
    """The frames of the call, innermost first."""
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
