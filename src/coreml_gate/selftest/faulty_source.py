"""A faulty source for the configuration: ``coreml_gate.selftest.faulty_source:leave``."""

import os
from typing import NoReturn


def leave() -> NoReturn:
    """End the process with 0, as a native library might, with nothing measured and nothing failed."""
    os._exit(0)
