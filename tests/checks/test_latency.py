"""What do pairs of times mean for the merge, and what do they leave open?"""

import math
import re
from dataclasses import replace
from typing import Any

import pytest

from coreml_gate.checks.latency import adjusted_p_values
from coreml_gate.checks.latency import run as check
from coreml_gate.config.limits import LatencyLimits
from coreml_gate.record import ChildEnding, CoreMlFacts
from coreml_gate.timing import ALPHA
from coreml_gate.timing.self_test import judge_self_test
from coreml_gate.verdict import Finding, Status
from tests.builders import model_record
from tests.checks.cases import evidence, limited, only
from tests.checks.core_ml import core_ml, machine, timed, timing


def findings(facts: CoreMlFacts | None, **limits: Any) -> tuple[Finding, ...]:
    return check(evidence(model_record(core_ml=facts), config=limited(latency=limits)))


def of_ratio(ratio: float, noise: float = 0.01, **overrides: Any) -> CoreMlFacts:
    metric = timed(log_ratio=math.log(ratio), noise=noise, head_ms=4.0 * ratio)
    return core_ml(timing=timing(metrics=(metric,)), **overrides)


@pytest.mark.parametrize(
    ("ratio", "status", "words"),
    [
        (1.0, Status.PASS, ": not slower."),
        (1.10, Status.FAIL, ": slower. Would pass with max-ratio = 1.1"),
        (1.03, Status.PASS, ": slower, within the limit."),
        (1.045, Status.WARN, ": slower, close to the limit."),
    ],
)
def test_the_verdict_comes_with_the_ratio_and_its_interval(ratio: float, status: Status, words: str) -> None:
    found = only(findings(of_ratio(ratio)))
    assert (found.status, found.subject, found.base) == (status, "predict", 4.0)
    assert (found.value, found.limit) == (pytest.approx(4.0 * ratio), pytest.approx(4.2))
    assert (
        f"predict of Core ML on CPU_ONLY: {ratio:.4g} times the baseline's 4 ms (interval " in found.message
    )
    assert "60 pairs from 3 fresh starts), allowed 1.05 times" in found.message
    assert words in found.message


def test_noise_is_unsure_and_says_what_this_machine_can_see() -> None:
    found = only(findings(of_ratio(1.05, noise=0.4)))
    assert found.status is Status.UNSURE
    assert "unsure, because this machine can see changes from " in found.message


@pytest.mark.parametrize(("noise", "status"), [(0.01, Status.PASS), (0.4, Status.UNSURE)])
@pytest.mark.parametrize("ratio", [1.0, 1.1, 1.3])
def test_the_smallest_change_that_would_have_been_seen_stands_in_every_answer(
    ratio: float, noise: float, status: Status
) -> None:
    facts = of_ratio(ratio, noise=noise)
    assert facts.timing is not None
    seen = judge_self_test(facts.timing.metrics[0].self_test).smallest_change
    found = only(findings(facts))
    assert found.status is status or ratio > 1.05
    assert found.details[0].startswith("self-test: the base against itself shows changes from ")
    shown = re.search(r"from ([\d.]+) % on", found.details[0])
    assert shown is not None
    assert float(shown[1]) == pytest.approx(100 * seen, rel=0.06)


def test_a_machine_on_which_the_base_differs_from_itself_gives_no_verdict() -> None:
    biased = timed(log_ratio=math.log(1.2), self_test=((0.05,) * 20,) * 3)
    found = only(findings(core_ml(timing=timing(metrics=(biased,)))))
    assert found.status is Status.UNSURE
    assert "the baseline differs from a second copy of itself on this machine" in found.message


def test_every_metric_with_a_limit_is_judged_and_the_others_are_shown() -> None:
    metrics = (timed(), timed("predict-p95"), timed("load", log_ratio=math.log(1.5), head_ms=6.0))
    predict, load = findings(core_ml(timing=timing(metrics=metrics)), **{"load-max-ratio": 1.2})
    assert (predict.status, load.status) == (Status.PASS, Status.FAIL)
    assert load.message.endswith("allowed 1.2 times: slower."), "no limit so far away is offered"
    assert "predict-p95: 4 ms, 4 ms in the baseline" in predict.details


def test_the_machine_and_the_seed_are_named() -> None:
    details = only(findings(of_ratio(1.0, machine=machine(virtual=True)))).details
    assert any("a virtual machine: only the ratio is valid" in line for line in details)
    assert any("stopped by: decided; seed 0" in line for line in details)


@pytest.mark.attack("the end of the gate")
@pytest.mark.parametrize(
    ("how", "phase", "units", "virtual", "status"),
    [
        ("crashed", "time", "CPU_ONLY", False, Status.FAIL),
        ("crashed", "load-head", "ALL", False, Status.FAIL),
        ("crashed", "load-base", "ALL", False, Status.UNSURE),
        ("crashed", "compile-again", "ALL", False, Status.UNSURE),
        ("crashed", "time", "CPU_ONLY", True, Status.FAIL),
        ("crashed", "time", "CPU_AND_GPU", True, Status.UNSURE),
        ("timed-out", "load-head", "ALL", False, Status.UNSURE),
        ("timed-out", "load-head", "CPU_ONLY", False, Status.FAIL),
        ("timed-out", "time", "ALL", False, Status.FAIL),
        ("failed", "load-head", "CPU_ONLY", False, Status.UNSURE),
        ("failed", "predict", "CPU_ONLY", False, Status.FAIL),
        ("out-of-memory", "load-again", "CPU_ONLY", False, Status.UNSURE),
    ],
)
def test_times_that_got_lost_fail_where_the_head_may_be_at_fault(
    how: Any, phase: str, units: Any, virtual: bool, status: Status
) -> None:
    """A crash of the process that times was open, so what had a limit could merge without its figure."""
    ending = ChildEnding(how=how, phase=phase, message="said", log_tail=("x",))
    lost = timing(metrics=(), ending=ending, stopped="process ended", units=units)
    found = only(findings(core_ml(timing=lost, machine=machine(virtual=virtual))))
    assert (found.status, found.value, found.details) == (status, None, ("x",))
    assert ending.clause("the timing process") in found.message
    assert ("core-ml-timeout-s" in found.hint) == (how == "timed-out")


@pytest.mark.parametrize("ratio", [1.0, 1.03, 1.2])
def test_after_a_process_that_crashed_nothing_passes(ratio: float) -> None:
    """The message spoke of a machine with too much noise, and the crash stood nowhere."""
    ending = ChildEnding(how="crashed", phase="time", message="killed by signal 6 (SIGABRT)", log_tail=("x",))
    facts = core_ml(
        timing=timing(
            metrics=(timed(log_ratio=math.log(ratio), noise=0.001),), ending=ending, stopped="process ended"
        )
    )
    found = only(findings(facts))
    assert (found.status, found.details[0]) == (Status.FAIL, "x")
    crash = "not decided, because a later timing process crashed in phase time (killed by signal 6 (SIGABRT))"
    assert (crash in found.message) == (ratio < 1.1)
    assert found.message.endswith("times: slower.") == (ratio > 1.1)


def test_the_stand_in_never_passes_for_core_ml() -> None:
    found = only(findings(of_ratio(1.0, machine=machine(stand_in="coreml-gate stand-in"))))
    assert found.subject == "predict (stand-in)"
    assert "stand-in on CPU_ONLY (coreml-gate stand-in: no time of Core ML)" in found.message


@pytest.mark.parametrize(
    ("facts", "limits", "reason"),
    [
        (None, {}, "not run: Core ML needs macOS."),
        (core_ml(), {}, "there is no baseline package on this machine"),
        (core_ml(timing=timing(engine="mil")), {}, "the MIL runtime was timed"),
        (core_ml(timing=timing()), {"max-ratio": False}, "no limit is set"),
    ],
)
def test_what_is_not_judged_is_skipped_with_the_reason(
    facts: CoreMlFacts | None, limits: dict[str, Any], reason: str
) -> None:
    found = only(findings(facts, **limits))
    assert found.status is Status.SKIPPED
    assert reason in found.message


BARELY = ((-0.1,) * 5 + (0.2,) * 15,) * 3
"""15 of 60 pairs speak against what the others say."""


@pytest.mark.parametrize(
    ("family", "p_value", "status"),
    [(1, 1.0, Status.FAIL), (200, 1.0, Status.UNSURE), (200, 0.02, Status.FAIL)],
)
def test_a_blame_has_to_stand_among_all_that_several_jobs_timed(
    family: int, p_value: float, status: Status
) -> None:
    facts = core_ml(timing=timing(metrics=(timed(log_ratios=BARELY, head_ms=4.9),)))
    alone = evidence(model_record(core_ml=facts), config=limited(latency={}))
    among = replace(alone, family_alpha=ALPHA / family, p_values={"predict": p_value})
    assert only(check(among)).status is status


def test_many_models_pay_for_each_other() -> None:
    slow = model_record(core_ml=of_ratio(1.10))
    alone = adjusted_p_values([(slow, LatencyLimits())])["digits"]["predict"]
    others = [
        (model_record(name=f"other-{number}", core_ml=of_ratio(1.0)), LatencyLimits()) for number in range(9)
    ]
    together = adjusted_p_values([(slow, LatencyLimits()), *others])
    assert together["digits"]["predict"] == pytest.approx(10 * alone)
    assert together["other-0"]["predict"] == 1.0
