"""Figures as text: three or four digits, one unit per column, the change from the baseline, lines of bars."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from coreml_gate import wording

DASH: Final = "\N{EN DASH}"
"""Shown for a missing value, which is never shown as 0."""
TIMES: Final = "\N{MULTIPLICATION SIGN}"
BYTES: Final = {"bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_LEAST_PLAIN: Final = 1e-3
_GREATEST_PLAIN: Final = 1e6
_DIGITS: Final = 4
_GREATEST_FACTOR: Final = 1000
_BARS: Final = " ▁▂▃▄▅▆▇█"


Change = Callable[[float, float], str]
"""The change from base to head as the text in brackets, or empty."""


@dataclass(frozen=True)
class ByteUnit:
    """The unit of a column of sizes."""

    name: str
    factor: float

    def show(self, size: float) -> str:
        """A size in bytes: three digits, and the unit."""
        scaled = size / self.factor
        return f"{scaled:.{_decimals(scaled, 3)}f} {self.name}"


def byte_unit(sizes: Iterable[float]) -> ByteUnit:
    """The unit in which the greatest of these sizes has one to four digits before the point."""
    greatest = max(sizes, default=0.0)
    name = "kB" if greatest < 1e5 else "MB" if greatest < 1e10 else "GB"  # noqa: PLR2004 - 0.1 MB and 10 GB
    return ByteUnit(name, BYTES[name])


def number(value: float, digits: int = _DIGITS) -> str:
    """A number in few digits: ``0.9812``, ``12.31``, ``3.2e-6``."""
    if value == 0:
        return "0"
    if not _LEAST_PLAIN <= abs(value) < _GREATEST_PLAIN:
        mantissa, exponent = f"{value:.1e}".split("e")
        return _signed_minus(f"{mantissa}e{int(exponent)}")
    return _signed_minus(f"{value:.{_decimals(value, digits)}f}")


def error(value: float) -> str:
    """An error in two digits, as only its magnitude matters: ``0.31``, ``0.078``, ``3.2e-6``."""
    return f"{value:.2g}" if _LEAST_PLAIN <= value < 1 else number(value, 2)


def decibels(value: float) -> str:
    """A PSNR or SQNR, to the tenth."""
    return _signed_minus(wording.decibels(value))


def milliseconds(value: float) -> str:
    """A time, in three digits."""
    return f"{number(value, 3)} ms"


def share(value: float) -> str:
    """A part of a whole, in whole per cent."""
    return f"{100 * value:.0f} %"


def mmacs(value: float) -> str:
    """Millions of multiply-accumulates, in three digits."""
    return f"{number(value, 3)} MMAC"


def megabytes_moved(value: float) -> str:
    """What a prediction reads and writes, in three digits."""
    return f"{number(value, 3)} MB moved"


def percent_change(head: float, base: float) -> str:
    """The change in per cent of the baseline; empty for a baseline of 0."""
    if head == base:
        return "="
    if base == 0:
        return ""
    change = 100 * (head - base) / abs(base)
    decimals = 1 if abs(change) < 100 else 0  # noqa: PLR2004 - per cent
    text = f"{change:+.{decimals}f}"
    return f"±{text[1:]} %" if float(text) == 0 else _signed_minus(f"{text} %")


def difference(head: float, base: float) -> str:
    """The change in the figure's own unit, with as many decimals as the figure."""
    if head == base:
        return "="
    change = head - base
    decimals = _decimals(max(abs(head), abs(base)), _DIGITS)
    text = f"{change:+.{decimals}f}"
    return f"±{text[1:]}" if float(text) == 0 else _signed_minus(text)


def points(head: float, base: float) -> str:
    """The change of a share, in percentage points."""
    text = f"{100 * (head - base):+.1f}"
    return "=" if head == base else _signed_minus(f"{text} points")


def decibel_difference(head: float, base: float) -> str:
    """The change of a PSNR, to the tenth."""
    text = f"{head - base:+.1f}"
    return "=" if head == base else _signed_minus(text)


def factor(head: float, base: float) -> str:
    """The error as a multiple of the baseline's; differences of errors mean little."""
    if head == base:
        return "="
    if base == 0:
        return ""
    ratio = head / base
    return f"{TIMES}1000+" if ratio > _GREATEST_FACTOR else f"{TIMES}{number(ratio, 2)}"


CHANGES: Final[dict[Change, str]] = {
    percent_change: "per cent",
    difference: "difference",
    points: "points",
    decibel_difference: "dB",
    factor: "factor",
}
"""Each kind of change in words."""


def sparkline(sizes: Sequence[int]) -> str:
    """The sizes as a line of bars, full for the greatest and empty only for 0."""
    greatest = max(sizes, default=0)
    steps = len(_BARS) - 1
    return "".join(_BARS[-(-size * steps // greatest)] if greatest else _BARS[0] for size in sizes)


def _decimals(value: float, digits: int) -> int:
    """The decimals that give ``digits`` digits in all; below 1, ``digits`` decimals."""
    before = len(f"{abs(value):.0f}") if abs(value) >= 1 else 0
    return max(0, digits - before)


def _signed_minus(text: str) -> str:
    """With a real minus sign, which is as wide as the plus."""
    return f"\N{MINUS SIGN}{text[1:]}" if text.startswith("-") else text
