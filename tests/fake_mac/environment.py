"""The environment of a process that believes it runs on a Mac, and what of that is played.

``python -m tests.fake_mac.environment COMMAND ...`` runs a command in it.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.fake_mac.old_tools import BUILT

HERE: Final = Path(__file__).parent
ANSWERS: Final = HERE.parent / "recordings" / "public"


def environment_of(
    folder: Path, around: Mapping[str, str], macos: str = "26.0", played: Path = HERE, answers: Path = ANSWERS
) -> dict[str, str]:
    """``around``, changed: platform names, Core ML's strict stand-in, and the commands that a Mac has.

    Its bash and make are those of a Mac where ``make test-old-tools`` has built them.
    """
    commands = [played / "bin", *([BUILT] if BUILT.exists() else [])]
    path = os.pathsep.join((*map(str, commands), around["PATH"]))
    python_path = os.pathsep.join(filter(None, (str(played / "site"), around.get("PYTHONPATH", ""))))
    return {
        **around,
        "PATH": path,
        "PYTHONPATH": python_path,
        "FAKE_MACOS": macos,
        "FAKE_MAC_ANSWERS": str(answers),
        "FAKE_MAC_LIBRARY": str(library(folder)),
        "FAKE_MAC_STATE": str(folder),
        "OMP_NUM_THREADS": "1",
    }


def environment_of_a_runner(folder: Path, around: Mapping[str, str], python: str) -> dict[str, str]:
    """The same for a runner of the action, in a folder that every user of the machine can enter.

    The action's own environment takes the packages of the tests' Python, and its users are made by ``dscl``.
    """
    played = Path(shutil.copytree(HERE, folder / "played"))
    answers = Path(shutil.copytree(ANSWERS, folder / "answers"))
    environment = environment_of(folder, around, played=played, answers=answers)
    return {
        **environment,
        "PATH": os.pathsep.join((str(played / "runner"), environment["PATH"])),
        "FAKE_MAC_SITE": str(played / "site"),
        "FAKE_MAC_PYTHON": python,
        "FAKE_MAC_PACKAGES": sysconfig.get_path("purelib"),
        "FAKE_MAC_BASH": str(shutil.which("bash", path=environment["PATH"])),
    }


def library(folder: Path) -> Path:
    """The few functions of macOS that we call by ctypes, compiled for this machine."""
    made = folder / "libfakemac.so"
    if not made.exists():
        source = str(HERE / "system.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(made), source], check=True)
    return made


def main() -> int:
    """Run the command of the arguments in the fake; its exit code."""
    with tempfile.TemporaryDirectory(prefix="fake-mac-") as folder:
        environment = environment_of(Path(folder), os.environ)
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
