"""How findings write numbers and places, so that all checks write them alike."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from coreml_gate.record import Place, Side

MB: Final = 10**6
_LEAST_PLAIN: Final = Decimal("0.001")

SIDES: Final[dict[Side, str]] = {
    "source": "source",
    "fp32": "float32 package",
    "fp16": "shipped package",
    "fp16-strict": "package in fp16-strict mode",
    "core-ml": "Core ML",
    "stand-in": "stand-in for Core ML",
    "litert": "LiteRT",
}


def number(value: float | str, digits: int = 3) -> str:
    """A figure with its telling digits; a value that is not finite is its own name."""
    if isinstance(value, str):
        return value
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e+")


def percent(share: float) -> str:
    """A share as per cent."""
    return f"{number(100 * share, 2)} %"


def megabytes(size: float) -> str:
    """Bytes as MB (10^6), to the tenth from 100 MB on and with three digits below."""
    scaled = size / MB
    decimals = next((decimals for least, decimals in ((100, 1), (10, 1), (1, 2)) if scaled >= least), 3)
    return f"{scaled:.{decimals}f} MB"


def place_of(place: Place | None, sample: int) -> str:
    """``(0, 7) of sample 3``."""
    return f"sample {sample}" if place is None else f"{place.index} of sample {sample}"


def counted(count: int, noun: str) -> str:
    """``1 sample``, ``2 samples``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(items: Iterable[str]) -> str:
    """``a, b, c``, each in backticks."""
    return ", ".join(f"`{item}`" for item in items)


def first_and_more(items: Sequence[str], shown: int = 3) -> str:
    """The first few of many clauses, and how many more there are."""
    rest = len(items) - shown
    return "; ".join(items[:shown]) + (f"; and {rest} more" if rest > 0 else "")


def passing_maximum(value: float, digits: int = 2) -> str:
    """The least short number that allows ``value`` as a greatest limit."""
    return _short(Context(prec=digits, rounding=ROUND_CEILING).create_decimal_from_float(value))


def passing_minimum(value: float, digits: int = 4) -> str:
    """The greatest short number that allows ``value`` as a least limit."""
    return _short(Context(prec=digits, rounding=ROUND_FLOOR).create_decimal_from_float(value))


def _short(value: Decimal) -> str:
    plain = value == 0 or abs(value) >= _LEAST_PLAIN
    return format(value, "f") if plain else format(value.normalize(), "e")
