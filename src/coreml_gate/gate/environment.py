"""With which versions was a Record measured: those that are installed here."""

import platform
from importlib.metadata import version

from coreml_gate.record import Environment
from coreml_gate.version import __version__


def environment_of_this_machine() -> Environment:
    """Which versions are installed, read without importing any of them."""
    return Environment(
        coreml_gate=__version__,
        coremltools=version("coremltools"),
        torch=version("torch").partition("+")[
            0
        ],  # `+cpu` names the build: a Mac has the same torch without it
        numpy=version("numpy"),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
    )
