"""Environment variables that the gate sets for a single child; no library reads them on import."""

from typing import Final

MARK: Final = "COREML_GATE_CHILD"
"""Its value identifies a child and everything that it starts, in any session."""
LIFELINE: Final = "COREML_GATE_LIFELINE"
"""Names the reading end of the gate's pipe to the keeper."""
UDID: Final = "COREML_GATE_DEVICE_UDID"
"""Names the device to the child. A job's file may become an artifact, and a UDID identifies an owner."""
HOME: Final = "CFFIXED_USER_HOME"
"""Foundation's variable that moves Core ML's caches; ``HOME`` and ``TMPDIR`` do not."""
TEMPORARY_FILES: Final = "TMPDIR"
"""The exception: libraries may read it on import for a temporary file, but Python forgets the value."""
OF_ONE_CHILD: Final = frozenset({MARK, LIFELINE, UDID, HOME, TEMPORARY_FILES})
