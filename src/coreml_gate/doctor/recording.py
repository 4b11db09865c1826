"""``coreml-gate doctor --record``: the raw answers of a Mac as one file, without a word about its owner.

A recording lets others replay what only a Mac can answer (tests/recordings). It holds nothing of the user's
models: every package in it is one that the doctor makes.
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
"""What the gate reads of a Mac, and the versions of what it uses there."""
_IDENTIFIER: Final = re.compile(
    r"\b(?:[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{16}|[0-9a-f]{40})\b"
)
"""UUIDs, and the two forms of a UDID."""
_OF_A_DEVICE: Final[Mapping[str, tuple[str, ...]]] = {
    "connectionProperties": ("pairingState", "transportType", "tunnelState"),
    "deviceProperties": ("bootState", "developerModeStatus", "osBuildUpdate", "osVersionNumber"),
    "hardwareProperties": ("deviceType", "marketingName", "platform", "productType", "reality"),
}
"""All that is kept of a device: no name, no UDID, no serial number, no host name."""


@dataclass
class Recording:
    """Collects what is found, redacted as it comes."""

    home: str
    user: str
    parts: dict[str, Any] = field(default_factory=dict)

    def keep(self, name: str, facts: BaseModel | Mapping[str, Any]) -> None:
        """Keep facts under a name; a later one of the same name replaces the earlier one."""
        content = facts.model_dump(mode="json") if isinstance(facts, BaseModel) else facts
        self.parts[name] = self._redacted(content)

    def run_tools(self, run_tool: RunTool, folder: Path) -> None:
        """Keep the raw answer of every command, and of the list of devices what is not its owner's."""
        self.keep("commands", {" ".join(command): run_tool(command) for command in COMMANDS})
        answer = folder / "devices.json"
        run_tool(list_command(answer))
        if answer.exists():
            self.keep("devices", _devices_in(answer))

    def write(self, path: Path) -> None:
        """One JSON file per part in a zip."""
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
    """The text without the home folder, the user's name, and whatever identifies a device."""
    text = text.replace(home, "~") if len(home) > 1 else text
    text = re.sub(rf"\b{re.escape(user)}\b", "USER", text) if user else text
    return _IDENTIFIER.sub("IDENTIFIER", text)


def _devices_in(answer: Path) -> Mapping[str, Any]:
    """Of an answer in another form only that it has one: it may hold names, and the rest must not be lost."""
    try:
        return devices_only(json.loads(answer.read_text(encoding="utf-8")))
    except (ValueError, AttributeError, TypeError) as error:
        return {"form": f"not known ({type(error).__name__})"}


def devices_only(listed: Mapping[str, Any]) -> dict[str, Any]:
    """The form of ``devicectl``'s answer with nothing in it but :data:`_OF_A_DEVICE`."""
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
