from coreml_gate.checks import memory as check
from coreml_gate.record import OverheadFacts, ShapeMemory
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
    assert only(check.run(evidence(NOT_CONVERTED))).status is Status.UNSURE
    assert only(check.run(evidence(model_record(memory=None)))).status is Status.UNSURE


def test_the_worst_shape_is_judged_and_named() -> None:
    shapes = (
        ShapeMemory(shape="ids (1, 1)", activation_bytes=MB, peak_operation="conv_0"),
        ShapeMemory(shape="ids (1, 512)", activation_bytes=9 * MB, peak_operation="softmax_3"),
        ShapeMemory(shape="ids (1, 9999)", problem="78 times the sample: too large to be run here"),
    )
    head = model_record(memory=memory(shape="ids (1, 128)", other_shapes=shapes))
    finding = only(check.run(evidence(head)))
    assert finding.value == 28.0
    assert "activations 9.00 MB at `softmax_3` for ids (1, 512))" in finding.message
    assert "alive at the peak for ids (1, 128): `conv_1_out` 4.00 MB" in finding.details
    assert finding.details[-3:] == (
        "activations: 1.00 MB at `conv_0` for ids (1, 1)",
        "activations: 9.00 MB at `softmax_3` for ids (1, 512)",
        "ids (1, 9999): not measured, 78 times the sample: too large to be run here",
    )


def test_timeline_neighbours_of_the_peak_and_overheads_are_details() -> None:
    extra = OverheadFacts(
        kind="dilated-kernel", operation="conv_1", bytes=2 * MB, lasting=True, text="kernel 3 x 3 as 13 x 13"
    )
    head = model_record(
        memory=memory(timeline=(0, 4, 8), near_peak=("conv_1", "relu_1"), overheads=(extra,), live=())
    )
    finding = only(check.run(evidence(head)))
    assert finding.value == 25.0
    assert finding.details == (
        "also at 95 % of the peak or more: `relu_1`",
        "live bytes over the program:  ▄█",
        (
            "an engine may need in addition: dilated-kernel of `conv_1` 2.00 MB "
            "(kernel 3 x 3 as 13 x 13, while the model is loaded)"
        ),
    )
