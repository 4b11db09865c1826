"""A recording of a Mac, read back: what the gate makes of its raw answers, without the Mac."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from coreml_gate.doctor.recording import FORMAT
from coreml_gate.engines.devicectl import Listed, parse_devices
from coreml_gate.engines.machine import describe_machine
from coreml_gate.measurements.core_ml_behaviour import Behaviour
from coreml_gate.measurements.foreign_errors import in_words
from coreml_gate.record import CoreMlRun, Machine, Placement, Timing

MOST_BYTES: Final = 20_000_000


@dataclass(frozen=True)
class Replayed:
    """The parts of one recording."""

    parts: dict[str, Any]

    def of(self, prefix: str) -> dict[str, Any]:
        """Parts by what follows ``prefix`` in their name."""
        return {
            name.removeprefix(prefix): part for name, part in self.parts.items() if name.startswith(prefix)
        }

    @property
    def machine(self) -> Machine:
        """As :func:`describe_machine` sees the recorded answers."""
        return describe_machine(lambda command: str(self.parts["commands"].get(" ".join(command), "")))

    @property
    def devices(self) -> tuple[Listed, ...]:
        """Their UDIDs are not recorded, so each gets one of its own."""
        listed = self.parts.get("devices", {})
        if "result" not in listed:
            return ()
        for index, device in enumerate(listed["result"]["devices"]):
            if device.get("hardwareProperties"):
                device["hardwareProperties"]["udid"] = f"replayed-{index}"
        return parse_devices(json.dumps(listed))

    @property
    def runs(self) -> dict[str, CoreMlRun]:
        """By package and hardware."""
        return {name: CoreMlRun.model_validate(part) for name, part in self.of("run-").items()}

    @property
    def behaviours(self) -> dict[str, Behaviour]:
        """By package and hardware, where the child came to an end."""
        found = self.of("behaviour-").items()
        return {name: Behaviour.model_validate(part) for name, part in found if "how" not in part}

    @property
    def placement(self) -> Placement | None:
        """Of the convolution."""
        return Placement.model_validate(self.parts["placement"]) if "placement" in self.parts else None

    @property
    def timing(self) -> Timing | None:
        """The convolution against itself."""
        return Timing.model_validate(self.parts["timing"]) if "timing" in self.parts else None

    def words(self) -> dict[str, str]:
        """What the gate would say of each error that was provoked."""
        return {
            f"{name}: {mistake}": in_words(RuntimeError(text.partition(": ")[2]))
            for name, behaviour in self.behaviours.items()
            for mistake, text in behaviour.errors.items()
            if text
        }


def read_recording(path: Path) -> Replayed:
    """Read a recording that somebody sent: nothing is unpacked to the disk, and its size is bounded."""
    with zipfile.ZipFile(path) as archive:
        if sum(each.file_size for each in archive.infolist()) > MOST_BYTES:
            raise ValueError(f"{path.name} unpacks to more than {MOST_BYTES / 1e6:.0f} MB")
        parts = {Path(name).stem: json.loads(archive.read(name)) for name in archive.namelist()}
    if parts.pop("format", {}).get("format") != FORMAT:
        raise ValueError(f"{path.name} is not a recording of format {FORMAT}")
    return Replayed(parts)
