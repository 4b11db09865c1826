"""The table of iPhones and iPads with their memory, chips and systems, and the source of each figure."""

from coreml_gate.devices.table import (
    SEEN,
    SEEN_BY_PRODUCTS,
    Chip,
    Device,
    devices,
    least_seconds,
    similar,
    that_run,
)

__all__ = ["SEEN", "SEEN_BY_PRODUCTS", "Chip", "Device", "devices", "least_seconds", "similar", "that_run"]
