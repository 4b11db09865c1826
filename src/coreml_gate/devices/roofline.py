"""How fast could a device be at best? A bound by its listed peaks, and no forecast.

Published times of Core ML stand beside the bound in docs/cost.md (``benchmarks/roofline``).
"""

from typing import Final

from coreml_gate.devices.table import Chip

OPERATIONS_PER_MAC: Final = 2
"""A multiplication and an addition: peaks are listed in operations."""
SEEN: Final = (1.3, 5.2)
"""How many times the bound published times took on chips whose bandwidth is in the table."""
SEEN_BY_PRODUCTS: Final = (5.9, 28.5)
"""The same where only the engine's peak is known."""


def least_seconds(chip: Chip, macs: int, weights_read: int | None) -> float | None:
    """The longer of two times: all products at the engine's peak, or one reading of the weights.

    The engine's memory cannot hold the weights of a model of many megabytes between predictions, so they come
    through the memory bus each time. The roofline model is that of Williams, Waterman and Patterson
    (doi:10.1145/1498765.1498785).

    :param weights_read: Bytes; ``None`` where they were not counted.
    :returns: ``None`` where the chip's peak is not published.
    """
    if chip.tops is None:
        return None
    computing = OPERATIONS_PER_MAC * macs / (chip.tops * 1e12)
    if chip.bandwidth_gb_s is None or weights_read is None:
        return computing
    return max(computing, weights_read / (chip.bandwidth_gb_s * 1e9))
