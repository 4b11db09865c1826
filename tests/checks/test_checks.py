from coreml_gate.checks import CHECKS, examine
from coreml_gate.record import Problem
from coreml_gate.verdict import Status
from tests.builders import model_record
from tests.checks.cases import NOT_CONVERTED, evidence

PROBLEM = Problem(
    kind="source-error",
    message="source `models/digits.py:build` cannot be imported: no module named `timm`.",
    hint="install what the source imports.",
    exit_code=5,
    log_tail=("Traceback", "ModuleNotFoundError"),
)

NOTHING = {
    "source": None,
    "conversion": None,
    "package": None,
    "memory": None,
    "cost": None,
    "parity": (),
    "precision": (),
}


ORDER = [
    "conversion",
    "interface",
    "parity",
    "adversarial",
    "precision",
    "hazards",
    "coreml-parity",
    "evaluate",
    "size",
    "memory",
    "latency",
    "footprint",
    "placement",
    "on-device",
    "compression",
    "rules",
    "cost",
    "devices",
    "structure",
    "litert",
]


def test_reading_order() -> None:
    assert list(CHECKS) == ORDER
    compared_with_nothing = [finding.check for finding in examine(evidence())]
    assert compared_with_nothing == ORDER[: ORDER.index("structure")]


def test_what_is_not_converted_is_told_once() -> None:
    conversion, *others = examine(evidence(NOT_CONVERTED, model_record()))
    assert conversion.status is Status.FAIL
    assert {finding.status for finding in others} == {Status.SKIPPED}
    assert {finding.message for finding in others} == {
        "there is no package.",
        "no `evaluate` is configured.",
        "neither `devices` nor `minimum-os` is configured.",
        "nobody looked: measuring stopped before it.",
    }


def test_a_problem_fails_with_its_own_way_out() -> None:
    source, *others = examine(evidence(model_record(**NOTHING, problem=PROBLEM)))
    assert (source.check, source.status, source.subject) == ("source", Status.FAIL, "source-error")
    assert (source.message, source.hint) == (PROBLEM.message, PROBLEM.hint)
    assert source.details == PROBLEM.log_tail
    assert {finding.status for finding in others} == {Status.SKIPPED}


def test_what_was_measured_before_a_problem_is_still_judged() -> None:
    measured = model_record(precision=(), problem=PROBLEM)
    status = {finding.check: finding.status for finding in examine(evidence(measured))}
    assert status["parity"] is Status.PASS
    assert status["precision"] is Status.SKIPPED
    assert status["size"] is Status.PASS
