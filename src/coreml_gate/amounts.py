"""Numbers on a command line: what argparse would let through as ``int`` or ``float`` is refused by name."""

import argparse
import math


def positive_count(text: str) -> int:
    """A whole number from 1 on.

    :raises argparse.ArgumentTypeError: The text is anything else.
    """
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is no whole number from 1 on")
    return count


def positive_number(text: str) -> float:
    """A number above 0 that ends: a budget of ``nan`` seconds would never be used up.

    :raises argparse.ArgumentTypeError: The text is anything else.
    """
    number = finite_number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"`{text}` is no number above 0")
    return number


def finite_number(text: str) -> float:
    """A number that comparisons hold for.

    :raises argparse.ArgumentTypeError: The text is no number, or ``nan``, or infinite.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"`{text}` is no finite number")
    return number
