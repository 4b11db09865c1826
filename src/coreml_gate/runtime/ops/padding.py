"""Padding of sliding windows, by the names of ``conv`` and the pools: ``valid``, ``custom``, ``same``,
``same_lower``.
"""

from functools import lru_cache

from coreml_gate.runtime.registry import Ints

Padding = tuple[tuple[int, int], ...]
"""Before and after each spatial axis."""


@lru_cache(maxsize=4096)
def window_padding(  # a cached function needs its key by position
    pad_type: str, pad: Ints | None, sizes: Ints, kernel: Ints, strides: Ints, dilations: Ints
) -> Padding:
    """Padding before and after each spatial axis; ``same`` gives ``ceil(size / stride)`` windows."""
    if pad_type == "custom" and pad is not None:
        return tuple(zip(pad[::2], pad[1::2], strict=True))
    if pad_type in {"valid", "custom"}:
        return ((0, 0),) * len(sizes)
    totals = (
        max((-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size, 0)
        for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True)
    )
    lower = pad_type == "same_lower"
    return tuple(
        (total - total // 2, total // 2) if lower else (total // 2, total - total // 2) for total in totals
    )


def is_symmetric(padding: Padding) -> bool:
    """Whether torch's own ``padding`` argument can express it."""
    return all(before == after for before, after in padding)


def flat(padding: Padding) -> list[int]:
    """The padding in the order of ``torch.nn.functional.pad``: last axis first."""
    return [size for pair in reversed(padding) for size in pair]
