"""The environment variables that the gate sets for a single child; no library reads them on import."""

from typing import Final

MARK: Final = "COREML_GATE_CHILD"
"""By its value a child and everything that it starts is known, in whatever session it runs."""
LIFELINE: Final = "COREML_GATE_LIFELINE"
"""Names the reading end of the gate's pipe to the keeper."""
UDID: Final = "COREML_GATE_DEVICE_UDID"
"""Names the device to the child. A job's file may become an artifact, and a UDID identifies an owner."""
HOME: Final = "CFFIXED_USER_HOME"
"""Foundation's own: it moves Core ML's caches, which ``HOME`` and ``TMPDIR`` do not."""
TEMPORARY_FILES: Final = "TMPDIR"
"""Libraries that make a temporary file while they are imported are the exception: Python forgets it again."""
OF_ONE_CHILD: Final = frozenset({MARK, LIFELINE, UDID, HOME, TEMPORARY_FILES})
