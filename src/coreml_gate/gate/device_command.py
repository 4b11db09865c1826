"""``coreml-gate device``: runs the packages of an earlier run on a connected iPhone."""

import argparse
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final, get_args

from rich.console import Console

from coreml_gate.arguments import OUTPUT, add_json, add_selection, positive_count
from coreml_gate.checks import Evidence, on_device
from coreml_gate.children.process import Hooks, ProcessLimits
from coreml_gate.config.load import load_config, select_models
from coreml_gate.engines.devicectl import OPENING_S, XCODE_HINT, Connected, connected_devices
from coreml_gate.engines.machine import tool_output
from coreml_gate.errors import DeviceError, UsageError
from coreml_gate.gate.on_device import DeviceOptions, measure_on_devices
from coreml_gate.record import RECORD_NAME, ComputeUnits, read_record
from coreml_gate.surroundings import Surroundings
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import listed
from coreml_gate.worker.core_ml import is_hosted
from coreml_gate.worker.supervisor import Supervisor

MAC: Final = "darwin"


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "record", nargs="?", type=Path, default=OUTPUT, help="results of an earlier run; default: %(default)s"
    )
    add_selection(parser)
    parser.add_argument(
        "--device", action="append", default=[], metavar="NAME", help="only this device; repeatable"
    )
    parser.add_argument("--list", action="store_true", help="only list the connected devices")
    add_json(parser)
    parser.add_argument("--team", default="", metavar="ID", help="Apple development team that signs the app")
    parser.add_argument("--profile", metavar="UUID", help="provisioning profile instead of a team")
    parser.add_argument("--bundle-id", metavar="ID", help="the bundle identifier of the profile")
    parser.add_argument(
        "--units", choices=get_args(ComputeUnits), default="ALL", help="compute units; default: %(default)s"
    )
    parser.add_argument(
        "--repeats",
        type=positive_count,
        default=20,
        metavar="N",
        help="timed predictions; default: %(default)s",
    )
    parser.add_argument(
        "--trace",
        action="store_true",
        help="also save an Instruments trace of Core ML, which contains the device's name and UDID",
    )
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Measure on every connected device and add the results to the Record; 1 if a limit is exceeded."""
    require_a_mac(sys.platform, around.environment)
    run_tool = partial(tool_output, within_s=OPENING_S + 5)
    connected = _chosen(connected_devices(run_tool), parsed.device)
    if parsed.list:
        _list(connected, parsed, around)
        return 0
    if not parsed.team and parsed.profile is None:
        raise UsageError(
            "the device app must be signed, but no team or profile was given.",
            "give --team with your team's identifier, or --profile with --bundle-id.",
        )
    return _measure(parsed, connected, around)


def _list(connected: tuple[Connected, ...], parsed: argparse.Namespace, around: Surroundings) -> None:
    if parsed.json:
        devices = ({"name": each.name, "product": each.product, "system": each.system} for each in connected)
        around.print_json(list(devices))
        return
    for device in connected:
        _print(around.out, f"{device.name} ({device.product}, {device.system})")


def require_a_mac(platform: str, environment: Mapping[str, str]) -> None:
    """Raise :class:`DeviceError` if no device can be connected to this machine."""
    if platform != MAC:
        raise DeviceError(f"a connected device needs a Mac, but this is {platform}.", XCODE_HINT)
    if is_hosted(environment):
        raise DeviceError("GitHub's own runners have no device connected.", XCODE_HINT)
    if shutil.which("devicectl", path=environment.get("PATH")) is None:
        raise DeviceError(
            "`devicectl` is not on PATH, where coremltools looks for it.",
            'write PATH="$(dirname "$(xcrun --find devicectl)"):$PATH" before the command.',
        )


def _chosen(connected: tuple[Connected, ...], names: list[str]) -> tuple[Connected, ...]:
    found = tuple(device for device in connected if not names or device.name in names)
    if missing := [name for name in names if name not in {device.name for device in found}]:
        there = listed(device.name for device in connected)
        raise DeviceError(f"no `{missing[0]}` is connected.", f"connected: {there}.")
    return found


def _measure(parsed: argparse.Namespace, connected: tuple[Connected, ...], around: Surroundings) -> int:
    folder = around.folder / parsed.record
    record = read_record(folder / RECORD_NAME)
    config = select_models(load_config(around.folder, parsed.config), parsed.model)
    supervisor = Supervisor(
        around.environment,
        ProcessLimits(config.gate.step_timeout_s),
        hooks=Hooks(step=lambda step: _print(around.err, f"device: {step}")),
        start=around.start,
    )
    options = DeviceOptions(
        parsed.units, parsed.repeats, parsed.team, parsed.profile, parsed.bundle_id, parsed.trace
    )
    names = [model.name for model in config.model]
    with_devices = measure_on_devices(record, folder, names, connected, options, supervisor)
    findings: list[Finding] = []
    for model in config.model:
        measured = with_devices.model(model.name)
        if measured is not None:
            found = on_device.run(Evidence(model, measured, None, with_devices.environment, None))
            findings += found
            for each in () if parsed.json else found:
                _print(around.out, f"{each.status.upper():8}{model.name}  {each.message}")
    if parsed.json:
        around.print_json([each.model_dump(mode="json") for each in findings])
    return 1 if any(each.status is Status.FAIL for each in findings) else 0


def _print(console: Console, line: str) -> None:
    console.print(line)
