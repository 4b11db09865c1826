"""The name of a Record's file, for code that must not pay for importing ``record``."""

from typing import Final

RECORD_NAME: Final = "record.json"
