"""What does the doctor make of an answer of Core ML, good, bad or missing?"""

import math
from typing import Any

import pytest

from coreml_gate.doctor.models import of_machine, of_plan, of_run, of_timing, too_old
from tests.checks.core_ml import GPU, answer, core_ml, ended, machine, placement, run, timed, timing

MAC = core_ml().machine
VM = machine(virtual=True)


@pytest.mark.parametrize(
    ("given", "on", "outcome", "words"),
    [
        (run(against_source=answer(psnr=None)), MAC, "ok", "Core ML: equal to what is known; compile"),
        (run(against_source=answer(psnr=61.0)), MAC, "ok", "61.0 dB, needed 50"),
        (run(against_source=answer(psnr=12.0)), MAC, "not ok", "12.0 dB, needed 50"),
        (run(against_source=answer(psnr=None, nonfinite_mismatches=3)), MAC, "not ok", "0.0 dB"),
        (run(against_source=()), MAC, "not ok", ""),
        (run(repeated=answer(psnr=30.0)), MAC, "ok", "two runs differ"),
        (
            ended(),
            VM,
            "not ok",
            "Core ML crashed in phase predict (killed by signal 6 (SIGABRT)) | last words",
        ),
        (ended(GPU), VM, "unknown", "crashed"),
        (ended(GPU), MAC, "not ok", "crashed"),
    ],
)
def test_a_prediction(given: Any, on: Any, outcome: str, words: str) -> None:
    found = of_run("state", given, on)
    assert (found.what, found.outcome) == (f"state on {given.units}", outcome)
    assert words in found.text
    assert bool(found.way_out) == (outcome != "ok")


@pytest.mark.parametrize(
    ("given", "outcome", "words"),
    [
        (placement(cost={"NE": 1.0}), "ok", "10 on NE; with costs"),
        (placement(devices={"NE": 4, "unknown": 6}), "unknown", "4 on NE, 6 on unknown; no costs"),
        (placement(devices={}), "unknown", "no operation"),
        (placement(devices={}, ending=ended(phase="plan").ending), "not ok", "crashed in phase plan"),
    ],
)
def test_a_plan(given: Any, outcome: str, words: str) -> None:
    found = of_plan(given)
    assert found.outcome == outcome
    assert words in found.text


@pytest.mark.parametrize(
    ("given", "outcome", "words"),
    [
        (timing(), "ok", "not slower after 60 pairs of 4 ms; this machine sees changes from 0.5 % on"),
        (timing(metrics=(timed(noise=0.5),)), "unknown", "a package against itself is unsure"),
        (timing(metrics=(timed(log_ratio=math.log(1.2)),)), "not ok", "a package against itself is slower"),
        (timing(metrics=(), ending=ended().ending), "not ok", "killed by signal 6 (SIGABRT)"),
    ],
)
def test_times(given: Any, outcome: str, words: str) -> None:
    found = of_timing(given)
    assert found.outcome == outcome
    assert words in found.text


def test_a_machine_whose_state_cannot_be_read_is_said_to_be_so() -> None:
    assert of_machine(MAC, is_mac=True).outcome == "ok"
    assert of_machine(machine(thermal_state="unknown"), is_mac=True).outcome == "unknown"
    assert of_machine(machine(thermal_state="unknown"), is_mac=False).outcome == "unknown"


@pytest.mark.parametrize(
    ("system", "late"),
    [
        ("macOS 26.0 (25A354)", []),
        ("macOS 15.0 (24A335)", []),
        ("macOS 14.5 (23F79)", ["state", "functions"]),
        ("macOS 14.3 (23D56)", ["state", "functions", "compute plan"]),
        ("unknown", []),
    ],
)
def test_what_a_macos_cannot_do_yet_is_no_fault_of_the_mac(system: str, late: list[str]) -> None:
    tried = ("convolution", "state", "functions", "compute plan", "timing")
    found = {what: too_old(what, machine(system=system)) for what in tried}
    assert [what for what, answer in found.items() if answer is not None] == late
    assert {answer.outcome for answer in found.values() if answer is not None} <= {"unknown"}
