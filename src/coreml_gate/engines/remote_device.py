"""A model on a connected iPhone, through coremltools' own remote utilities.

coremltools builds and launches its ModelRunner app on the device and transfers models and arrays with
``devicectl``. It accepts only arrays: no images, and no states (coremltools 9.0,
``RemoteMLModelAsyncWrapper.make_state_if_needed``).

It loses the output of ``xcodebuild``, because it merges the error stream into the output and then reports the
empty error stream: ``[Error Code 65] None``. So a script of the same name precedes Xcode's on the path, and
saves the output.
"""

import os
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import coremltools as ct
from coremltools.models.ml_program.experimental.async_wrapper import MLModelAsyncWrapper
from coremltools.models.ml_program.experimental.remote_device import AppSigningCredentials, Device

from coreml_gate.arrays import Array
from coreml_gate.engines.devicectl import OPENING_S, details_command
from coreml_gate.engines.machine import tool_output
from coreml_gate.errors import DeviceError
from coreml_gate.record import ComputeUnits
from coreml_gate.untyped import CoreMlObject

_XCODEBUILD: Final = "xcodebuild"
_LAST_LINES: Final = 5
Arrays = Mapping[str, Array]
MILLISECOND: Final = 1e6
"""In nanoseconds, the unit in which coremltools reports durations."""


class RemoteModel(Protocol):
    """The part of coremltools' ``MLModelAsyncWrapper`` that is used."""

    @property
    def load_duration_in_nano_seconds(self) -> int | None:
        """Of the last load, as the device measured it."""
        ...

    @property
    def last_predict_duration_in_nano_seconds(self) -> int | None:
        """Of the last prediction, as the device measured it: without the transfer."""
        ...

    async def load(self) -> None:
        """Compile the package on this Mac and load it on the device."""
        ...

    async def predict(self, inputs: Arrays, state: None = None) -> Arrays:
        """Predict one sample on the device."""
        ...

    async def unload(self) -> None:
        """Release the model on the device."""
        ...


@dataclass(frozen=True)
class Registry:
    """The calls that reach a device; tests replace them."""

    devices: Callable[[], Sequence[CoreMlObject]]
    prepare: Callable[..., Awaitable[CoreMlObject]]
    open: Callable[..., RemoteModel]
    wake: Callable[[str], object]
    """Opens the tunnel to a device by its UDID; coremltools requires an open one."""


def _open_tunnel(udid: str) -> str:
    return tool_output(details_command(udid), within_s=OPENING_S + 5)


COREMLTOOLS: Final = Registry(
    devices=Device.get_devices,
    prepare=Device.prepare_for_model_debugging,
    open=MLModelAsyncWrapper.from_spec_or_path,
    wake=_open_tunnel,
)


@dataclass(frozen=True)
class Signing:
    """How the ModelRunner app is signed: by a team, or by a profile with its bundle's identifier."""

    team: str = ""
    profile: str | None = None
    bundle: str | None = None

    def credentials(self) -> AppSigningCredentials:
        """The signing in coremltools' own form."""
        return AppSigningCredentials(
            development_team=self.team,
            provisioning_profile_uuid=self.profile,
            bundle_identifier=self.bundle,
        )


@dataclass(frozen=True)
class DeviceRun:
    """What a device computed for the samples, and how long it took to load the model."""

    outputs: tuple[Arrays, ...]
    load_ms: float | None


async def prepared(registry: Registry, udid: str, signing: Signing, folder: Path) -> CoreMlObject:
    """The device with a running ModelRunner app, built in ``folder``.

    Raises :class:`DeviceError` if the device is gone, if the folder's path has a blank, which coremltools
    does not quote, and with the output of ``xcodebuild`` if the app cannot be built.
    """
    if any(character.isspace() for character in str(folder)):
        raise DeviceError(f"coremltools cannot build its app in `{folder}`: the path has a blank.")
    registry.wake(udid)
    found = next((each for each in registry.devices() if each.udid == udid), None)
    if found is None:
        raise DeviceError(
            "coremltools does not see the device any more.",
            "check that it is unlocked and connected by cable.",
        )
    with overheard(folder / "bin") as words:
        try:
            return await registry.prepare(
                found, credentials=signing.credentials(), working_directory=folder, clean=False
            )
        except Exception as error:
            reason = str(error).replace(udid, "UDID")
            raise DeviceError(
                f"coremltools' ModelRunner app could not be built or started: {reason}.",
                reason_in(words, udid) or "run `xcrun devicectl list devices`: is the device connected?",
            ) from error


def open_model(
    registry: Registry, device: object, package: Path, units: ComputeUnits, function: str | None = None
) -> RemoteModel:
    """A package on the device, not yet loaded; ``function`` selects one of several, ``None`` the default."""
    return registry.open(
        spec_or_path=str(package),
        weights_dir="",
        compute_units=ct.ComputeUnit[units],
        function_name=function,
        device=device,
    )


async def predict_all(model: RemoteModel, samples: Sequence[Arrays]) -> DeviceRun:
    """Load, and predict every sample once."""
    await model.load()
    load_ms = _milliseconds(model.load_duration_in_nano_seconds)
    outputs = [await model.predict(inputs=dict(sample)) for sample in samples]
    return DeviceRun(tuple(outputs), load_ms)


async def times_of(model: RemoteModel, sample: Arrays, repeats: int) -> list[float]:
    """Milliseconds of each prediction of one sample, as the device measured them."""
    times: list[float] = []
    for _ in range(repeats):
        await model.predict(inputs=dict(sample))
        taken = _milliseconds(model.last_predict_duration_in_nano_seconds)
        times += [] if taken is None else [taken]
    return times


def _milliseconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / MILLISECOND


@contextmanager
def overheard(folder: Path, environment: MutableMapping[str, str] = os.environ) -> Iterator[Path]:
    """Saves the output of ``xcodebuild`` in the given file; does nothing without Xcode."""
    words, path = folder / "xcodebuild.log", environment.get("PATH", "")
    real = shutil.which(_XCODEBUILD, path=path)
    if real is None:
        yield words
        return
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / _XCODEBUILD
    script.write_text(f"#!/bin/sh\nexec '{real}' \"$@\" > '{words}' 2>&1\n", encoding="utf-8")
    script.chmod(0o755)
    environment["PATH"] = f"{folder}{os.pathsep}{path}"
    try:
        yield words
    finally:
        environment["PATH"] = path


def reason_in(words: Path, udid: str) -> str:
    """Why the build failed: the lines with an error, or else the last ones, without the UDID."""
    if not words.exists():
        return ""
    text = words.read_text(encoding="utf-8", errors="replace").replace(udid, "UDID")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line]
    said = list(dict.fromkeys(errors))[:_LAST_LINES] or lines[-_LAST_LINES:]
    return f"xcodebuild said: {' | '.join(said)}" if said else ""
