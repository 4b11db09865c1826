"""Results of a connected iPhone or iPad, as stored in a Record, without anything about its owner."""

from typing import ClassVar

from pydantic import NonNegativeFloat

from coreml_gate.record.base import Part
from coreml_gate.record.comparison import Comparison
from coreml_gate.record.core_ml import ChildEnding, ComputeUnits


class DeviceFacts(Part):
    """One package on one model of device."""

    FIELD: ClassVar[str] = "on_device"

    device: str
    """The name in the table of devices, else Apple's."""
    product: str
    """``iPhone15,2``."""
    system: str
    """``iOS 18.1 (22B83)``."""
    units: ComputeUnits
    package: str
    """Fingerprint of the package."""
    ending: ChildEnding | None = None
    """``None`` if it ended normally."""
    skipped: str = ""
    """Why it did not run on the device; empty if it did."""
    against_source: tuple[Comparison, ...] = ()
    against_runtime: tuple[Comparison, ...] = ()
    """Our runtime in fp16 mode against the device."""
    load_ms: NonNegativeFloat | None = None
    predict_ms: tuple[NonNegativeFloat, ...] = ()
    """Times of consecutive warm predictions of the first sample, measured by the device."""
    trace: str = ""
    """Path of the Instruments trace, relative to the Record's folder."""
