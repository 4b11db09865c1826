"""The name of a Record's file, which a plan looks for without reading what a Record is."""

from typing import Final

RECORD_NAME: Final = "record.json"
"""The file in a run's folder."""
