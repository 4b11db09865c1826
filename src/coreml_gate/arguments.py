"""Arguments that several commands share, and types for numbers, stricter than argparse's own."""

import argparse
import math
from collections.abc import Collection
from pathlib import Path
from typing import Final

OUTPUT: Final = Path(".coreml-gate")
"""The folder that commands write into, and read from, by default."""


def add_json(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add ``--json``: the answer as one JSON document."""
    parser.add_argument("--json", action="store_true", help=f"print JSON{more}")


def add_format(parser: argparse.ArgumentParser, formats: Collection[str], default: str) -> None:
    """Add the choice of an output format."""
    parser.add_argument(
        "--format", choices=formats, default=default, help="output format; default: %(default)s"
    )
    parser.add_argument(
        "--json", action="store_const", dest="format", const="json", help="same as --format json"
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the configuration."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration file; default: coreml-gate.toml, then pyproject.toml",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add one model of the configuration."""
    parser.add_argument("model", help="the model's name in the configuration")
    add_config(parser)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the configuration and the choice of models."""
    add_config(parser)
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME", help="only this model; repeatable"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the output folder."""
    parser.add_argument(
        "--output",
        type=Path,
        default=OUTPUT,
        metavar="DIR",
        help="folder for the results; default: %(default)s",
    )


def add_core_ml(parser: argparse.ArgumentParser) -> None:
    """Add the choice between Core ML, the stand-in and neither."""
    parser.add_argument(
        "--core-ml",
        choices=("auto", "off", "stand-in"),
        default="auto",
        help="auto: run Core ML on a Mac; stand-in: run the same steps with the MIL runtime, whose numbers "
        "and times are not Core ML's; default: %(default)s",
    )


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
