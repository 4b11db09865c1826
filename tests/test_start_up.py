"""What each command imports before it does anything: a library that it does not need costs every start.

The times themselves come from `benchmarks/plan/bench.py` and `-X importtime`; what costs them is listed here.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import LAYERS

LIBRARIES = frozenset(
    {"torch", "coremltools", "numpy", "pydantic", "jinja2", "psutil", "scipy", "google", "rich"}
)
"""What costs a tenth of a second or more, and rich, which every command prints with."""
SHOWS = frozenset({"rich"})
READS = SHOWS | {"pydantic"}
REPORTS = READS | {"jinja2"}
NEVER_TO_PLAN = frozenset({"record", "verdict", "checks", "runtime", "measurements", "engines", "conversion"})
"""Layers of which a plan needs nothing."""
SCRIPT = """
import contextlib, io, sys
from coreml_gate.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(sys.stdout):
    with contextlib.suppress(SystemExit):
        main(sys.argv[1:])
print(*sys.modules, file=sys.__stdout__)
"""


def loaded(folder: Path, *arguments: str) -> set[str]:
    """The modules that are loaded when that command has ended."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ("--help", SHOWS),
        ("--version", SHOWS),
        ("devices", SHOWS),
        ("plan", READS),
        ("judge .coreml-gate", REPORTS),
        ("report report.json", REPORTS),
        ("explain precision", REPORTS),
        ("rules", READS | {"numpy"}),
        ("run --help", REPORTS | {"numpy", "psutil"}),
    ],
)
def test_a_command_loads_no_library_that_it_does_not_need(
    tmp_path: Path, arguments: str, allowed: frozenset[str]
) -> None:
    (tmp_path / "coreml-gate.toml").write_text('[[model]]\nname = "net"\nsource = "net.py:build"\n')
    (tmp_path / "net.py").write_text("")
    modules = loaded(tmp_path, *arguments.split())
    assert allowed != SHOWS or "coreml_gate.gate" not in modules
    assert LIBRARIES & {module.partition(".")[0] for module in modules} <= allowed


def test_a_plan_loads_nothing_of_measuring_and_judging(tmp_path: Path) -> None:
    (tmp_path / "coreml-gate.toml").write_text('[[model]]\nname = "net"\nsource = "net.py:build"\n')
    (tmp_path / "net.py").write_text("")
    layers = {module.split(".")[1] for module in loaded(tmp_path, "plan") if module[:12] == "coreml_gate."}
    assert set(LAYERS) >= NEVER_TO_PLAN
    assert "gate" in layers
    assert layers & NEVER_TO_PLAN == set()
