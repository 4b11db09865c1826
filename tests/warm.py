"""One server for all tests of a session that start children and do not test how these start."""

import os
from typing import Final

from coreml_gate.children.variables import OF_ONE_CHILD
from coreml_gate.children.warm import WarmChildren
from coreml_gate.credentials import without_credentials
from coreml_gate.worker.libraries import LIBRARIES

ENVIRONMENT: Final = {**os.environ, "OMP_NUM_THREADS": "1"}
"""What its children are given; whatever a test gives other than that starts afresh."""
_OF_ONE_TEST: Final = frozenset({"PYTEST_CURRENT_TEST"})
WARM: Final = WarmChildren(
    LIBRARIES, of_one_child=OF_ONE_CHILD | _OF_ONE_TEST, environment=without_credentials(ENVIRONMENT)
)
