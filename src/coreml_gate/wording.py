"""Numbers, lists and plurals as text, so that all messages write them alike."""

import math
import textwrap
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from itertools import combinations
from typing import Final, TypeVar

MB: Final = 10**6
_WHOLE_PERCENT: Final = 99.5
_LEAST_DECIMALS: Final = 3
_FEW_DIGITS: Final = 10
_LEAST_WIDTH: Final = 20
_MOST_DECIMALS: Final = 6
_LEAST_PLAIN: Final = Decimal("0.001")
_MOST_DIGITS: Final = 18
"""With 17, two numbers that differ have different texts (IEEE 754)."""


Texts = TypeVar("Texts", bound=tuple[str, ...])
Write = Callable[[float, int], str]
"""Writes a figure in that many digits, with its unit behind a space."""


def number(value: float | str, digits: int = 3) -> str:
    """A figure in significant digits, 0 without a sign; a string names a non-finite value and stays."""
    if isinstance(value, str):
        return value
    return f"{value + 0.0:.{digits}g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def alike(*values: float) -> tuple[str, ...]:
    """Numbers to compare, with enough decimals to show their smallest difference: ``1.000``, ``0.010``."""
    gaps = [abs(a - b) for a, b in combinations(values, 2)]
    steps = [step for step in (*gaps, *map(abs, values)) if step and math.isfinite(step)]
    decimals = max(0, 1 - math.floor(math.log10(min(steps, default=1.0))))
    if decimals > _MOST_DECIMALS:
        written = (tuple(number(value, digits) for value in values) for digits in range(6, _MOST_DIGITS))
        return _clearest(written, lambda texts: len({*texts}) >= len({*values}))
    least = _LEAST_DECIMALS if max(map(abs, values)) < _FEW_DIGITS else 0
    return tuple(f"{value:.{max(decimals, least)}f}" for value in values)


def apart(
    value: float, limit: float, of_value: Write = number, of_limit: Write = number, digits: int = 3
) -> tuple[str, str]:
    """A figure and its limit as text, with as many digits as show which one is greater."""
    texts = ((of_value(value, more), of_limit(limit, more)) for more in range(digits, _MOST_DIGITS))
    return _clearest(texts, lambda pair: _order(*map(_read, pair)) == _order(value, limit))


def fallen(before: float, after: float, limit: float) -> tuple[str, str]:
    """Two PSNRs as text, with as many digits as show that their difference is more than the limit."""
    texts = ((decibels(before, more), decibels(after, more)) for more in range(3, _MOST_DIGITS))
    return _clearest(texts, lambda pair: _between(*pair) > Decimal(limit))


def moved(before: float, after: float, limit: float) -> tuple[str, ...]:
    """Two figures and the allowed change, with as many decimals as show that it was exceeded."""
    values = (before, after, limit)
    plain = alike(*values)
    least = 1 + max(len(text.partition(".")[2]) for text in plain)
    finer = (tuple(f"{value:.{decimals}f}" for value in values) for decimals in range(least, _MOST_DIGITS))
    return _clearest((plain, *finer), lambda texts: _between(*texts[:2]) > Decimal(texts[2]))


def _between(before: str, after: str) -> Decimal:
    return abs(Decimal(before.partition(" ")[0]) - Decimal(after.partition(" ")[0]))


def _clearest(texts: Iterable[Texts], shows: Callable[[Texts], bool]) -> Texts:
    """The first texts that show it, or else the first."""
    first, *others = texts
    return next((each for each in (first, *others) if shows(each)), first)


def _order(first: float, second: float) -> int:
    return (first > second) - (first < second)


def _read(text: str) -> float:
    return float(text.partition(" ")[0])


def decibels(value: float, digits: int = 3) -> str:
    """A PSNR, to the tenth with three digits."""
    return f"{value:.{digits - 2}f} dB"


def percent(share: float, digits: int = 2) -> str:
    """A share in per cent, in two digits, or as a whole number from 100 % on."""
    value = 100 * share
    if abs(value) >= _WHOLE_PERCENT:
        return f"{value:.{digits - 2}f} %"
    return f"{number(value, digits)} %"


def growth(ratio: float) -> str:
    """The growth that a maximum ratio allows: ``5 %`` for 1.05."""
    return percent(ratio - 1)


def megabytes(size: float, digits: int = 3) -> str:
    """Bytes as MB (10^6): one decimal from 100 MB on, three digits below."""
    scaled = size / MB
    decimals = next((decimals for least, decimals in ((100, 1), (10, 1), (1, 2)) if scaled >= least), 3)
    return f"{scaled:.{decimals + digits - 3}f} MB"


def counted(count: int, noun: str) -> str:
    """``1 sample``, ``2 samples``, ``1,000 samples``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def short(commit: str) -> str:
    """The first seven digits of a commit."""
    return commit[:7]


def hanging(first: str, text: str, width: int) -> str:
    """A paragraph after ``first``, with further lines indented to its start; words are never broken."""
    return textwrap.fill(
        text,
        max(width, len(first) + _LEAST_WIDTH),
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """The rows of a table as lines, with the columns ``right`` at their right edge."""
    columns = []
    for place, column in enumerate(zip(*rows, strict=True)):
        side, width = str.rjust if place in right else str.ljust, max(map(len, column))
        columns.append([side(cell, width) for cell in column])
    return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]


def listed(items: Iterable[str]) -> str:
    """``a, b, c``, each in backticks."""
    return ", ".join(f"`{item}`" for item in items)


def way_to_another_function(measured: str | None, others: Sequence[str]) -> str:
    """The hint for a package with several functions, of which another may be meant; empty without others."""
    if not others:
        return ""
    return (
        f"function `{measured}` of the package was run, which also has {listed(others)}: if another one is "
        f'meant, choose it: `function = "{others[0]}"`.'
    )


def joined(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def first_and_more(clauses: Sequence[str], shown: int = 3) -> str:
    """The first few of many clauses, and the number of the rest: ``a; b; and 2 more``."""
    rest = len(clauses) - shown
    return "; ".join(clauses[:shown]) + (f"; and {rest} more" if rest > 0 else "")


def names_and_more(names: Sequence[str], shown: int = 3) -> str:
    """The first few of many names, and the number of the rest: ``a, b and 2 more``."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def passing_maximum(value: float, digits: int = 2) -> str:
    """The smallest short number that passes ``value`` when used as a maximum."""
    return _short(Context(prec=digits, rounding=ROUND_CEILING).create_decimal_from_float(value))


def passing_minimum(value: float, digits: int = 4) -> str:
    """The largest short number that passes ``value`` when used as a minimum."""
    return _short(Context(prec=digits, rounding=ROUND_FLOOR).create_decimal_from_float(value))


def _short(value: Decimal) -> str:
    plain = value == 0 or abs(value) >= _LEAST_PLAIN
    return format(value, "f") if plain else format(value.normalize(), "e")
