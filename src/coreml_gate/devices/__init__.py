"""Which iPhones and iPads there are, and what each of them can give an app: a table with its sources."""

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
