"""What does the gate make of every Mac that was recorded, and what does a recording leave out?"""

import json
import zipfile
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.cli import main
from coreml_gate.doctor.models import of_machine, of_plan, of_run, of_timing
from coreml_gate.doctor.recording import COMMANDS, Recording, devices_only, redacted
from coreml_gate.engines.devicectl import parse_devices
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from tests.recordings.replay import Replayed, read_recording
from tests.warm import ENVIRONMENT, WARM

HERE = Path(__file__).parent
SENT = sorted(HERE.glob("*.zip"))
DEVICES = json.loads((HERE / "public" / "devices.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """A recording of the stand-in, by the command that a user of a Mac runs."""
    folder = tmp_path_factory.mktemp("recording")
    around = Surroundings(
        folder,
        {**ENVIRONMENT, "HOME": str(folder), "USER": "julia"},
        Screen(StringIO()),
        Screen(StringIO()),
        WARM,
    )
    arguments = ("doctor", "--stand-in", "--units", "CPU_ONLY", "--time-budget-s", "1", "--record", "mac.zip")
    assert main(arguments, around) == 0
    for name in zipfile.ZipFile(folder / "mac.zip").namelist():
        text = zipfile.ZipFile(folder / "mac.zip").read(name).decode()
        assert str(folder) not in text
        assert "julia" not in text
    return read_recording(folder / "mac.zip")


def test_a_recording_holds_what_only_that_machine_can_answer(made: Replayed) -> None:
    assert set(made.parts["commands"]) == {" ".join(command) for command in COMMANDS}
    assert set(made.runs) == {f"{name}-CPU_ONLY" for name in ("convolution", "state", "functions")}
    behaviour = made.behaviours["convolution-CPU_ONLY"]
    assert [(form.dtype, form.shape) for form in behaviour.outputs] == [("float32", (1, 8, 16, 16))]
    assert len(behaviour.loads_ms) == 3
    assert behaviour.caches
    nil = {each.type: each.preferred for each in behaviour.plan}
    assert nil["const"] is None
    assert nil["ios17.conv"] == "CPU"
    assert made.timing is not None
    assert made.timing.of("predict") is not None


def test_provoked_errors_are_kept_raw_and_read_as_the_gate_reads_them(made: Replayed) -> None:
    raw = made.behaviours["convolution-CPU_ONLY"].errors
    assert raw["input missing"].startswith("RuntimeError: {\n    NSLocalizedDescription = ")
    assert raw["int64"] == "RuntimeError: value type not convertible"
    assert (raw["int32"], raw["float64"]) == ("", "")
    words = made.words()
    assert words["convolution-CPU_ONLY: input missing"] == "Feature x is required but not specified."
    assert "does not match the shape (1 x 8 x 16 x 16)" in words["convolution-CPU_ONLY: another shape"]


@pytest.mark.parametrize("path", [None, *SENT], ids=lambda path: "made here" if path is None else path.stem)
def test_every_recording_is_understood(path: Path | None, made: Replayed) -> None:
    replayed = made if path is None else read_recording(path)
    assert of_machine(replayed.machine, is_mac=True).outcome != "not ok"
    assert {of_run(name, run, replayed.machine).outcome for name, run in replayed.runs.items()} >= {"ok"}
    assert replayed.placement is None or of_plan(replayed.placement).text
    assert replayed.timing is None or of_timing(replayed.timing).text
    assert all("NSLocalizedDescription" not in words for words in replayed.words().values())
    assert all(each.device.name for each in replayed.devices)


def test_of_devices_nothing_is_kept_that_tells_whose_they_are() -> None:
    kept = devices_only(DEVICES)
    text = json.dumps(kept)
    for word in ("Some iOS device", "udid", "identifier", "0000001E", "lastConnectionDate", "serialNumber"):
        assert word not in text
    replayed = Replayed({"devices": kept})
    assert [(each.device.product, each.in_reach) for each in replayed.devices] == [("iPhone13,1", True)]
    assert [each.device.product for each in parse_devices(json.dumps(DEVICES))] == ["iPhone13,1"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/Users/julia/models/net.mlpackage", "~/models/net.mlpackage"),
        ("owner julia, juliana stays", "owner USER, juliana stays"),
        ("id 00008110-001C108C0132401E", "id IDENTIFIER"),
        (
            "net_F6E660E9-99D4-4589-AE75-91F2290BEB50.mlmodelc",
            "net_F6E660E9-99D4-4589-AE75-91F2290BEB50.mlmodelc",
        ),
        ("in 67946E7A-2A5D-5B91-9E34-ECD8AC0E4D09", "in IDENTIFIER"),
        ("a" * 40, "IDENTIFIER"),
        ("macOS 15.5 (24F74)", "macOS 15.5 (24F74)"),
    ],
)
def test_what_names_a_person_or_a_device_is_left_out(text: str, kept: str) -> None:
    assert redacted(text, "/Users/julia", "julia") == kept


def test_keys_are_redacted_as_well() -> None:
    recording = Recording("/Users/julia", "julia")
    recording.keep("caches", {"/Users/julia/Library/Caches": 12, "list": ["julia", {"deep": "julia"}]})
    assert recording.parts["caches"] == {"~/Library/Caches": 12, "list": ["USER", {"deep": "USER"}]}


@pytest.mark.parametrize("answer", ["", "[]", '{"result": {"devices": [3]}}', '{"result": null}'])
def test_an_answer_of_devicectl_in_another_form_costs_no_recording(tmp_path: Path, answer: str) -> None:
    def ask(command: Sequence[str]) -> str:
        if command[-1].endswith("devices.json"):
            Path(command[-1]).write_text(answer)
        return "answer"

    recording = Recording("/Users/julia", "julia")
    recording.run_tools(ask, tmp_path)
    assert recording.parts["devices"]["form"].startswith("not known (")
    assert set(recording.parts["commands"].values()) == {"answer"}


@pytest.mark.parametrize("parts", [{}, {"format.json": '{"format": 99}'}])
def test_another_file_is_refused(tmp_path: Path, parts: dict[str, Any]) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    with pytest.raises(ValueError, match="is not a recording of format 1"):
        read_recording(tmp_path / "other.zip")
