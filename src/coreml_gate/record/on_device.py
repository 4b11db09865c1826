"""What a connected iPhone or iPad answered, as a Record holds it: never whose it is."""

from typing import ClassVar

from pydantic import NonNegativeFloat

from coreml_gate.record.base import Part
from coreml_gate.record.comparison import Comparison
from coreml_gate.record.core_ml import ChildEnding, ComputeUnits


class DeviceFacts(Part):
    """One package on one model of device."""

    FIELD: ClassVar[str] = "on_device"

    device: str
    """The name in the table of devices; Apple's own name where the table does not have it."""
    product: str
    """``iPhone15,2``."""
    system: str
    """``iOS 18.1 (22B83)``."""
    units: ComputeUnits
    package: str
    """Fingerprint of the package."""
    ending: ChildEnding | None = None
    """``None`` when everything was done."""
    skipped: str = ""
    """Why it did not run on the device; empty when it did."""
    against_source: tuple[Comparison, ...] = ()
    against_runtime: tuple[Comparison, ...] = ()
    """Our runtime in fp16 mode against the device."""
    load_ms: NonNegativeFloat | None = None
    predict_ms: tuple[NonNegativeFloat, ...] = ()
    """Predictions of the first sample, one after another, as the device measured them; all are warm."""
    trace: str = ""
    """The Instruments trace, relative to the Record's folder."""
