"""Asks a connected device about the packages of a stored Record, and puts the answers into it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from coreml_gate.engines.devicectl import Connected
from coreml_gate.frozen import changed
from coreml_gate.gate.collect import RECORD_NAME
from coreml_gate.record import ComputeUnits, DeviceFacts, ModelRecord, PackageFacts, Record, write_record
from coreml_gate.worker.core_ml import ChildSurroundings, run_job
from coreml_gate.worker.core_ml_job import PackageAsked
from coreml_gate.worker.device_job import DeviceJob
from coreml_gate.worker.expected import NAME as EXPECTED_NAME

FOLDER: Final = "on-device"
CHILD: Final = ("-P", "-m", "coreml_gate.worker.device_child")
_ONLY_ARRAYS: Final = "coremltools runs packages on a device that take arrays and keep no state"


@dataclass(frozen=True)
class Wanted:
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
    wanted: Wanted,
    around: ChildSurroundings,
) -> Record:
    """The Record with each named model's package, and its variants', on each device; written in its place."""
    bench = _Bench(folder, wanted, replace(around, child=CHILD))
    models = tuple(bench.asked(model, connected) if model.name in names else model for model in record.models)
    asked = changed(record, models=models)
    write_record(asked, folder / RECORD_NAME)
    return asked


@dataclass(frozen=True)
class _Bench:
    folder: Path
    wanted: Wanted
    around: ChildSurroundings

    def asked(self, model: ModelRecord, connected: Sequence[Connected]) -> ModelRecord:
        """Answers of an earlier day stay, unless the same device and hardware was asked again."""
        fresh = tuple(self._answers(model, connected))
        again = {(each.device, each.units) for each in fresh}
        kept = tuple(each for each in model.on_device if (each.device, each.units) not in again)
        variants = tuple(self.asked(variant, connected) for variant in model.variants)
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
            units=self.wanted.units,
            package=package.fingerprint,
            skipped=_unfit(package),
        )
        if facts.skipped:
            return facts
        job = self._job(device, package, names)
        parts, ending = run_job(job, self.around)
        trace = "" if job.trace is None or not job.trace.exists() else self._relative(job.trace)
        return DeviceFacts.model_validate({**facts.model_dump(), **parts, "ending": ending, "trace": trace})

    def _job(self, device: Connected, package: PackageFacts, names: tuple[str, ...]) -> DeviceJob:
        root, wanted = self.folder.resolve(), self.wanted
        home = (root / package.path).parent
        folder = home / FOLDER / f"{device.product.replace(',', '-')}-{wanted.units}"
        expected = home / EXPECTED_NAME
        return DeviceJob(
            kind="predict",
            folder=folder,
            package=PackageAsked(
                path=root / package.path,
                inputs=package.inputs,
                outputs=package.outputs,
                output_names=names if len(names) == len(package.outputs) else (),
            ),
            units=wanted.units,
            expected=expected if expected.exists() else None,
            udid=device.udid,
            app_folder=root / FOLDER,
            team=wanted.team,
            profile=wanted.profile,
            bundle=wanted.bundle,
            repeats=wanted.repeats,
            trace=folder / "core-ml.trace" if wanted.trace else None,
        )

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.folder.resolve()).as_posix()


def _unfit(package: PackageFacts) -> str:
    """Why coremltools cannot run the package on a device; empty when it can."""
    unfit = [f"input `{feature.name}` is an image" for feature in package.inputs if feature.kind == "image"]
    unfit += [f"`{feature.name}` is a state" for feature in package.states]
    return f"{_ONLY_ARRAYS}: {unfit[0]}." if unfit else ""
