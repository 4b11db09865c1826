"""``coreml-gate doctor --record``: a Mac's raw answers as one file, without anything about its owner.

A recording lets tests replay what only a Mac can answer (tests/recordings). It contains nothing of the user's
models, only packages that the doctor makes.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from coreml_gate.engines.devicectl import list_command
from coreml_gate.engines.machine import RunTool

FORMAT: Final = 1
COMMANDS: Final[tuple[tuple[str, ...], ...]] = (
    ("sw_vers", "-productVersion"),
    ("sw_vers", "-buildVersion"),
    ("sysctl", "-n", "machdep.cpu.brand_string"),
    ("sysctl", "-n", "hw.model"),
    ("sysctl", "-n", "hw.memsize"),
    ("sysctl", "-n", "kern.hv_vmm_present"),
    ("xcodebuild", "-version"),
    ("xcrun", "xctrace", "version"),
    ("xcrun", "devicectl", "--version"),
)
"""Commands that the gate reads on a Mac, and those that give versions."""
_IDENTIFIER: Final = re.compile(
    r"\b(?:[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{16}|[0-9a-f]{40})\b"
)
"""UUIDs, and the two forms of a UDID."""
_OF_A_DEVICE: Final[Mapping[str, tuple[str, ...]]] = {
    "connectionProperties": ("pairingState", "transportType", "tunnelState"),
    "deviceProperties": ("bootState", "developerModeStatus", "osBuildUpdate", "osVersionNumber"),
    "hardwareProperties": ("deviceType", "marketingName", "platform", "productType", "reality"),
}
"""The fields kept of a device: no name, UDID, serial number or host name."""


@dataclass
class Recording:
    """Collects facts, redacted immediately."""

    home: str
    user: str
    parts: dict[str, Any] = field(default_factory=dict)

    def keep(self, name: str, facts: BaseModel | Mapping[str, Any]) -> None:
        """Add facts under a name, replacing earlier ones of this name."""
        content = facts.model_dump(mode="json") if isinstance(facts, BaseModel) else facts
        self.parts[name] = self._redacted(content)

    def run_tools(self, run_tool: RunTool, folder: Path) -> None:
        """Add the raw answer of every command, and the list of devices without anything about their owner."""
        self.keep("commands", {" ".join(command): run_tool(command) for command in COMMANDS})
        answer = folder / "devices.json"
        run_tool(list_command(answer))
        if answer.exists():
            self.keep("devices", _devices_in(answer))

    def write(self, path: Path) -> None:
        """Write one JSON file per part into a zip."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("format.json", json.dumps({"format": FORMAT}))
            for name, content in sorted(self.parts.items()):
                archive.writestr(f"{name}.json", json.dumps(content, indent=1))

    def _redacted(self, content: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
        if isinstance(content, str):
            return redacted(content, self.home, self.user)
        if isinstance(content, Mapping):
            return {
                redacted(str(key), self.home, self.user): self._redacted(value)
                for key, value in content.items()
            }
        if isinstance(content, list | tuple):
            return [self._redacted(each) for each in content]
        return content


def redacted(text: str, home: str, user: str) -> str:
    """The text without the home folder, the user's name and device identifiers."""
    text = text.replace(home, "~") if len(home) > 1 else text
    text = re.sub(rf"\b{re.escape(user)}\b", "USER", text) if user else text
    return _IDENTIFIER.sub("IDENTIFIER", text)


def _devices_in(answer: Path) -> Mapping[str, Any]:
    """The redacted devices; an answer in an unknown form is left out, because it may contain names."""
    try:
        return devices_only(json.loads(answer.read_text(encoding="utf-8")))
    except (ValueError, AttributeError, TypeError) as error:
        return {"form": f"not known ({type(error).__name__})"}


def devices_only(listed: Mapping[str, Any]) -> dict[str, Any]:
    """``devicectl``'s answer reduced to :data:`_OF_A_DEVICE`."""
    devices = listed.get("result", {}).get("devices", [])
    return {
        "info": {"jsonVersion": listed.get("info", {}).get("jsonVersion")},
        "result": {"devices": [_device(each) for each in devices]},
    }


def _device(device: Mapping[str, Any]) -> dict[str, Any]:
    return {
        group: {key: device[group][key] for key in keys if key in device.get(group, {})}
        for group, keys in _OF_A_DEVICE.items()
        if group in device
    }
