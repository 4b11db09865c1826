"""Watches a source while it runs for values that Core ML cannot hold and for ambiguous results."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from coreml_gate.untyped import TorchObject

_END: Final = 2**31
_ORDERING: Final = (
    "arg",
    "sort",
    "topk",
    "median",
    "mode",
    "kthvalue",
    "unique",
    "max.dim",
    "min.dim",
    "indices",
    "grid_sampler",
    "upsample_nearest",
)
"""Parts of the names of operations whose choice among equal elements is arbitrary."""


class SourceWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own is untyped
    """Records what the operations under it do."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self.leaves_32_bits = False
        """Whether an integer did not fit, or a number that is none became one."""
        self.chooses = False
        """Whether an operation chooses among equal elements."""

    def __torch_dispatch__(
        self,
        func: Callable[..., TorchObject],
        types: Sequence[type],  # the form that torch prescribes
        args: Sequence[TorchObject] = (),
        kwargs: Mapping[str, TorchObject] | None = None,
    ) -> TorchObject:
        """Runs the operation, and inspects its operands and results."""
        result = func(*args, **(kwargs or {}))
        self.chooses |= any(part in str(func) for part in _ORDERING)
        tensors = [item for item in tree_leaves(result) if isinstance(item, Tensor)]
        if any(item.dtype is torch.int64 and not _fits(item) for item in tensors):
            self.leaves_32_bits = True
        casts = any(_is_integer(item) for item in tensors) and "copy" in str(func)
        if casts or "grid_sampler" in str(func):  # whose coordinates become indices
            given = [item for item in tree_leaves(args) if isinstance(item, Tensor)]
            self.leaves_32_bits |= any(item.is_floating_point() and not _fits(item) for item in given)
        return result


def _is_integer(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() and not tensor.is_complex() and tensor.dtype is not torch.bool


def _fits(tensor: Tensor) -> bool:
    return tensor.numel() == 0 or bool(((tensor >= -_END) & (tensor < _END)).all())
