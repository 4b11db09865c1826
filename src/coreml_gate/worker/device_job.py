"""What the parent asks of a child that talks to a connected device, as the one file that both read."""

from pathlib import Path

from coreml_gate.worker.core_ml_job import CoreMlJob


class DeviceJob(CoreMlJob):
    """One package to be predicted and timed on one connected device."""

    udid: str
    app_folder: Path
    """Takes coremltools' ModelRunner app, which is built once for all models."""
    team: str = ""
    profile: str | None = None
    bundle: str | None = None
    repeats: int = 20
    trace: Path | None = None
    """Where an Instruments trace goes, if one is wanted."""
