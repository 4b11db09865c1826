"""A model that looks untrained where its baseline does not: its weights were probably not loaded."""

from coreml_gate.checks import evaluate
from coreml_gate.checks import source as check
from coreml_gate.checks.evidence import LOST_WEIGHTS
from coreml_gate.config import Limits
from coreml_gate.record import MetricValue, ModelRecord, Side
from coreml_gate.verdict import Status
from tests.builders import model_config, model_record, source
from tests.checks.cases import evidence, only

UNTRAINED = source(untrained_signs=("22 of 22 layers with a bias have biases of exactly 0",))


def measured(value: float, of_source: float, untrained: bool = False) -> ModelRecord:
    sides: tuple[tuple[Side, float], ...] = (("source", of_source), ("fp16", value))
    metrics = tuple(MetricValue(name="top1", side=side, value=number) for side, number in sides)
    return model_record(metrics=metrics, source=UNTRAINED if untrained else source())


def hint(head: ModelRecord, base: ModelRecord) -> str:
    limits = Limits.model_validate({"evaluate": {"top1": {"max_drop": 0.01}}})
    finding = only(
        evaluate.run(evidence(head, base, model_config(evaluate="net.py:evaluate", limits=limits)))
    )
    assert finding.status is Status.FAIL
    return finding.hint


def test_a_warning_names_the_signs_and_what_to_look_at() -> None:
    finding = only(check.run(evidence(model_record(source=UNTRAINED), model_record())))
    assert (finding.status, finding.subject, finding.hint) == (Status.WARN, "weights", LOST_WEIGHTS)
    assert finding.message.endswith(
        "the baseline's does not: 22 of 22 layers with a bias have biases of exactly 0."
    )


def test_a_model_that_always_looked_untrained_is_no_news() -> None:
    assert check.run(evidence(model_record(source=UNTRAINED), model_record(source=UNTRAINED))) == ()
    assert check.run(evidence(model_record(source=UNTRAINED), None)) == ()
    assert check.run(evidence(model_record(), model_record(source=UNTRAINED))) == ()


def test_a_metric_that_fell_with_the_source_blames_no_conversion() -> None:
    base = measured(1.0, 1.0)
    assert hint(measured(0.4583, 0.46), base).startswith(
        "the source itself gives 0.4600: the model, its weights"
    )
    assert hint(measured(0.4583, 0.46, untrained=True), base).endswith(LOST_WEIGHTS)
    assert hint(measured(0.4583, 0.99), base).startswith("parity and precision name the cause.")
    assert hint(measured(0.4583, 0.7), base).startswith("parity and precision"), "both have a share in it"
