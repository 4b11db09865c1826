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


def test_a_connected_phone_is_named_by_its_model_and_never_by_its_owner() -> None:
    (found,) = parse_devices(listing(device()))
    assert found == Connected("00008110-0001", "iPhone14,5", "iPhone 13", "iOS 18.1 (22B83)")
    assert "Somebody" not in repr(found)


def test_a_model_that_the_table_does_not_have_keeps_apples_name() -> None:
    (found,) = parse_devices(listing(device(productType="iPhone99,1", marketingName="iPhone 42")))
    assert (found.name, found.product) == ("iPhone 42", "iPhone99,1")


@pytest.mark.parametrize(
    "unusable",
    [
        device(deviceType="appleWatch"),
        device() | {"connectionProperties": {"tunnelState": "disconnected"}},
        device() | {"connectionProperties": {}},
    ],
)
def test_what_cannot_be_used_now_is_left_out(unusable: dict[str, Any]) -> None:
    assert parse_devices(listing(unusable)) == ()


@pytest.mark.parametrize("text", ["", "[]", '{"result": {}}', '{"result": {"devices": [{"a": 1}]}}'])
def test_an_answer_of_another_form_is_an_error_with_a_way_out(text: str) -> None:
    with pytest.raises(DeviceError, match="answers in a form that is not known") as raised:
        parse_devices(text)
    assert "newer Xcode" in raised.value.hint


def test_devicectl_is_read_through_a_file() -> None:
    asked: list[Sequence[str]] = []

    def ask(command: Sequence[str]) -> str:
        asked.append(command)
        Path(command[-1]).write_text(listing(device()), encoding="utf-8")
        return ""

    assert [found.name for found in connected_devices(ask)] == ["iPhone 13"]
    assert asked[0][:5] == ("xcrun", "devicectl", "list", "devices", "--json-output")


def test_without_an_answer_the_way_out_is_told() -> None:
    with pytest.raises(DeviceError, match="gave no answer") as raised:
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
