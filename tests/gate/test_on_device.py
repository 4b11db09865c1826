"""From a stored Record to a device and back, with a child in the place of the one that needs a phone."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from coreml_gate.children.process import ProcessLimits
from coreml_gate.engines.devicectl import Connected
from coreml_gate.errors import DeviceError
from coreml_gate.gate.device_command import require_a_mac
from coreml_gate.gate.on_device import DeviceOptions, measure_on_devices
from coreml_gate.record import DeviceFacts, Record, read_record
from coreml_gate.worker.supervisor import Supervisor
from tests.builders import feature, model_record, package, record

Ask = Callable[..., Record]
PHONE = Connected("00008110-0001", "iPhone13,2", "iPhone 12", "iOS 18.1 (22B83)")
CHILD = """
import json, pathlib, sys
job = json.loads(pathlib.Path(sys.argv[1]).read_text())
events = pathlib.Path(job["folder"]) / "events.jsonl"
with events.open("a") as file:
    file.write(json.dumps({"step": "time"}) + "\\n")
    ms = job["repeats"]
    facts = job["facts"] | {"load_ms": 7.0, "predict_ms": [ms, ms]}
    file.write(json.dumps({"part": "on_device", "content": facts}) + "\\n")
if job["trace"]:
    pathlib.Path(job["trace"]).mkdir()
"""
LAST_WORD = """
with events.open("a") as file:
    file.write('{"end": true}\\n')
"""


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def answered(
        before: Record, options: DeviceOptions | None = None, child: str = CHILD + LAST_WORD
    ) -> Record:
        supervisor = Supervisor({"PATH": "/usr/bin:/bin"}, ProcessLimits(600), child=("-c", child))
        return measure_on_devices(
            before, tmp_path, ["digits"], [PHONE], options or DeviceOptions(), supervisor
        )

    return answered


def stored() -> Record:
    small = model_record(name="small", package=package(path="models/digits/variants/small/package.mlpackage"))
    return record(model_record(variants=(small,)), model_record(name="other"))


def test_a_model_and_its_variants_get_their_answers_and_the_others_are_left_alone(
    ask: Ask, tmp_path: Path
) -> None:
    asked = ask(stored(), DeviceOptions(repeats=9))

    digits, other = asked.models
    (facts,) = digits.on_device
    assert (facts.device, facts.product, facts.units) == ("iPhone 12", "iPhone13,2", "ALL")
    assert (facts.load_ms, facts.predict_ms, facts.ending) == (7.0, (9.0, 9.0), None)
    assert [each.device for each in digits.variants[0].on_device] == ["iPhone 12"]
    assert other.on_device == ()
    written = (tmp_path / "record.json").read_text()
    assert read_record(tmp_path / "record.json") == asked
    assert PHONE.udid not in written


def test_another_hardware_is_added_and_the_same_replaces_the_old_answer(ask: Ask) -> None:
    once = ask(stored(), DeviceOptions(repeats=9))
    twice = ask(ask(once, DeviceOptions(units="CPU_ONLY")), DeviceOptions(repeats=3))
    facts = twice.models[0].on_device
    assert [(each.units, each.predict_ms[0]) for each in facts] == [("CPU_ONLY", 20.0), ("ALL", 3.0)]


def test_a_trace_is_kept_beside_the_package(ask: Ask, tmp_path: Path) -> None:
    (facts,) = ask(stored(), DeviceOptions(trace=True)).models[0].on_device
    assert facts.trace == "packages/on-device/iPhone13-2-ALL/core-ml.trace"
    assert (tmp_path / facts.trace).is_dir()


@pytest.mark.parametrize(
    ("interface", "reason"),
    [
        ({"inputs": (feature(kind="image"),)}, "input `image` is an image"),
        ({"states": (feature(name="cache", kind="state"),)}, "`cache` is a state"),
    ],
)
def test_what_coremltools_cannot_hand_over_is_not_tried(
    ask: Ask, interface: dict[str, object], reason: str
) -> None:
    (facts,) = ask(record(model_record(package=package(**interface)))).models[0].on_device
    assert reason in facts.skipped
    assert facts.predict_ms == ()


def test_a_child_that_dies_is_an_ending_with_its_phase(ask: Ask) -> None:
    (facts,) = ask(record(model_record()), child=CHILD + "import os; os.abort()").models[0].on_device
    assert isinstance(facts, DeviceFacts)
    assert facts.ending is not None
    assert (facts.ending.how, facts.ending.phase) == ("crashed", "time")
    assert facts.load_ms == 7.0


NAMED = (
    CHILD
    + """
import os
udid = os.environ["COREML_GATE_DEVICE_UDID"]
print(f"Setting up 'Julia's iPhone' for model debugging. {udid}", flush=True)
(pathlib.Path(job["app_folder"]) / udid).mkdir()
(pathlib.Path(job["folder"]) / "app.txt").write_text(job["app_folder"].replace(udid, ""))
raise SystemExit(65)
"""
)


def test_neither_the_udid_nor_the_owners_name_is_left_in_what_may_become_an_artifact(
    ask: Ask, tmp_path: Path
) -> None:
    (facts,) = ask(record(model_record()), DeviceOptions(trace=True), NAMED).models[0].on_device
    assert facts.ending is not None
    assert facts.ending.log_tail == ("Setting up the device. UDID",)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"record.json", "job.json", "app.txt"}
    for word in (PHONE.udid, "Julia"):
        assert not [path for path in tmp_path.rglob("*") if word in path.name]
        assert not [path for path in files if word in path.read_text()]
    (app,) = tmp_path.rglob("app.txt")
    assert not Path(app.read_text()).exists()
    assert not Path(app.read_text()).is_relative_to(tmp_path), "a run that is killed leaves it"


def test_the_app_is_built_where_no_path_has_a_blank(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """coremltools builds under a shell and does not quote its paths."""
    usual = tmp_path / "my temporary files"
    usual.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(usual))
    ask(record(model_record()), child=NAMED)
    (app,) = tmp_path.rglob("app.txt")
    assert " " not in app.read_text()


@pytest.mark.parametrize(
    ("platform", "environment", "message"),
    [
        ("linux", {}, "a connected device needs a Mac, but this is linux"),
        ("darwin", {"RUNNER_ENVIRONMENT": "github-hosted"}, "own runners have no device"),
        ("darwin", {"PATH": "/nowhere"}, "`devicectl` is not on PATH"),
    ],
)
def test_where_no_device_can_be_the_way_out_is_told(
    platform: str, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(DeviceError, match=message) as raised:
        require_a_mac(platform, environment)
    assert raised.value.exit_code == 22
    assert raised.value.hint
