"""Which iPhones and iPads there are, and what each of them can give an app: a table with its sources."""

from coreml_gate.devices.table import Chip, Device, devices, similar, that_run

__all__ = ["Chip", "Device", "devices", "similar", "that_run"]
