"""Does the process that predicts hold more than the baseline's, in every process?"""

from typing import Any

import pytest

from coreml_gate.checks.footprint import run as check
from coreml_gate.frozen import changed
from coreml_gate.record import CoreMlFacts, Footprints
from coreml_gate.verdict import Finding, Status
from tests.builders import MB, model_record
from tests.checks.cases import evidence, limited, only
from tests.checks.core_ml import GPU, core_ml, ended, machine, run


def finding(facts: CoreMlFacts | None, **limits: Any) -> Finding:
    return only(check(evidence(model_record(core_ml=facts), config=limited(memory=limits))))


@pytest.mark.parametrize(
    ("head", "status", "words"),
    [
        ((100, 101, 99), Status.PASS, "Core ML on ALL: 101.0 MB, 1.01 times the baseline's 100.0 MB"),
        ((118, 119, 117), Status.FAIL, "more in every process. Would pass with footprint-max-ratio = 1.19."),
        ((120, 121, 90), Status.UNSURE, "unsure, because the processes differ by more"),
    ],
)
def test_more_is_a_failure_only_if_every_process_says_so(
    head: tuple[int, ...], status: Status, words: str
) -> None:
    footprints = Footprints(
        units="ALL", base_bytes=(100 * MB, 99 * MB, 98 * MB), head_bytes=tuple(MB * each for each in head)
    )
    found = finding(core_ml(footprints=footprints), **{"footprint-max-ratio": 1.1})
    assert (found.status, found.base, found.unit) == (status, 100.0, "MB")
    assert found.limit == pytest.approx(110.0)
    assert words in found.message


def test_without_a_limit_the_greatest_is_shown() -> None:
    found = finding(core_ml(run(peak_bytes=20 * MB), run(GPU, peak_bytes=30 * MB)))
    assert (found.status, found.value, found.limit) == (Status.PASS, 30.0, None)
    assert found.message == "Core ML on CPU_AND_GPU: 30.0 MB, no limit is set."


@pytest.mark.parametrize(
    ("facts", "reason"),
    [(None, "Core ML needs macOS"), (core_ml(ended()), "Core ML predicted on no compute unit")],
)
def test_what_was_not_measured_is_skipped(facts: CoreMlFacts | None, reason: str) -> None:
    found = finding(facts)
    assert found.status is Status.SKIPPED
    assert reason in found.message


def test_a_limit_that_could_not_be_checked_is_never_a_pass() -> None:
    """A limit was set and the message read "no limit is set", with a pass, when a process had crashed."""
    measured = run(peak_bytes=20 * MB)
    lost = Footprints(units="ALL", base_bytes=(MB,), head_bytes=(), ending=ended().ending)
    crashed = finding(core_ml(measured, footprints=lost), **{"footprint-max-ratio": 1.1})
    assert (crashed.status, crashed.value) == (Status.FAIL, None)
    assert "footprint crashed in phase predict (killed by signal 6 (SIGABRT))" in crashed.message
    of_base = changed(lost, ending=ended(phase="predict-base").ending)
    unknown = finding(core_ml(measured, footprints=of_base), **{"footprint-max-ratio": 1.1})
    assert unknown.status is Status.UNSURE
    without_base = finding(core_ml(measured), **{"footprint-max-ratio": 1.1})
    assert without_base.status is Status.SKIPPED
    assert without_base.message == "there is no baseline package on this machine to compare with."


def test_the_stand_in_never_passes_for_core_ml() -> None:
    found = finding(core_ml(run(peak_bytes=MB), machine=machine(stand_in="coreml-gate stand-in")))
    assert found.subject == "footprint (stand-in)"
    assert found.message.startswith("stand-in on CPU_ONLY")
