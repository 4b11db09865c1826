"""Types for numbers on the command line, stricter than argparse's own ``int`` and ``float``."""

import argparse
import math


def positive_count(text: str) -> int:
    """A whole number of at least 1.

    :raises argparse.ArgumentTypeError: The text is anything else.
    """
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number of at least 1")
    return count


def positive_number(text: str) -> float:
    """A finite number above 0: a budget of ``nan`` seconds would never be used up.

    :raises argparse.ArgumentTypeError: The text is anything else.
    """
    number = finite_number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number above 0")
    return number


def finite_number(text: str) -> float:
    """A number that is neither NaN nor infinite.

    :raises argparse.ArgumentTypeError: The text is anything else.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"`{text}` is not a finite number")
    return number
