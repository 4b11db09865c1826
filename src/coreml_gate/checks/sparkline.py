"""A line of bars, for numbers over time in a detail line."""

from collections.abc import Sequence
from typing import Final

_BARS: Final = " ▁▂▃▄▅▆▇█"


def sparkline(sizes: Sequence[int]) -> str:
    """The sizes as a line of bars, the greatest one full; a bar is empty only for 0."""
    greatest = max(sizes, default=0)
    steps = len(_BARS) - 1
    return "".join(_BARS[-(-size * steps // greatest)] if greatest else _BARS[0] for size in sizes)
