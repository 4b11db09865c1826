"""Is the machine described by what the system says, and left open where it says nothing?"""

import sys
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from coreml_gate.engines import machine
from coreml_gate.engines.machine import describe_machine, power_state, tool_output

ANSWERS = {
    "machdep.cpu.brand_string": "Apple M1 (Virtual)",
    "hw.model": "VirtualMac2,1",
    "hw.memsize": "7516192768",
    "kern.hv_vmm_present": "1",
    "-productVersion": "15.5",
    "-buildVersion": "24F74",
}


def test_a_hosted_runner_is_recognised() -> None:
    described = describe_machine(lambda command: ANSWERS[command[-1]])
    assert (described.chip, described.model) == ("Apple M1 (Virtual)", "VirtualMac2,1")
    assert described.system == "macOS 15.5 (24F74)"
    assert described.memory_bytes == 7 * 2**30
    assert described.virtual is True
    assert described.stand_in == ""


def test_a_system_that_does_not_tell_is_unknown() -> None:
    def silent(_: Sequence[str]) -> str:
        return ""

    described = describe_machine(silent, stand_in="coreml-gate stand-in")
    assert (described.chip, described.system, described.memory_bytes) == ("unknown", "unknown", 0)
    assert described.virtual is None
    assert described.stand_in == "coreml-gate stand-in"


def test_a_command_that_is_missing_or_fails_says_nothing() -> None:
    assert tool_output(["no-such-command-anywhere"]) == ""
    assert tool_output([sys.executable, "-c", "print('no'); raise SystemExit(3)"]) == ""
    assert tool_output([sys.executable, "-c", "print(' yes ')"]) == "yes"


def test_off_a_mac_the_thermal_state_is_unknown() -> None:
    assert power_state() == ("unknown", None)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [((0, False), ("nominal", False)), ((3, True), ("critical", True)), ((9, False), ("unknown", False))],
)
def test_the_state_is_asked_of_nsprocessinfo_by_its_documented_selectors(
    monkeypatch: pytest.MonkeyPatch, raw: tuple[int, bool], expected: tuple[str, bool]
) -> None:
    answers = {b"processInfo": 7, b"thermalState": raw[0], b"isLowPowerModeEnabled": raw[1]}
    asked: list[tuple[object, bytes]] = []

    def send(_: object, receiver: object, selector: bytes, __: object) -> object:
        asked.append((receiver, selector))
        return answers[selector]

    monkeypatch.setattr(machine, "_objective_c", lambda: SimpleNamespace(objc_getClass=lambda name: name))
    monkeypatch.setattr(machine, "_send", send)
    assert power_state() == expected
    assert asked == [(b"NSProcessInfo", b"processInfo"), (7, b"thermalState"), (7, b"isLowPowerModeEnabled")]
