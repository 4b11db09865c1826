"""Asks a connected device about the packages of a stored Record, and puts the answers into it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coreml_gate.children.job import DeviceJob, PackageAsked
from coreml_gate.children.reference_data import REFERENCE_FILE
from coreml_gate.engines.devicectl import Connected
from coreml_gate.frozen import changed
from coreml_gate.gate.collect import RECORD_NAME
from coreml_gate.record import ComputeUnits, DeviceFacts, ModelRecord, PackageFacts, Record, write_record
from coreml_gate.worker.supervisor import Supervisor

FOLDER: Final = "on-device"
_KNOWN: Final = {"device", "product", "system", "units", "package"}
"""What is known before the child runs, and stays as it is."""
_ONLY_ARRAYS: Final = "coremltools runs packages on a device that take arrays and keep no state"


@dataclass(frozen=True)
class DeviceOptions:
    """How the packages are asked for."""

    units: ComputeUnits = "ALL"
    repeats: int = 20
    team: str = ""
    profile: str | None = None
    bundle: str | None = None
    trace: bool = False


def ask_devices(
    record: Record,
    folder: Path,
    names: Sequence[str],
    connected: Sequence[Connected],
    options: DeviceOptions,
    supervisor: Supervisor,
) -> Record:
    """The Record with each named model's package, and its variants', on each device; written in its place."""
    measurer = _Measurer(folder, options, supervisor)
    models = tuple(
        measurer.measured(model, connected) if model.name in names else model for model in record.models
    )
    asked = changed(record, models=models)
    write_record(asked, folder / RECORD_NAME)
    return asked


@dataclass(frozen=True)
class _Measurer:
    folder: Path
    options: DeviceOptions
    supervisor: Supervisor

    def measured(self, model: ModelRecord, connected: Sequence[Connected]) -> ModelRecord:
        """Answers of an earlier day stay, unless the same device and hardware was asked again."""
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
        report = self.supervisor.run(job)
        found = report.events.parts.get(DeviceFacts) or facts
        trace = "" if job.trace is None or not job.trace.exists() else self._relative(job.trace)
        return changed(found, **facts.model_dump(include=_KNOWN), ending=report.failure, trace=trace)

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
            package=PackageAsked.of(package, root, names),
            reference=reference if reference.exists() else None,
            udid=device.udid,
            app_folder=root / FOLDER,
            team=options.team,
            profile=options.profile,
            bundle=options.bundle,
            repeats=options.repeats,
            trace=folder / "core-ml.trace" if options.trace else None,
        )

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.folder.resolve()).as_posix()


def _unfit(package: PackageFacts) -> str:
    """Why coremltools cannot run the package on a device; empty when it can."""
    unfit = [f"input `{feature.name}` is an image" for feature in package.inputs if feature.kind == "image"]
    unfit += [f"`{feature.name}` is a state" for feature in package.states]
    return f"{_ONLY_ARRAYS}: {unfit[0]}." if unfit else ""
