"""How many bytes of tensors are alive while a package runs? Counted, not modelled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.profiler import ProfilerActivity, profile
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode


@dataclass
class LiveTensors(TorchDispatchMode):
    """Sums the storages that operations made and that somebody still holds, not the constants made before."""

    held: int = 0
    """Greatest sum between two operations of the program; ask for it with :meth:`look`."""
    peak: int = 0
    """Greatest sum at any time, within the operations as well."""
    _held: dict[int, tuple[StorageWeakRef, int]] = field(default_factory=dict)
    _foreign: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the operation gives
        del types
        self._drop_dead()
        given = {key_of(tensor) for tensor in tensors_of((args, kwargs))}
        self._foreign |= given - self._held.keys()
        result = func(*args, **(kwargs or {}))
        for tensor in tensors_of(result):
            storage = tensor.untyped_storage()
            if key_of(tensor) not in self._held and key_of(tensor) not in given:
                self._held[key_of(tensor)] = (StorageWeakRef(storage), storage.nbytes())
        self.peak = max(self.peak, self._now())
        return result

    def look(self, *_: object) -> None:
        """To be called after each operation of the program, before its operands are let go."""
        self._drop_dead()
        self.held = max(self.held, self._now())

    def _now(self) -> int:
        return sum(size for _, size in self._held.values())

    def _drop_dead(self) -> None:
        self._held = {key: item for key, item in self._held.items() if not item[0].expired()}


def tensors_of(values: object) -> list[torch.Tensor]:
    return [leaf for leaf in pytree.tree_leaves(values) if isinstance(leaf, torch.Tensor)]


def key_of(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001 - torch's own weak references use it


def live_tensors(run: Callable[[Callable[..., None]], object]) -> LiveTensors:
    """Counts what ``run`` makes and holds; it is given an observer. Its inputs are not among it."""
    with LiveTensors() as counter:
        run(counter.look)
    return counter


def allocated_bytes(run: Callable[[], object]) -> int:
    """Peak of what torch's allocator gave out during ``run``: the same, and the scratch of its kernels."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        run()
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    total = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        total += event.nbytes()
        peak = max(peak, total)
    return peak
