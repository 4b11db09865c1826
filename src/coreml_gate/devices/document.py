"""The table of devices for people: ``python -m coreml_gate.devices.document`` prints docs/devices.md."""

import sys
from collections.abc import Iterable, Sequence
from typing import Final

from coreml_gate.devices.table import Device, devices

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

Generated from `src/coreml_gate/devices/*.csv` by `python -m coreml_gate.devices.document`; print it with
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
    """The whole page: the table, notes, and the source of every figure."""
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
    """One line per figure and source, with the devices or chips for which it holds."""
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
