"""Is the machine described by what the system says, and left open where it says nothing?"""

import sys
from collections.abc import Sequence

import pytest

from coreml_gate.engines.machine import ask_system, describe_machine, power_state

ANSWERS = {
    "machdep.cpu.brand_string": "Apple M1 (Virtual)",
    "hw.model": "VirtualMac2,1",
    "hw.memsize": "7516192768",
    "kern.hv_vmm_present": "1",
    "-productVersion": "15.5",
    "-buildVersion": "24F74",
}


def test_a_hosted_runner_is_recognised() -> None:
    machine = describe_machine(lambda command: ANSWERS[command[-1]])
    assert (machine.chip, machine.model) == ("Apple M1 (Virtual)", "VirtualMac2,1")
    assert machine.system == "macOS 15.5 (24F74)"
    assert machine.memory_bytes == 7 * 2**30
    assert machine.virtual is True
    assert machine.stand_in == ""


def test_a_system_that_does_not_tell_is_unknown() -> None:
    def silent(_: Sequence[str]) -> str:
        return ""

    machine = describe_machine(silent, stand_in="coreml-gate stand-in")
    assert (machine.chip, machine.system, machine.memory_bytes) == ("unknown", "unknown", 0)
    assert machine.virtual is None
    assert machine.stand_in == "coreml-gate stand-in"


def test_a_command_that_is_missing_or_fails_says_nothing() -> None:
    assert ask_system(["no-such-command-anywhere"]) == ""
    assert ask_system([sys.executable, "-c", "print('no'); raise SystemExit(3)"]) == ""
    assert ask_system([sys.executable, "-c", "print(' yes ')"]) == "yes"


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac knows its state")
def test_off_a_mac_the_thermal_state_is_unknown() -> None:
    assert power_state() == ("unknown", None)
