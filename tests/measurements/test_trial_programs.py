"""Can the oldest macOS load what the doctor makes, except for what came later?"""

from pathlib import Path

import coremltools as ct

from coreml_gate.doctor.toolchain import AVAILABLE_FROM
from coreml_gate.measurements.trial_programs import write_trial_packages

NEWEST_SPECIFICATION = {14: 8, 15: 9}
"""By the release of macOS: iOS17 and iOS18 of coremltools' targets."""


def test_only_states_and_functions_need_a_macos_later_than_14(tmp_path: Path) -> None:
    """All of them were packages of iOS18, and every probe on macOS 14 failed."""
    versions = {
        name: ct.utils.load_spec(str(described.path)).specificationVersion
        for name, described in write_trial_packages(tmp_path).items()
    }
    assert versions == {name: NEWEST_SPECIFICATION[AVAILABLE_FROM.get(name, (14, 0))[0]] for name in versions}
    assert versions["convolution"] < versions["state"]
