"""``coreml-gate devices``: prints the table of devices."""

import argparse
import json

from rich.table import Table

from coreml_gate.devices.document import COLUMNS, cells
from coreml_gate.devices.table import Device, devices
from coreml_gate.surroundings import Surroundings
from coreml_gate.untyped import Json


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="for machines, with the source of each figure")
    parser.set_defaults(command=print_devices)


def print_devices(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print the table for people or for machines."""
    if parsed.json:
        plain = [as_json(device) for device in devices().values()]
        around.out.print(json.dumps(plain, indent=1), markup=False, highlight=False, soft_wrap=True)
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, title in enumerate(COLUMNS):
        table.add_column(title.replace(" ", "\n"), justify="left" if number < 2 else "right", no_wrap=True)  # noqa: PLR2004 - two names
    for device in devices().values():
        table.add_row(*cells(device))
    around.out.print(table, soft_wrap=False)
    around.out.print(
        "~ marks an estimate; an empty cell is not known. Sources: docs/devices.md.", highlight=False
    )
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
