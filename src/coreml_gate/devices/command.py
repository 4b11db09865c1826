"""``coreml-gate devices``: the table of devices, on the terminal and as docs/devices.md."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from rich.table import Table

from coreml_gate.arguments import add_json
from coreml_gate.devices.table import Device, devices
from coreml_gate.surroundings import Surroundings
from coreml_gate.untyped import Json

COLUMNS: Final = (
    "Device",
    "Chip",
    "RAM GB",
    "App MB",
    "Entitled MB",
    "Engine TOPS",
    "GB/s",
    "iOS",
)
_ESTIMATED: Final = "~"
_HEAD: Final = """\
# Devices

Generated from `src/coreml_gate/devices/*.csv` by `python -m coreml_gate.devices.command`; print it with
`coreml-gate devices`, for machines with `coreml-gate devices --json`.

`~` marks an estimate, an empty cell what has not been published or measured.

- **App MB**: at how much memory the system ends an app; Apple publishes none of these figures
  (`os_proc_available_memory()` reports it on the device). **Entitled MB**: the same with
  `com.apple.developer.kernel.increased-memory-limit`.
- **Engine TOPS**: the Neural Engine as Apple lists it. M4's 38 are of 8-bit arithmetic (half precision was
  measured at 19); those of A17 Pro and A18 may be as well. **GB/s**: memory bandwidth.
- **iOS**: the system that the device was sold with, and the newest one that it is known to run.
- The gate lets the model have 60 % of half the RAM, or of the limit of the app where it is known and lower.
"""


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_json(parser, ", with the source of each number")
    parser.set_defaults(command=print_devices)


def print_devices(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print the table as text or as JSON."""
    if parsed.json:
        plain = [as_json(device) for device in devices().values()]
        around.print_json(plain)
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, title in enumerate(COLUMNS):
        table.add_column(title.replace(" ", "\n"), justify="left" if number < 2 else "right", no_wrap=True)  # noqa: PLR2004 - two names
    for device in devices().values():
        table.add_row(*cells(device))
    around.out.print(table, soft_wrap=False)
    around.out.print("~ marks an estimate; an empty cell is not known. Sources: docs/devices.md.")
    return 0


def as_json(device: Device) -> dict[str, Json]:
    """A device with its chip, its estimates and its sources as plain values."""
    chip = device.chip
    return {
        "name": device.name,
        "identifiers": list(device.identifiers),
        "chip": chip.name,
        "neural_engine": chip.neural_engine,
        "tops": chip.tops,
        "bandwidth_gb_s": chip.bandwidth_gb_s,
        "ram_gb": device.ram_gb,
        "limit_mb": device.limit_mb,
        "entitled_mb": device.entitled_mb,
        "oldest_ios": device.oldest_ios,
        "newest_ios": device.newest_ios,
        "estimates": sorted(device.estimates | chip.estimates),
        "sources": {**chip.sources, **device.sources},
        "note": device.note,
    }


def cells(device: Device) -> tuple[str, ...]:
    """A device in the order of :data:`COLUMNS`."""
    chip = device.chip
    return (
        device.name,
        chip.name,
        _figure(device.ram_gb, estimated="ram_gb" in device.estimates),
        _figure(device.limit_mb, estimated="limit_mb" in device.estimates),
        _figure(device.entitled_mb, estimated="entitled_mb" in device.estimates),
        _figure(chip.tops, estimated="tops" in chip.estimates),
        _figure(chip.bandwidth_gb_s, estimated="bandwidth_gb_s" in chip.estimates),
        f"{device.oldest_ios} to {device.newest_ios}",
    )


def page() -> str:
    """The page docs/devices.md: the table, notes, and the source of every figure."""
    known = tuple(devices().values())
    table = [_row(COLUMNS), _row(["---"] * len(COLUMNS)), *(_row(cells(device)) for device in known)]
    notes = [f"- {device.name}: {device.note}." for device in known if device.note]
    parts = (_HEAD, *table, "\n## Notes\n", *notes, "\n## Sources\n", *_sources(known))
    return "\n".join(parts) + "\n"


def _figure(value: float | None, *, estimated: bool) -> str:
    return "" if value is None else f"{_ESTIMATED if estimated else ''}{value:g}"


def _row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _sources(known: Iterable[Device]) -> list[str]:
    """One line per figure and source, with the devices or chips that it is for."""
    holders: dict[tuple[str, str], list[str]] = {}
    for device in known:
        for figure, source in device.sources.items():
            holders.setdefault((figure, source), []).append(device.name)
    for chip in dict.fromkeys(device.chip.name for device in known):
        found = next(device.chip for device in known if device.chip.name == chip)
        for figure, source in found.sources.items():
            holders.setdefault((figure, source), []).append(chip)
    lines = [f"- {figure}: {source} ({', '.join(names)})." for (figure, source), names in holders.items()]
    return [
        *lines,
        "- identifiers: theapplewiki.com/wiki/Models.",
        "- newest iOS: Apple's list of devices for iOS 26 and iPadOS 26; what it leaves out ends with 18.",
    ]


if __name__ == "__main__":
    sys.stdout.write(page())
