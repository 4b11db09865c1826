"""The versions that a Record is measured with: those installed here."""

import platform
from importlib.metadata import version

from coreml_gate.record import Environment
from coreml_gate.version import __version__


def environment_of_this_machine() -> Environment:
    """The installed versions, read without importing any of the packages.

    The suffix of ``2.13.0+cpu`` is left out: it names a build, and a Mac has the same torch without it.
    """
    return Environment(
        coreml_gate=__version__,
        coremltools=version("coremltools"),
        torch=version("torch").partition("+")[0],
        numpy=version("numpy"),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
    )
