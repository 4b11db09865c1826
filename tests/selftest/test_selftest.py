"""The command on a setup that guards, and on one whose limits let a fault pass, with real children."""

from io import StringIO
from pathlib import Path

import pytest

from coreml_gate.cli import main
from coreml_gate.selftest.faults import Fault
from coreml_gate.selftest.trial import _compared
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from coreml_gate.verdict import Status, Verdict
from tests.builders import finding, model_verdict, verdict
from tests.reliability import tried
from tests.warm import ENVIRONMENT, WARM

NET = """
import torch


def build():
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5)
    return torch.nn.Sequential(*layers)


def samples():
    torch.manual_seed(1)
    return [torch.randn(1, 3, 8, 8) for _ in range(2)]
"""
CONFIG = '[[model]]\nname = "net"\nsource = "net.py:build"\nsamples = "net.py:samples"\n'


def selftest(root: Path, limits: str = "") -> tuple[int, dict[str, str]]:
    """The exit code, and the outcome of each fault."""
    (root / "coreml-gate.toml").write_text(CONFIG + limits)
    (root / "net.py").write_text(NET)
    out = Screen(StringIO(), width=1_000)
    around = Surroundings(root, ENVIRONMENT, out, out, WARM)
    code = main(("selftest", "--core-ml", "off"), around)
    assert isinstance(out.file, StringIO)
    rows = [line.split("  ", 1) for line in out.file.getvalue().splitlines() if "  " in line]
    return code, {words.strip().partition(":")[0]: outcome for outcome, words in rows}


@pytest.mark.slow
@pytest.mark.attack("self-test")
def test_a_guarded_setup_turns_red_for_every_fault(tmp_path: Path) -> None:
    code, outcomes = selftest(tmp_path)
    tried(len(outcomes))
    assert outcomes == {
        "a wrong operation": "caught",
        "an FP16 overflow": "caught",
        "a larger package": "caught",
        "a child that exits with 0": "caught",
        "a slower package": "unknown",
        "a Record that lost its package": "caught",
        "a baseline that is missing": "caught",
    }
    assert code == 0


@pytest.mark.slow
@pytest.mark.attack("self-test")
def test_a_limit_that_lets_a_fault_pass_is_found_out(tmp_path: Path) -> None:
    lax = "[model.limits]\nsize = { max-mb = false, max-ratio = false }\n"
    code, outcomes = selftest(tmp_path, lax)
    tried(len(outcomes))
    assert [name for name, outcome in outcomes.items() if outcome == "not caught"] == ["a larger package"]
    assert code == 1


def test_a_setup_that_does_not_work_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "coreml-gate.toml").write_text(CONFIG.replace("net.py:build", "gone.py:build"))
    err = Screen(StringIO(), width=1_000)
    assert main(("selftest",), Surroundings(tmp_path, ENVIRONMENT, err, err, WARM)) == 5
    assert isinstance(err.file, StringIO)
    assert "model `net` cannot be measured as it is: file `gone.py` does not exist" in err.file.getvalue()


def after(check: str, status: Status) -> Verdict:
    return verdict(model_verdict(finding(check=check, status=status)))


@pytest.mark.parametrize(
    ("sound", "faulty", "outcome"),
    [
        (verdict(), after("parity", Status.FAIL), "caught"),
        (verdict(), after("parity", Status.PASS), "not caught"),
        (verdict(), after("parity", Status.UNSURE), "not caught"),
        (verdict(), after("size", Status.FAIL), "not caught"),
        (after("parity", Status.FAIL), after("parity", Status.FAIL), "unknown"),
    ],
)
def test_only_the_right_check_counts(sound: Verdict, faulty: Verdict, outcome: str) -> None:
    fault = Fault("a wrong operation", lambda given: given.model, ("parity",))
    assert _compared(fault, sound, faulty).outcome == outcome
