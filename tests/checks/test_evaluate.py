from typing import Any

import pytest

from coreml_gate.checks import evaluate
from coreml_gate.config import Limits
from coreml_gate.frozen import changed
from coreml_gate.record import MetricValue, ModelRecord, Side
from coreml_gate.verdict import Finding, Status
from tests.builders import model_config, model_record
from tests.checks.cases import NOT_CONVERTED, UNSUPPORTED, evidence, only


def measured(**sides: float) -> ModelRecord:
    """Accuracy by side."""
    names: dict[str, Side] = {"source": "source", "fp32": "fp32", "fp16": "fp16"}
    return model_record(
        metrics=tuple(
            MetricValue(name="accuracy", side=names[side], value=value) for side, value in sides.items()
        )
    )


def run(
    head: ModelRecord, base: ModelRecord | None = None, versions: dict[str, str] | None = None, **limits: Any
) -> tuple[Finding, ...]:
    config = model_config(
        evaluate="models/digits.py:evaluate", limits=Limits.model_validate({"evaluate": limits})
    )
    return evaluate.run(evidence(head, base, config, **(versions or {})))


def test_without_limits_the_values_are_shown() -> None:
    finding = only(run(measured(source=0.98, fp32=0.98, fp16=0.97), measured(fp16=0.96)))
    assert finding.status is Status.PASS
    assert finding.message == "`accuracy` is 0.970 (source 0.980, baseline 0.960); no limit is set."
    assert (finding.value, finding.base, finding.limit) == (0.97, 0.96, None)
    assert finding.details == ("float32 package: 0.98",)


def test_a_drop_exactly_at_the_limit_passes() -> None:
    finding = only(run(measured(source=0.98, fp16=0.978), accuracy={"max_drop": 0.002}))
    assert finding.status is Status.PASS
    assert finding.message == "`accuracy` is 0.9780 (source 0.9800)."
    assert finding.limit == pytest.approx(0.978)


def test_rounding_of_a_difference_is_no_drop() -> None:
    assert 1000.2 - 1000.1 > 0.1
    finding = only(run(measured(source=1000.2, fp16=1000.1), accuracy={"max_drop": 0.1}))
    assert finding.status is Status.PASS


def test_a_drop_from_the_source_fails() -> None:
    finding = only(run(measured(source=0.98, fp16=0.9611), accuracy={"max_drop": 0.002}))
    assert finding.status is Status.FAIL
    assert finding.message == (
        "`accuracy` fell from 0.9800 (source) to 0.9611 (package), allowed drop 0.0020."
    )
    assert finding.hint


def test_a_drop_from_the_baseline_fails() -> None:
    head, base = measured(source=0.9, fp16=0.9), measured(fp16=0.95)
    finding = only(run(head, base, accuracy={"max_drop": 0.01}))
    assert finding.status is Status.FAIL
    assert "fell from 0.950 (baseline) to 0.900 (package), allowed drop 0.010" in finding.message
    assert finding.limit == pytest.approx(0.94)


def test_a_drop_from_another_toolchains_baseline_is_unsure() -> None:
    head, base = measured(source=0.9, fp16=0.9), measured(fp16=0.95)
    finding = only(run(head, base, {"numpy": "1.26.4"}, accuracy={"max_drop": 0.01}))
    assert finding.status is Status.UNSURE
    assert "allowed drop 0.010, which the other toolchain may explain" in finding.message
    assert finding.details == ("the baseline was measured with numpy 1.26.4, the head with 2.3.5",)


def test_a_drop_from_the_source_fails_whatever_the_baseline_is() -> None:
    head, base = measured(source=0.99, fp16=0.9), measured(fp16=0.95)
    finding = only(run(head, base, {"torch": "2.7"}, accuracy={"max_drop": 0.01}))
    assert finding.status is Status.FAIL
    assert finding.details[0].startswith("also: fell from 0.950 (baseline) to 0.900")


@pytest.mark.parametrize(
    ("limits", "status", "bound"),
    [
        ({"max_rise": 0.1}, Status.FAIL, 1.1),
        ({"max_rise": 0.5}, Status.PASS, 1.5),
        ({"max_drop": 0.1}, Status.PASS, 0.9),
        ({"least": 1.3}, Status.FAIL, 1.3),
        ({"least": 1.2}, Status.PASS, 1.2),
        ({"most": 1.1}, Status.FAIL, 1.1),
        ({"most": 1.2, "max_rise": 0.5}, Status.PASS, 1.2),
        ({"least": 0.0, "max_drop": 0.1}, Status.PASS, 0.9),
    ],
)
def test_each_limit(limits: dict[str, float], status: Status, bound: float) -> None:
    finding = only(run(measured(source=1.0, fp16=1.2), accuracy=limits))
    assert finding.status is status
    assert finding.limit == pytest.approx(bound)


@pytest.mark.parametrize(
    ("limits", "ending"),
    [
        (
            {"max_rise": 0.1},
            "(source) to 1.200 (package), allowed rise 0.100. Would pass with max-rise = 0.200.",
        ),
        ({"least": 1.3}, "is 1.200, minimum 1.300."),
        ({"most": 1.1}, "is 1.200, maximum 1.100."),
    ],
)
def test_messages_of_each_limit(limits: dict[str, float], ending: str) -> None:
    assert only(run(measured(source=1.0, fp16=1.2), accuracy=limits)).message.endswith(ending)


def test_a_float32_package_is_judged_by_its_own_number() -> None:
    finding = only(run(measured(source=0.98, fp32=0.9), accuracy={"max_drop": 0.01}))
    assert (finding.status, finding.value) == (Status.FAIL, 0.9)


def test_a_limit_on_a_metric_that_is_not_returned_fails() -> None:
    findings = run(measured(fp16=0.9), acuracy={"least": 0.5})
    assert [finding.status for finding in findings] == [Status.PASS, Status.FAIL]
    assert findings[1].message == "metric `acuracy` has a limit but no value: `evaluate` returns `accuracy`."


def test_a_metric_that_only_the_baseline_has_warns() -> None:
    base = model_record(metrics=(MetricValue(name="iou", side="fp16", value=0.8),))
    findings = run(measured(fp16=0.9), base)
    assert (findings[1].status, findings[1].subject) == (Status.WARN, "iou")


def test_skipped_and_unsure() -> None:
    not_asked = only(evaluate.run(evidence()))
    assert (not_asked.status, not_asked.message) == (Status.SKIPPED, "no `evaluate` is configured.")
    assert only(run(NOT_CONVERTED)).status is Status.UNSURE
    assert only(run(UNSUPPORTED, accuracy={"least": 1})).status is Status.UNSURE
    only_source = changed(measured(source=0.9), unsupported=("while_loop",))
    assert only(run(only_source)).status is Status.UNSURE
