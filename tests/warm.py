"""One server for all tests of a session that start children and do not test how these start."""

import os
import sys
from pathlib import Path
from typing import Final

from coreml_gate.children.keeper import MODULE
from coreml_gate.children.process import environment_of_children, kept
from coreml_gate.children.variables import OF_ONE_CHILD
from coreml_gate.children.warm import WarmChildren
from coreml_gate.worker.libraries import LIBRARIES

_MODULES: Final = Path(__file__).parent / "in_children"
ENVIRONMENT: Final = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(_MODULES), *filter(None, [os.environ.get("PYTHONPATH")])]),
}
"""What its children are given; whatever a test gives other than that starts afresh."""
_OF_GIT: Final = frozenset({"GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"})
_OF_ONE_TEST: Final = _OF_GIT | {"PYTEST_CURRENT_TEST", "COREML_GATE_STAND_IN_SCRIPT", "HOME", "USER"}
"""Of a home, torch reads on import only where compiled code would lie, and no test has anything compiled."""
WARM: Final = WarmChildren(
    LIBRARIES, of_one_child=OF_ONE_CHILD | _OF_ONE_TEST, environment=environment_of_children(ENVIRONMENT)
)


def command_of(script: Path) -> tuple[str, ...]:
    """What a supervisor's interpreter runs for that script in the place of the child."""
    return ("-P", "-m", MODULE, "run_script", str(script))


def forked(code: str, folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code of that code in a process of its own, and what it printed."""
    script, printed = folder / "script.py", folder / "printed.txt"
    script.write_text(code)
    command = (sys.executable, *command_of(script), *arguments)
    with printed.open("wb") as output, kept(WARM, command, folder, ENVIRONMENT, output.fileno()) as child:
        return child.wait(600), printed.read_text()
