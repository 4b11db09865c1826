"""Runs the packages of a stored Record on connected devices and adds the results to it."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from coreml_gate.children.job import DescribedPackage, DeviceJob
from coreml_gate.children.reference_data import REFERENCE_FILE
from coreml_gate.children.variables import UDID
from coreml_gate.engines.devicectl import Connected
from coreml_gate.frozen import changed
from coreml_gate.record import (
    RECORD_NAME,
    ChildEnding,
    ComputeUnits,
    DeviceFacts,
    ModelRecord,
    PackageFacts,
    Record,
    write_record,
)
from coreml_gate.worker.supervisor import LOG_FILE, Report, Supervisor

FOLDER: Final = "on-device"
_KNOWN: Final = {"device", "product", "system", "units", "package"}
"""Fields that are known before the child runs and must not be changed by it."""
_OWNERS_NAME: Final = re.compile(r"Setting up '.*' for model debugging")
_ONLY_ARRAYS: Final = "coremltools runs packages on a device that take arrays and keep no state"


@dataclass(frozen=True)
class DeviceOptions:
    """How packages are run on a device."""

    units: ComputeUnits = "ALL"
    repeats: int = 20
    team: str = ""
    profile: str | None = None
    bundle: str | None = None
    trace: bool = False


def measure_on_devices(
    record: Record,
    folder: Path,
    names: Sequence[str],
    connected: Sequence[Connected],
    options: DeviceOptions,
    supervisor: Supervisor,
) -> Record:
    """Run the packages of the named models and their variants on each device, and replace the Record's file.

    coremltools builds its app in a temporary folder, because it names a folder after the UDID and does not
    quote paths with spaces.
    """
    with tempfile.TemporaryDirectory(prefix="coreml-gate-", dir=_folder_without_blanks()) as app_folder:
        measurer = _Measurer(folder, Path(app_folder), options, supervisor)
        models = tuple(
            measurer.measured(model, connected) if model.name in names else model for model in record.models
        )
    measured = changed(record, models=models)
    write_record(measured, folder / RECORD_NAME)
    return measured


@dataclass(frozen=True)
class _Measurer:
    folder: Path
    app_folder: Path
    options: DeviceOptions
    supervisor: Supervisor

    def measured(self, model: ModelRecord, connected: Sequence[Connected]) -> ModelRecord:
        """The model with new results; earlier ones stay unless the same device and compute unit ran again."""
        fresh = tuple(self._answers(model, connected))
        again = {(each.device, each.units) for each in fresh}
        kept = tuple(each for each in model.on_device if (each.device, each.units) not in again)
        variants = tuple(self.measured(variant, connected) for variant in model.variants)
        return changed(model, on_device=(*kept, *fresh), variants=variants)

    def _answers(self, model: ModelRecord, connected: Sequence[Connected]) -> Iterator[DeviceFacts]:
        package = model.package
        if package is not None:
            names = tuple(dict.fromkeys(each.output for each in model.precision))
            yield from (self._on(device, package, names) for device in connected)

    def _on(self, device: Connected, package: PackageFacts, names: tuple[str, ...]) -> DeviceFacts:
        facts = DeviceFacts(
            device=device.name,
            product=device.product,
            system=device.system,
            units=self.options.units,
            package=package.fingerprint,
            skipped=_unfit(package),
        )
        if facts.skipped:
            return facts
        job = self._job(device, package, names, facts)
        report = self._run(job, device.udid)
        found = report.events.parts.get(DeviceFacts) or facts
        trace = "" if job.trace is None or not job.trace.exists() else self._relative(job.trace)
        ending = None if report.failure is None else anonymous(report.failure, device.udid)
        return changed(found, **facts.model_dump(include=_KNOWN), ending=ending, trace=trace)

    def _run(self, job: DeviceJob, udid: str) -> Report:
        """Run the job and delete its log, because the folder may become an artifact."""
        supervisor = replace(self.supervisor, environment={**self.supervisor.environment, UDID: udid})
        try:
            return supervisor.run(job)
        finally:
            (job.folder / LOG_FILE).unlink(missing_ok=True)

    def _job(
        self, device: Connected, package: PackageFacts, names: tuple[str, ...], facts: DeviceFacts
    ) -> DeviceJob:
        root, options = self.folder.resolve(), self.options
        home = (root / package.path).parent
        folder = home / FOLDER / f"{device.product.replace(',', '-')}-{options.units}"
        reference = home / REFERENCE_FILE
        return DeviceJob(
            folder=folder,
            facts=facts,
            package=DescribedPackage.of(package, root, names),
            reference=reference if reference.exists() else None,
            app_folder=self.app_folder,
            team=options.team,
            profile=options.profile,
            bundle=options.bundle,
            repeats=options.repeats,
            trace=folder / "core-ml.trace" if options.trace else None,
        )

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.folder.resolve()).as_posix()


def anonymous(ending: ChildEnding, udid: str) -> ChildEnding:
    """The ending without the UDID and the device's own name, which coremltools prints."""

    def clean(text: str) -> str:
        return _OWNERS_NAME.sub("Setting up the device", text.replace(udid, "UDID"))

    return changed(ending, message=clean(ending.message), log_tail=tuple(map(clean, ending.log_tail)))


def _folder_without_blanks() -> str:
    usual = tempfile.gettempdir()
    return "/tmp" if " " in usual else usual  # noqa: S108 - TemporaryDirectory makes its own folder there


def _unfit(package: PackageFacts) -> str:
    """Why coremltools cannot run the package on a device, or empty."""
    unfit = [f"input `{feature.name}` is an image" for feature in package.inputs if feature.kind == "image"]
    unfit += [f"`{feature.name}` is a state" for feature in package.states]
    return f"{_ONLY_ARRAYS}: {unfit[0]}." if unfit else ""
