"""Reads three CSV files: devices, chips, and the source of each figure.

A figure that has not been measured or published is empty, never guessed; derived or doubtful figures are
named in the column ``estimates``. The chips' peaks bound how fast a device can be at best: published times of
Core ML stand beside that bound in docs/cost.md (``benchmarks/roofline``).
"""

import csv
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

_DEVICES: Final = "devices.csv"
_CHIPS: Final = "chips.csv"
_SOURCES: Final = "sources.csv"
_SHORTEST_MATCH: Final = 0.5
OPERATIONS_PER_MAC: Final = 2
"""A multiplication and an addition, because peaks are listed in operations."""
SEEN: Final = (1.3, 5.2)
"""Published times as a multiple of the bound, on chips whose bandwidth is in the table."""
SEEN_BY_PRODUCTS: Final = (5.9, 28.5)
"""The same on chips of which only the engine's peak is known."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A system on a chip; ``tops`` is Apple's figure, or ``None``."""

    name: str
    neural_engine: str
    tops: float | None
    bandwidth_gb_s: float | None
    estimates: frozenset[str]
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Device:
    """One model of iPhone or iPad; memory in GB (10^9) and MB (10^6 bytes)."""

    name: str
    identifiers: tuple[str, ...]
    chip: Chip
    ram_gb: float
    limit_mb: float | None
    """Memory at which the system kills an app; ``None`` if not measured."""
    entitled_mb: float | None
    """The same with the entitlement com.apple.developer.kernel.increased-memory-limit."""
    oldest_ios: int
    newest_ios: int
    estimates: frozenset[str]
    sources: Mapping[str, str]
    note: str

    @property
    def app_mb(self) -> float:
        """Memory that an app can rely on: half of the RAM, or the measured limit if that is lower."""
        half = self.ram_gb * 1000 / 2
        return half if self.limit_mb is None else min(half, self.limit_mb)

    @property
    def app_is_estimated(self) -> bool:
        """Whether :attr:`app_mb` was not measured but derived from the RAM or a doubtful figure."""
        measured = self.limit_mb is not None and self.app_mb == self.limit_mb
        return not measured or "limit_mb" in self.estimates


@cache
def devices() -> Mapping[str, Device]:
    """Every device by name, iPhones first, in order of launch."""
    sources = {row["key"]: row["text"] for row in _rows(_SOURCES)}
    chips = {row["name"]: _chip(row, sources) for row in _rows(_CHIPS)}
    return {row["name"]: _device(row, chips, sources) for row in _rows(_DEVICES)}


def that_run(ios: str) -> tuple[Device, ...]:
    """Every device that runs this version of iOS or iPadOS; only the first number counts."""
    wanted = int(ios.split(".", 1)[0])
    return tuple(device for device in devices().values() if device.newest_ios >= wanted)


def similar(name: str) -> tuple[str, ...]:
    """Similar names in the table, closest first."""
    known = {known.casefold(): known for known in devices()}
    close = difflib.get_close_matches(name.casefold(), known, n=3, cutoff=_SHORTEST_MATCH)
    return tuple(known[each] for each in close)


def _rows(file: str) -> Iterator[dict[str, str]]:
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


def _chip(row: dict[str, str], sources: Mapping[str, str]) -> Chip:
    return Chip(
        name=row["name"],
        neural_engine=row["neural_engine"],
        tops=_number(row["tops"]),
        bandwidth_gb_s=_number(row["bandwidth_gb_s"]),
        estimates=frozenset(row["estimates"].split()),
        sources=_named_sources(row, sources),
    )


def _device(row: dict[str, str], chips: Mapping[str, Chip], sources: Mapping[str, str]) -> Device:
    return Device(
        name=row["name"],
        identifiers=tuple(row["identifiers"].split()),
        chip=chips[row["chip"]],
        ram_gb=float(row["ram_gb"]),
        limit_mb=_number(row["limit_mb"]),
        entitled_mb=_number(row["entitled_mb"]),
        oldest_ios=int(row["oldest_ios"]),
        newest_ios=int(row["newest_ios"]),
        estimates=frozenset(row["estimates"].split()),
        sources=_named_sources(row, sources),
        note=row["note"],
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def _named_sources(row: dict[str, str], sources: Mapping[str, str]) -> dict[str, str]:
    """The sources of a row's figures: ``{"ram": "device tables of ..."}``."""
    return {
        column.removesuffix("_source"): sources[key]
        for column, key in row.items()
        if column.endswith("_source") and key
    }


def least_seconds(chip: Chip, macs: int, weights_read: int | None) -> float | None:
    """The least time that a chip needs, by its listed peaks: a bound, not a forecast.

    The longer of two times: all products at the engine's peak, or one reading of the weights.

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
