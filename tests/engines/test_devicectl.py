"""Devices out of ``devicectl``'s JSON, and the commands that are run on a Mac."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.engines.devicectl import Connected, connected_devices, parse_devices, trace_command
from coreml_gate.errors import DeviceError


def device(**hardware: Any) -> dict[str, Any]:
    """The keys that are read, as coremltools' own reader of the same answer knows them."""
    return {
        "identifier": "0A1B",
        "connectionProperties": {"tunnelState": "connected"},
        "deviceProperties": {"name": "Somebody's phone", "osVersionNumber": "18.1", "osBuildUpdate": "22B83"},
        "hardwareProperties": {
            "deviceType": "iPhone",
            "udid": "00008110-0001",
            "productType": "iPhone14,5",
            "marketingName": "iPhone 13",
        }
        | hardware,
    }


def listing(*devices: dict[str, Any]) -> str:
    return json.dumps({"info": {"outcome": "success"}, "result": {"devices": devices}})


def state(tunnel: str | None, **connection: str) -> dict[str, Any]:
    properties = connection if tunnel is None else {"tunnelState": tunnel} | connection
    return device() | {"connectionProperties": properties}


def test_a_connected_phone_is_named_by_its_model_and_never_by_its_owner() -> None:
    (found,) = parse_devices(listing(device()))
    assert found.device == Connected("00008110-0001", "iPhone14,5", "iPhone 13", "iOS 18.1 (22B83)")
    assert found.in_reach
    assert "Somebody" not in repr(found)


def test_a_model_that_the_table_does_not_have_keeps_apples_name() -> None:
    (found,) = parse_devices(listing(device(productType="iPhone99,1", marketingName="iPhone 42")))
    assert (found.device.name, found.device.product) == ("iPhone 42", "iPhone99,1")


@pytest.mark.parametrize(
    ("listed", "in_reach"),
    [
        (state("connected"), True),
        (state("disconnected"), True),  # at rest: a command opens the tunnel
        (state("connecting"), True),
        (state("unavailable"), False),
        (state(None), False),
        (state("disconnected", pairingState="unpaired"), False),
        (state("connected", pairingState="paired"), True),
    ],
)
def test_only_what_is_unavailable_or_not_paired_is_out_of_reach(
    listed: dict[str, Any], in_reach: bool
) -> None:
    (found,) = parse_devices(listing(listed))
    assert found.in_reach == in_reach


@pytest.mark.parametrize(
    "other",
    [
        device(deviceType="appleWatch"),
        device(reality="simulated"),  # Xcode 27 lists simulators, their tunnel is `disconnected`
        device() | {"hardwareProperties": {}},  # a Mac's own entry, a device that was never unlocked
        device(udid=""),
    ],
)
def test_an_odd_entry_is_left_out_and_the_others_stay(other: dict[str, Any]) -> None:
    assert [each.device.name for each in parse_devices(listing(other, device()))] == ["iPhone 13"]


@pytest.mark.parametrize("group", ["connectionProperties", "deviceProperties"])
def test_a_device_that_says_less_is_listed_and_costs_the_others_nothing(group: str) -> None:
    bare = {name: value for name, value in device().items() if name != group}
    first, second = parse_devices(listing(bare, device()))
    assert second.in_reach
    assert first.in_reach == (group != "connectionProperties")
    assert first.device.product == second.device.product


@pytest.mark.parametrize("text", ["", "[]", '{"result": {}}', '{"result": {"devices": [1]}}'])
def test_an_answer_of_another_form_is_an_error_with_a_way_out(text: str) -> None:
    with pytest.raises(DeviceError, match="has a form that is not known") as raised:
        parse_devices(text)
    assert "newer Xcode" in raised.value.hint


class Mac:
    """Answers ``devicectl``; reading a device's details opens its tunnel if it is in reach."""

    def __init__(self, *devices: dict[str, Any]) -> None:
        self.devices = list(devices)
        self.asked: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> str:
        self.asked.append(command)
        if "list" in command:
            Path(command[-1]).write_text(listing(*self.devices), encoding="utf-8")
        if "details" in command:
            self.devices = [self._opened(each, command) for each in self.devices]
        return ""

    def _opened(self, device: dict[str, Any], command: Sequence[str]) -> dict[str, Any]:
        reached = device["hardwareProperties"]["udid"] in command
        return device | {"connectionProperties": {"tunnelState": "connected"}} if reached else device


def test_devicectl_is_read_through_a_file() -> None:
    mac = Mac(device())
    assert [found.name for found in connected_devices(mac)] == ["iPhone 13"]
    assert len(mac.asked) == 1
    assert mac.asked[0][:5] == ("xcrun", "devicectl", "list", "devices", "--json-output")


def test_a_phone_at_rest_is_woken_and_listed_again() -> None:
    mac = Mac(state("disconnected"), device(udid="far", productType="iPhone16,1") | state("unavailable"))
    mac.devices[1]["hardwareProperties"] = device(udid="far")["hardwareProperties"]
    assert [found.udid for found in connected_devices(mac)] == ["00008110-0001"]
    listed, woken, again = mac.asked
    assert woken == (
        *("xcrun", "devicectl", "device", "info", "details"),
        *("--device", "00008110-0001", "--timeout", "30"),
    )
    assert listed[:4] == again[:4]


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ((), "this Mac knows no iPhone and no iPad"),
        ((state("unavailable"),), r"Known to this Mac: iPhone 13 \(unavailable\)"),
        ((state("disconnected", pairingState="unpaired"),), r"iPhone 13 \(not paired\)"),
    ],
)
def test_paired_and_out_of_reach_is_told_from_none(devices: Any, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        connected_devices(Mac(*devices))


def test_without_an_answer_the_way_out_is_told() -> None:
    with pytest.raises(DeviceError, match="gave no report") as raised:
        connected_devices(lambda _: "")
    assert raised.value.exit_code == 22


def test_the_trace_is_of_core_ml_on_that_device() -> None:
    command = trace_command("00008110-0001", Path("out/core-ml.trace"), 600)
    assert command[:3] == ("xcrun", "xctrace", "record")
    options = dict(zip(command[3::2], command[4::2], strict=False))
    assert options["--template"] == "Core ML"
    assert options["--device"] == "00008110-0001"
    assert command[command.index("--time-limit") + 1] == "600s"
    assert command[command.index("--output") + 1] == "out/core-ml.trace"
