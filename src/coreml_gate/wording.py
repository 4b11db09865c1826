"""Numbers, lists and plurals in words, so that every sentence writes them alike."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from itertools import combinations
from typing import Final

MB: Final = 10**6
_WHOLE_PERCENT: Final = 99.5
_LEAST_DECIMALS: Final = 3
_FEW_DIGITS: Final = 10
_LEAST_WIDTH: Final = 20
_MOST_DECIMALS: Final = 6
_LEAST_PLAIN: Final = Decimal("0.001")


def number(value: float | str, digits: int = 3) -> str:
    """A figure with its significant digits; a value that is not finite is its own name."""
    if isinstance(value, str):
        return value
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def alike(*values: float) -> tuple[str, ...]:
    """Numbers to compare, with the decimals that show their smallest difference: ``1.000``, ``0.010``."""
    gaps = [abs(a - b) for a, b in combinations(values, 2)]
    steps = [step for step in (*gaps, *map(abs, values)) if step and math.isfinite(step)]
    decimals = max(0, 1 - math.floor(math.log10(min(steps, default=1.0))))
    if decimals > _MOST_DECIMALS:
        return tuple(number(value, 6) for value in values)
    least = _LEAST_DECIMALS if max(map(abs, values)) < _FEW_DIGITS else 0
    return tuple(f"{value:.{max(decimals, least)}f}" for value in values)


def percent(share: float) -> str:
    """A share as per cent, in two digits, or in whole ones from 100 on."""
    value = 100 * share
    return f"{value:.0f} %" if abs(value) >= _WHOLE_PERCENT else f"{number(value, 2)} %"


def growth(ratio: float) -> str:
    """How much a greatest ratio allows: ``5 %`` for 1.05."""
    return percent(ratio - 1)


def megabytes(size: float) -> str:
    """Bytes as MB (10^6), to the tenth from 100 MB on and with three digits below."""
    scaled = size / MB
    decimals = next((decimals for least, decimals in ((100, 1), (10, 1), (1, 2)) if scaled >= least), 3)
    return f"{scaled:.{decimals}f} MB"


def counted(count: int, noun: str) -> str:
    """``1 sample``, ``2 samples``, ``1,000 samples``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def hanging(first: str, text: str, width: int) -> str:
    """A paragraph behind ``first``, its further lines below its own start; a word is never broken."""
    return textwrap.fill(
        text,
        max(width, len(first) + _LEAST_WIDTH),
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def listed(items: Iterable[str]) -> str:
    """``a, b, c``, each in backticks."""
    return ", ".join(f"`{item}`" for item in items)


def joined(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def first_and_more(clauses: Sequence[str], shown: int = 3) -> str:
    """The first few of many clauses, and how many more there are: ``a; b; and 2 more``."""
    rest = len(clauses) - shown
    return "; ".join(clauses[:shown]) + (f"; and {rest} more" if rest > 0 else "")


def names_and_more(names: Sequence[str], shown: int = 3) -> str:
    """The first few of many names, and how many more there are: ``a, b and 2 more``."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def passing_maximum(value: float, digits: int = 2) -> str:
    """The least short number that allows ``value`` as a greatest limit."""
    return _short(Context(prec=digits, rounding=ROUND_CEILING).create_decimal_from_float(value))


def passing_minimum(value: float, digits: int = 4) -> str:
    """The greatest short number that allows ``value`` as a least limit."""
    return _short(Context(prec=digits, rounding=ROUND_FLOOR).create_decimal_from_float(value))


def _short(value: Decimal) -> str:
    plain = value == 0 or abs(value) >= _LEAST_PLAIN
    return format(value, "f") if plain else format(value.normalize(), "e")
