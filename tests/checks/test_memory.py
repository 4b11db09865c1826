from coreml_gate.checks import memory as check
from coreml_gate.verdict import Status
from tests.builders import MB, memory, model_record
from tests.checks.cases import NOT_CONVERTED, evidence, limited, only


def test_pass_names_the_operation_and_the_values_at_the_peak() -> None:
    base = model_record(memory=memory(activation_bytes=5 * MB, peak_operation="conv_0"))
    finding = only(check.run(evidence(model_record(), base)))
    assert finding.status is Status.PASS
    assert finding.message == (
        "peak: 25.0 MB (weights 19.0 MB, activations 6.00 MB at `conv_1`), 24.0 MB in the baseline, "
        "allowed 26.4 MB."
    )
    assert (finding.value, finding.base, finding.unit) == (25.0, 24.0, "MB")
    assert finding.details == (
        "baseline: weights 19.0 MB, activations 5.00 MB at `conv_0`",
        "alive at the peak: `conv_1_out` 4.00 MB",
        "alive at the peak: `image` 2.00 MB",
    )


def test_weights_and_activations_count_together() -> None:
    finding = only(check.run(evidence(config=limited(memory={"max_mb": 24}))))
    assert finding.status is Status.FAIL
    assert finding.message.endswith("at `conv_1`), allowed 24 MB. Would pass with max-mb = 25.")
    assert "`conv_1`" in finding.hint


def test_growth() -> None:
    base = model_record(memory=memory(weight_bytes=10 * MB))
    assert only(check.run(evidence(model_record(), base))).status is Status.FAIL
    assert only(check.run(evidence(model_record(), base, torch="2.7.0"))).status is Status.UNSURE


def test_skipped_and_unsure() -> None:
    assert only(check.run(evidence(NOT_CONVERTED))).status is Status.SKIPPED
    assert only(check.run(evidence(model_record(memory=None)))).status is Status.UNSURE
