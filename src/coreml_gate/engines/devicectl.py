"""Which phones are connected to this Mac? Reads what Xcode's ``devicectl`` and ``xctrace`` are asked.

coreml-gate asks ``devicectl`` itself because coremltools' own list leaves out which model of iPhone a device
is. A device's own name and its UDID tell who owns it: neither ever enters a Record.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from coreml_gate.devices import devices
from coreml_gate.errors import DeviceError

Ask = Callable[[Sequence[str]], str]
"""Runs a command and gives what it prints; empty when it cannot."""

XCODE_HINT: Final = (
    "it takes a Mac of your own with Xcode 16 or later, and the iPhone on a cable, unlocked, trusted and in "
    "developer mode."
)
CORE_ML_TEMPLATE: Final = "Core ML"
_KINDS: Final = frozenset({"iphone", "ipad"})


@dataclass(frozen=True)
class Connected:
    """One iPhone or iPad that can be used now."""

    udid: str
    """Never written into a Record."""
    product: str
    """``iPhone15,2``."""
    name: str
    """The name in the table of devices; Apple's own name where the table does not have it."""
    system: str
    """``iOS 18.1 (22B83)``."""


def connected_devices(ask: Ask) -> tuple[Connected, ...]:
    """Asks ``devicectl``; raises :class:`DeviceError` when there is none or its answer has another form."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "devices.json"
        ask(list_command(answer))
        if not answer.exists():
            raise DeviceError("`xcrun devicectl list devices` gave no answer.", XCODE_HINT)
        return parse_devices(answer.read_text(encoding="utf-8"))


def list_command(answer: Path) -> tuple[str, ...]:
    """Lists devices as JSON into a file, which is how ``devicectl`` wants to be read by programs."""
    return ("xcrun", "devicectl", "list", "devices", "--json-output", str(answer))


def parse_devices(text: str) -> tuple[Connected, ...]:
    """The iPhones and iPads whose tunnel stands; others are paired and out of reach."""
    try:
        listed = json.loads(text)["result"]["devices"]
        return tuple(_connected(each) for each in listed if _is_usable(each))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeviceError(
            f"`devicectl` answers in a form that is not known ({type(error).__name__}: {error}).",
            "is this a newer Xcode? Please report it with the output of `xcrun devicectl list devices`.",
        ) from error


def _is_usable(device: Mapping[str, Any]) -> bool:
    kind = str(device["hardwareProperties"].get("deviceType", "")).lower()
    return kind in _KINDS and device["connectionProperties"].get("tunnelState") == "connected"


def _connected(device: Mapping[str, Any]) -> Connected:
    hardware, properties = device["hardwareProperties"], device["deviceProperties"]
    product = str(hardware["productType"])
    known = next((each.name for each in devices().values() if product in each.identifiers), None)
    version, build = properties.get("osVersionNumber", "?"), properties.get("osBuildUpdate", "?")
    return Connected(
        udid=str(hardware["udid"]),
        product=product,
        name=known or str(hardware.get("marketingName", product)),
        system=f"iOS {version} ({build})",
    )


def trace_command(udid: str, output: Path, seconds: int) -> tuple[str, ...]:
    """Records all processes of a device with Instruments' Core ML template."""
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
