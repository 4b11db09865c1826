"""What the table should show, and whether it does: printed below it, never an exit code."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from zoo.row import Row, Variant
from zoo.timing import geometric_mean

Figures = Mapping[str, float]
"""What is compared with the limit, by model or by the name of a mean."""

_LEAST_PEAK_BYTES = 20e6
_LOADED_PARAMETERS = (20e6, 30e6)


@dataclass(frozen=True)
class Expectation:
    """A statement about all rows: each figure at most, or at least, the limit."""

    text: str
    figures: Callable[[Sequence[Row]], Figures]
    limit: float
    at_least: bool = False

    def outcome(self, rows: Sequence[Row]) -> str:
        """``met``, ``missed`` with the figures that miss it, or ``not measured``."""
        figures = self.figures(rows)
        if not figures:
            return "not measured"
        missing = {name: value for name, value in figures.items() if not self._holds(value)}
        if not missing:
            return "met"
        return "missed: " + ", ".join(f"{name} {value:.3g}" for name, value in missing.items())

    def _holds(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


def of_each(figure: Callable[[Row], float | None]) -> Callable[[Sequence[Row]], Figures]:
    """The figure of every row that has it."""
    return lambda rows: {row.model: value for row in rows if (value := figure(row)) is not None}


def mean_of(figure: Callable[[Row], float | None]) -> Callable[[Sequence[Row]], Figures]:
    """The geometric mean over the rows that have the figure."""

    def figures(rows: Sequence[Row]) -> Figures:
        values = [value for row in rows if (value := figure(row)) is not None]
        return {"geometric mean": geometric_mean(values)} if values else {}

    return figures


def least_psnr(row: Row) -> float | None:
    parity = row.parity.get("fp32")
    if parity is None:
        return None
    return math.inf if parity.psnr is None else parity.psnr


def time_ratio(variant: Variant) -> Callable[[Row], float | None]:
    return lambda row: row.ratios.get(variant)


def peak_ratio(row: Row) -> float | None:
    """The greater of our two modes, against torch eager; nothing for a peak that a few pages move."""
    ours = [row.peak_bytes[mode] for mode in ("fp32", "fp16") if mode in row.peak_bytes]
    eager = row.peak_bytes.get("eager", 0)
    return max(ours) / eager if ours and eager >= _LEAST_PEAK_BYTES else None


def load_seconds(row: Row) -> float | None:
    """The slower mode's, of packages with about 25 million parameters."""
    least, most = _LOADED_PARAMETERS
    if row.parameters is None or not least <= row.parameters <= most or not row.load_seconds:
        return None
    return max(row.load_seconds.values())


EXPECTATIONS = (
    Expectation("every model converts and runs", of_each(lambda row: len(row.failures)), 0),
    Expectation("fp32 PSNR of each at least 90 dB", of_each(least_psnr), 90, at_least=True),
    Expectation("fp32 time of each at most 1.2x torch eager's", of_each(time_ratio("fp32")), 1.2),
    Expectation("fp32 time on average at most 0.95x torch eager's", mean_of(time_ratio("fp32")), 0.95),
    Expectation("fp16 time of each at most 1.5x torch eager's", of_each(time_ratio("fp16")), 1.5),
    Expectation("fp16 time on average at most 1.15x fp32 time", mean_of(lambda row: row.fp16_to_fp32), 1.15),
    Expectation(
        "peak memory of each at most 1.2x torch eager's, where that is 20 MB or more",
        of_each(peak_ratio),
        1.2,
    ),
    Expectation("a package of 20 to 30 million parameters loads within 0.25 s", of_each(load_seconds), 0.25),
)
