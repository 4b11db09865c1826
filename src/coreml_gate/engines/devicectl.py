"""The phones that this Mac can reach, as Xcode's ``devicectl`` and ``xctrace`` report them.

coreml-gate runs ``devicectl`` itself, because coremltools' own list lacks the model of a device. A device's
name and UDID identify its owner, so neither enters a Record.

An idle phone has the tunnel state ``disconnected``: CoreDevice opens the tunnel when a command needs it, and
then lists it as ``connected``. Only ``unavailable`` devices are out of reach.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coreml_gate.devices import devices
from coreml_gate.engines.machine import RunTool
from coreml_gate.errors import DeviceError
from coreml_gate.untyped import Json

XCODE_HINT: Final = (
    "it takes a Mac of your own with Xcode 16 or later, and the iPhone on a cable, unlocked, trusted and in "
    "developer mode."
)
CORE_ML_TEMPLATE: Final = "Core ML"
OPENING_S: Final = 30
"""Seconds that ``devicectl`` may take to open the tunnel to a device."""
_KINDS: Final = frozenset({"iphone", "ipad"})


@dataclass(frozen=True)
class Connected:
    """One iPhone or iPad that is ready for use."""

    udid: str
    """Never written into a Record."""
    product: str
    """``iPhone15,2``."""
    name: str
    """The name in the table of devices, or else Apple's."""
    system: str
    """``iOS 18.1 (22B83)``."""


@dataclass(frozen=True)
class Listed:
    """One iPhone or iPad that this Mac knows."""

    device: Connected
    tunnel: str
    """``connected``, ``disconnected`` (at rest), ``unavailable`` (out of reach), ..."""
    paired: bool

    @property
    def in_reach(self) -> bool:
        """Whether its tunnel can be opened."""
        return self.paired and self.tunnel != "unavailable"


def connected_devices(run_tool: RunTool) -> tuple[Connected, ...]:
    """The devices in reach, each with its tunnel open.

    Raises :class:`DeviceError` if there is none, naming known devices that are out of reach, or if the report
    has an unknown form.
    """
    listed = _list(run_tool)
    at_rest = [each.device.udid for each in listed if each.in_reach and each.tunnel != "connected"]
    for udid in at_rest:
        run_tool(details_command(udid))
    if at_rest:
        listed = _list(run_tool)
    found = tuple(each.device for each in listed if each.in_reach)
    if not found:
        raise _none_in_reach(listed)
    return found


def list_command(report: Path) -> tuple[str, ...]:
    """The command that lists devices as JSON in a file, ``devicectl``'s interface for programs."""
    return ("xcrun", "devicectl", "list", "devices", "--json-output", str(report))


def details_command(udid: str) -> tuple[str, ...]:
    """The command that reads a device's details, which opens its tunnel."""
    return ("xcrun", "devicectl", "device", "info", "details", "--device", udid, "--timeout", str(OPENING_S))


def parse_devices(text: str) -> tuple[Listed, ...]:
    """The physical iPhones and iPads that this Mac knows and that have a model and a UDID."""
    try:
        listed = json.loads(text)["result"]["devices"]
        return tuple(_listed(each) for each in listed if _is_phone(each))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeviceError(
            f"the report of `devicectl` has a form that is not known ({type(error).__name__}: {error}).",
            "is this a newer Xcode? Please report it with the output of `xcrun devicectl list devices`.",
        ) from error


def _list(run_tool: RunTool) -> tuple[Listed, ...]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "devices.json"
        run_tool(list_command(report))
        if not report.exists():
            raise DeviceError("`xcrun devicectl list devices` gave no report.", XCODE_HINT)
        return parse_devices(report.read_text(encoding="utf-8"))


def _is_phone(device: Mapping[str, Json]) -> bool:
    """Whether it is a physical device; from Xcode 27 on, simulators are listed too (``jsonVersion`` 5)."""
    hardware = device.get("hardwareProperties", {})
    physical = hardware.get("reality", "physical") == "physical"
    known = bool(hardware.get("udid")) and bool(hardware.get("productType"))
    return known and physical and str(hardware.get("deviceType", "")).lower() in _KINDS


def _listed(device: Mapping[str, Json]) -> Listed:
    hardware, properties = device["hardwareProperties"], device.get("deviceProperties", {})
    connection = device.get("connectionProperties", {})
    product = str(hardware["productType"])
    known = next((each.name for each in devices().values() if product in each.identifiers), None)
    version, build = properties.get("osVersionNumber", "?"), properties.get("osBuildUpdate", "?")
    return Listed(
        Connected(
            udid=str(hardware["udid"]),
            product=product,
            name=known or str(hardware.get("marketingName", product)),
            system=f"iOS {version} ({build})",
        ),
        tunnel=str(connection.get("tunnelState", "unavailable")),
        paired=connection.get("pairingState", "paired") == "paired",
    )


def _none_in_reach(listed: Sequence[Listed]) -> DeviceError:
    if not listed:
        return DeviceError("this Mac knows no iPhone and no iPad.", XCODE_HINT)
    states = ", ".join(
        f"{each.device.name} ({each.tunnel if each.paired else 'not paired'})" for each in listed
    )
    return DeviceError(
        f"no iPhone or iPad is in reach. Known to this Mac: {states}.",
        "connect the cable, unlock the device and trust this Mac, then run `coreml-gate device --list`.",
    )


def trace_command(udid: str, output: Path, seconds: int) -> tuple[str, ...]:
    """The command that records all processes of a device with Instruments' Core ML template."""
    return (
        "xcrun",
        "xctrace",
        "record",
        "--template",
        CORE_ML_TEMPLATE,
        "--device",
        udid,
        "--all-processes",
        "--time-limit",
        f"{seconds}s",
        "--output",
        str(output),
        "--no-prompt",
    )
