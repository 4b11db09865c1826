"""Whose fault is it when Core ML does not answer like the source?"""

from typing import Any

import pytest

from coreml_gate.checks.coreml_parity import run as check
from coreml_gate.frozen import changed
from coreml_gate.record import CoreMlFacts
from coreml_gate.verdict import Finding, Status
from tests.builders import model_record
from tests.checks.cases import NOT_CONVERTED, evidence, only
from tests.checks.core_ml import GPU, answer, core_ml, ended, machine, run

WRONG: dict[str, Any] = {"psnr": 12.0, "max_abs_error": 1.5}


def findings(facts: CoreMlFacts | None) -> tuple[Finding, ...]:
    return check(evidence(model_record(core_ml=facts)))


def test_one_finding_per_choice_of_hardware_with_its_relations() -> None:
    facts = core_ml(run(), run(GPU, against_units=answer(reference="core-ml", psnr=61.0)))
    cpu, gpu = findings(facts)
    assert (cpu.status, cpu.subject, cpu.value) == (Status.PASS, "Core ML CPU_ONLY", 55.0)
    assert cpu.message == "Core ML on CPU_ONLY: PSNR 55.0 dB, minimum 30 dB."
    assert gpu.details[:3] == (
        "against our runtime: 70.0 dB",
        "against Core ML on CPU_ONLY: 61.0 dB",
        "against the same sample predicted again: equal",
    )


def test_a_fault_of_the_engine_is_told_from_one_of_the_package() -> None:
    _, gpu = findings(core_ml(run(), run(GPU, against_source=answer(**WRONG))))
    assert gpu.status is Status.FAIL
    assert "PSNR 12.0 dB" in gpu.message
    assert "our runtime agrees with PyTorch (to 60.0 dB), Core ML does not." in gpu.message
    assert gpu.hint.startswith("the package is right")


def test_where_our_runtime_is_wrong_too_the_package_is_to_blame() -> None:
    package = answer(candidate="fp16", **WRONG)
    finding = only(findings(core_ml(run(against_source=answer(**WRONG)), runtime_against_source=package)))
    assert finding.status is Status.FAIL
    assert "the package is wrong, not Core ML" in finding.message


def test_a_package_that_is_wrong_everywhere_is_told_once_with_the_worst_figures() -> None:
    wrong, worse = answer(**WRONG), answer(**(WRONG | {"psnr": 11.5}))
    facts = core_ml(
        run(against_source=wrong),
        run(GPU, against_source=worse),
        run("ALL"),
        runtime_against_source=answer(candidate="fp16", **WRONG),
    )
    told, sound = findings(facts)
    assert (told.status, told.subject, told.value) == (Status.FAIL, "Core ML CPU_ONLY, CPU_AND_GPU", 11.5)
    assert told.message.startswith(
        "Core ML on CPU_ONLY and CPU_AND_GPU (figures of CPU_AND_GPU): output `logits`: PSNR 11.5 dB"
    )
    assert [line[:25] for line in told.details if "sample 0" in line] == [
        "CPU_ONLY: sample 0: great",
        "CPU_AND_GPU: sample 0: gr",
    ]
    assert (sound.status, sound.subject) == (Status.PASS, "Core ML ALL")


def test_equal_faults_are_told_once_and_others_apart() -> None:
    signal = "killed by signal 11 (SIGSEGV)"
    facts = core_ml(ended(), ended(GPU), ended("ALL", message=signal), run("CPU_AND_NE", repeated=()))
    same, other, sound = findings(facts)
    assert same.message.startswith("Core ML on CPU_ONLY and CPU_AND_GPU: the child process crashed")
    assert same.details == ("CPU_ONLY: last words", "CPU_AND_GPU: last words")
    assert (other.subject, sound.subject) == ("Core ML ALL", "Core ML CPU_AND_NE")


def test_a_fault_of_one_output_is_not_that_of_another() -> None:
    package = (*answer(candidate="fp16", **WRONG), *answer(candidate="fp16", output="boxes", **WRONG))
    sides = answer(**WRONG), answer(output="boxes", **WRONG)
    facts = core_ml(
        *(run(units, against_source=side) for units, side in zip(("CPU_ONLY", GPU), sides, strict=True)),
        runtime_against_source=package,
    )
    assert [each.subject for each in findings(facts)] == ["Core ML CPU_ONLY", "Core ML CPU_AND_GPU"]


def test_nan_of_core_ml_fails_with_its_place() -> None:
    nan = answer(nonfinite_mismatches=4, psnr=None, max_abs_place=None)
    finding = only(findings(core_ml(run(against_source=nan))))
    assert finding.status is Status.FAIL
    assert "4 of 10 elements are NaN or infinite on one side only" in finding.message


def test_what_the_neural_engine_refused_was_computed_elsewhere_and_is_no_pass() -> None:
    """Core ML loads such a program without an error (apple/coremltools#2758)."""
    _, everything = findings(core_ml(run(), run("ALL", engine_refused=True)))
    assert everything.status is Status.UNSURE
    assert everything.message.startswith(
        "Core ML on ALL: PSNR 55.0 dB, minimum 30 dB, but the Neural Engine's"
    )
    assert "`compute-units`" in everything.hint


def test_a_refusal_that_kills_the_process_is_named_as_the_way_out() -> None:
    killed = changed(ended("CPU_AND_NE", message="killed by signal 9 (SIGKILL)"), engine_refused=True)
    _, engine = findings(core_ml(run(), killed))
    assert engine.status is Status.FAIL
    assert "without the Neural Engine" in engine.hint


def test_two_runs_that_differ_are_named() -> None:
    finding = only(findings(core_ml(run(repeated=answer(reference="core-ml", psnr=20.0)))))
    assert finding.status is Status.WARN
    assert "is not deterministic: two runs of the same sample differ: PSNR 20.0 dB" in finding.message


def test_nan_in_the_second_run_alone_fails() -> None:
    """It was a warning: what an app gets the second time is an output as well."""
    second = answer(reference="core-ml", nonfinite_mismatches=4, psnr=None, max_abs_place=None)
    finding = only(findings(core_ml(run(repeated=second))))
    assert finding.status is Status.FAIL
    assert "two runs of the same sample differ: 4 of 10 elements are NaN or infinite" in finding.message


def test_hardware_that_differs_from_other_hardware_is_named() -> None:
    _, gpu = findings(core_ml(run(), run(GPU, against_units=answer(reference="core-ml", psnr=20.0))))
    assert gpu.status is Status.WARN
    assert "differs from Core ML on CPU_ONLY: PSNR 20.0 dB" in gpu.message


def test_a_crash_says_phase_unit_signal_and_last_lines_and_the_others_are_judged() -> None:
    cpu, gpu = findings(core_ml(run(), ended(GPU)))
    assert cpu.status is Status.PASS
    assert gpu.status is Status.FAIL
    assert gpu.message == (
        "Core ML on CPU_AND_GPU: the child process crashed in phase predict (killed by signal 6 (SIGABRT))."
    )
    assert gpu.details == ("last words",)


@pytest.mark.parametrize("broken", [ended(GPU), run(GPU, against_source=answer(**WRONG))])
def test_what_breaks_outside_of_the_cpu_of_a_virtual_machine_is_unsure(broken: Any) -> None:
    cpu, gpu = findings(core_ml(ended(), broken, machine=machine(virtual=True)))
    assert cpu.status is Status.FAIL
    assert gpu.status is Status.UNSURE
    assert "virtual machines have no Neural Engine" in gpu.hint


def test_the_stand_in_never_passes_for_core_ml() -> None:
    finding = only(findings(core_ml(machine=machine(stand_in="coreml-gate stand-in"))))
    assert finding.subject == "stand-in CPU_ONLY"
    assert finding.message.startswith("stand-in on CPU_ONLY (coreml-gate stand-in, not Core ML): PSNR")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (None, "not run: Core ML needs macOS."),
        (changed(core_ml(), runs=()), "the model allows none of the compute units"),
    ],
)
def test_what_was_not_asked_is_skipped_with_the_reason(facts: CoreMlFacts | None, reason: str) -> None:
    finding = only(findings(facts))
    assert finding.status is Status.SKIPPED
    assert reason in finding.message


def test_without_a_package_there_is_nothing_to_ask() -> None:
    assert only(check(evidence(NOT_CONVERTED))).status is Status.SKIPPED


@pytest.mark.parametrize(
    ("units", "how", "phase", "status"),
    [
        ("CPU_AND_NE", "timed-out", "load", Status.UNSURE),
        ("ALL", "timed-out", "load", Status.UNSURE),
        ("CPU_ONLY", "timed-out", "load", Status.FAIL),
        ("ALL", "timed-out", "predict", Status.FAIL),
        ("ALL", "crashed", "load", Status.FAIL),
    ],
)
def test_a_slow_first_load_on_the_neural_engine_is_no_fault(
    units: Any, how: str, phase: str, status: Status
) -> None:
    finding = only(findings(core_ml(ended(units, how=how, phase=phase))))
    assert finding.status is status
    assert ("core-ml-timeout-s" in finding.hint) == (status is Status.UNSURE)


def test_equal_wrong_numbers_on_three_choices_of_hardware_are_one_finding() -> None:
    """The sentence named the compute unit a second time, so no two of them were ever equal."""
    nan = answer(nonfinite_mismatches=4, psnr=None, max_abs_place=None)
    finding = only(findings(core_ml(*(run(units, against_source=nan) for units in ("CPU_ONLY", GPU, "ALL")))))
    assert finding.subject == "Core ML CPU_ONLY, CPU_AND_GPU, ALL"
    assert finding.message.startswith("Core ML on CPU_ONLY and CPU_AND_GPU and ALL: output ")
    assert finding.message.endswith("our runtime agrees with PyTorch (to 60.0 dB), Core ML does not.")


def test_one_error_of_core_ml_on_three_choices_of_hardware_is_one_finding() -> None:
    said = "Error in declaring network."
    runs = (ended(units, how="failed", phase="load", message=said) for units in ("ALL", "CPU_ONLY", GPU))
    finding = only(findings(core_ml(*runs)))
    assert finding.subject == "Core ML ALL, CPU_ONLY, CPU_AND_GPU"
    assert said in finding.message
