"""Everything that is asked of a device, through a registry in the place of coremltools' own.

The fake device answers with our runtime; the signature tests hold every call against coremltools' classes.
"""

import asyncio
import inspect
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.models.ml_program.experimental.async_wrapper import (
    MLModelAsyncWrapper,
    RemoteMLModelAsyncWrapper,
)
from coremltools.models.ml_program.experimental.remote_device import (
    AppSigningCredentials,
    Device,
)

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import DescribedPackage, DeviceJob, ModelJob
from coreml_gate.children.reference_data import REFERENCE_FILE, ReferenceSample, write_reference_data
from coreml_gate.engines.remote_device import COREMLTOOLS, Registry, Signing
from coreml_gate.errors import DeviceError
from coreml_gate.measurements.device import measure
from coreml_gate.measurements.trial_programs import write_functions
from coreml_gate.mil.package import read_package
from coreml_gate.package_facts.description import package_facts
from coreml_gate.record import DeviceFacts
from coreml_gate.runtime import load
from tests.engines.phone import UDID, phone
from tests.reported import measured, psnrs, reported

FACTS = DeviceFacts(
    device="iPhone 12", product="iPhone13,2", system="iOS 18.1 (22B83)", units="CPU_AND_NE", package="0a"
)


class Phone:
    """A model on a device that is our runtime, in coremltools' asynchronous form."""

    def __init__(self, package: str, function: str | None, gain: float) -> None:
        self.model = load(read_package(Path(package)), function, mode="fp16")
        self.gain = gain
        self.calls: list[str] = []
        self.load_duration_in_nano_seconds = 7_500_000
        self.last_predict_duration_in_nano_seconds: int | None = None

    async def load(self) -> None:
        self.calls.append("load")

    async def predict(self, inputs: Mapping[str, Any], state: None = None) -> dict[str, Any]:
        self.calls.append("predict")
        self.last_predict_duration_in_nano_seconds = 1_000_000 * self.calls.count("predict")
        return {name: self.gain * value for name, value in self.model.predict(dict(inputs)).items()}

    async def unload(self) -> None:
        self.calls.append("unload")


@dataclass
class Shelf:
    """A registry with one connected iPhone; notes how it was asked."""

    gain: float = 1.0
    phones: list[Phone] = field(default_factory=list)
    prepared: list[dict[str, Any]] = field(default_factory=list)
    opened: list[dict[str, Any]] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)

    def registry(self) -> Registry:
        return Registry(lambda: [phone()], self._prepare, self._open, self.woken.append)

    async def _prepare(self, device: Device, **how: Any) -> Device:
        self.prepared.append(how)
        return device

    def _open(self, **how: Any) -> Phone:
        self.opened.append(how)
        self.phones.append(Phone(how["spec_or_path"], how["function_name"], self.gain))
        return self.phones[-1]


@pytest.fixture
def device_job(job_of: Callable[..., ModelJob], tmp_path: Path) -> Callable[..., DeviceJob]:
    def make(**options: Any) -> DeviceJob:
        job = job_of(adversarial=False)
        package = measured(job).package
        assert package is not None
        folder = tmp_path / "device"
        folder.mkdir()
        defaults: dict[str, Any] = {
            "folder": folder,
            "facts": FACTS,
            "package": DescribedPackage.of(package, job.record_folder, ("scores",)),
            "reference": job.folder / REFERENCE_FILE,
            "app_folder": tmp_path / "app",
            "team": "TEAM",
            "repeats": 4,
        }
        return DeviceJob(**(defaults | options))

    return make


def asked(
    job: DeviceJob, registry: Registry, start: Callable[[Sequence[str]], Any] = print, udid: str = UDID
) -> DeviceFacts:
    events = reported(job, lambda: asyncio.run(measure(job, EventLog(job.folder), udid, registry, start)))
    found = events.parts.get(DeviceFacts)
    assert found is not None
    return found


def test_a_device_predicts_every_sample_and_is_timed_by_its_own_clock(
    device_job: Callable[..., DeviceJob],
) -> None:
    shelf = Shelf()
    facts = asked(device_job(), shelf.registry())

    assert (facts.device, facts.units) == ("iPhone 12", "CPU_AND_NE")
    assert facts.load_ms == 7.5
    assert facts.predict_ms == (4.0, 5.0, 6.0, 7.0)  # three samples came before
    assert [item.output for item in facts.against_source] == ["scores"] * 3
    assert psnrs(facts.against_source)[0] > 40
    assert [item.max_abs_error for item in facts.against_runtime] == [0] * 3
    assert shelf.phones[0].calls == ["load", *["predict"] * 7, "unload"]
    assert shelf.opened[0]["compute_units"] is ct.ComputeUnit.CPU_AND_NE
    assert shelf.woken == [UDID]
    assert shelf.prepared[0]["credentials"] == AppSigningCredentials(development_team="TEAM")


def test_a_device_that_computes_something_else_is_seen(device_job: Callable[..., DeviceJob]) -> None:
    facts = asked(device_job(), Shelf(gain=1.5).registry())
    assert psnrs(facts.against_source)[1] < 20


def test_the_chosen_function_of_a_package_is_the_one_that_the_device_runs(
    device_job: Callable[..., DeviceJob], tmp_path: Path
) -> None:
    write_functions(tmp_path)
    triple = read_package(tmp_path / "functions.mlpackage").choosing("triple")
    sample = np.ones((1, 8, 16, 16), np.float32)
    reference = tmp_path / "functions.npz"
    write_reference_data(reference, [ReferenceSample({"x": sample}, {"y": 3 * sample}, {})])
    package = DescribedPackage.of(package_facts(triple, "functions.mlpackage"), tmp_path)
    shelf = Shelf()

    facts = asked(device_job(package=package, reference=reference), shelf.registry())

    assert shelf.opened[0]["function_name"] == "triple"
    assert [item.max_abs_error for item in facts.against_source] == [0]


def test_a_device_that_is_gone_is_an_error_before_anything_is_built(
    device_job: Callable[..., DeviceJob],
) -> None:
    job = device_job()
    shelf = Shelf()
    with pytest.raises(DeviceError, match="does not see the device any more"):
        asked(job, shelf.registry(), udid="another")
    assert shelf.prepared == []


def test_a_trace_is_recorded_while_the_device_is_timed_and_then_saved(
    device_job: Callable[..., DeviceJob], tmp_path: Path
) -> None:
    events: list[object] = []

    class Recorder:
        def __init__(self, command: Sequence[str]) -> None:
            events.append(command[2])

        def send_signal(self, number: int) -> None:
            events.append(number)

        def wait(self, timeout: float) -> None:
            events.append("saved")

    asked(device_job(trace=tmp_path / "core-ml.trace"), Shelf().registry(), Recorder)
    assert events == ["record", signal.SIGINT, "saved"]


def test_every_call_fits_coremltools_own_interface() -> None:
    sample = {"x": np.zeros((1, 4), np.float32)}
    inspect.signature(Device.prepare_for_model_debugging).bind(
        phone(), credentials=Signing("TEAM").credentials(), working_directory=Path(), clean=False
    )
    inspect.signature(MLModelAsyncWrapper.from_spec_or_path).bind(
        spec_or_path="a.mlpackage",
        weights_dir="",
        compute_units=ct.ComputeUnit.ALL,
        function_name="f",
        device=phone(),
    )
    inspect.signature(RemoteMLModelAsyncWrapper.predict).bind(None, inputs=sample)
    inspect.signature(Device.get_devices).bind()
    assert COREMLTOOLS.devices is Device.get_devices
    for method in ("load", "predict", "unload"):
        assert inspect.iscoroutinefunction(getattr(RemoteMLModelAsyncWrapper, method))
    assert inspect.iscoroutinefunction(Device.prepare_for_model_debugging)
    for name in ("load_duration_in_nano_seconds", "last_predict_duration_in_nano_seconds"):
        assert isinstance(getattr(RemoteMLModelAsyncWrapper, name), property)


def test_coremltools_makes_a_remote_model_of_what_we_hand_over() -> None:
    model = COREMLTOOLS.open(
        spec_or_path="a.mlpackage", weights_dir="", compute_units=ct.ComputeUnit.ALL, device=phone()
    )
    assert isinstance(model, RemoteMLModelAsyncWrapper)
    assert model.last_predict_duration_in_nano_seconds is None


def test_credentials_are_coremltools_own_fields() -> None:
    made = Signing(profile="P", bundle="org.example.app").credentials()
    assert (made.provisioning_profile_uuid, made.bundle_identifier) == ("P", "org.example.app")
