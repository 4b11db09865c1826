from dataclasses import replace
from typing import Any, Final

import pytest

from coreml_gate.checks import evaluate, parity, precision
from coreml_gate.frozen import changed
from coreml_gate.record import (
    Comparison,
    ElementIndex,
    FirstWrong,
    OtherRoute,
    ParityDiagnosis,
    RefusedShape,
    RuleMatch,
    RulePlace,
    TopOne,
)
from coreml_gate.verdict import Finding, Status
from tests.builders import comparison, model_config, model_record, source
from tests.checks.cases import NOT_CONVERTED, UNSUPPORTED, evidence, limited, only

WRONG = comparison(
    sample=3,
    max_abs_error=0.31,
    max_abs_place=ElementIndex(index=(0, 7), reference=1.2, candidate=1.51),
    psnr=30.04,
    cosine=0.98765,
)


def run(*group: Comparison, **limits: Any) -> Finding:
    return only(parity.run(evidence(model_record(parity=group), config=limited(parity=limits))))


def test_pass() -> None:
    base = model_record(parity=(comparison(max_abs_error=4e-7),))
    finding = only(parity.run(evidence(model_record(), base)))
    assert finding.status is Status.PASS
    assert finding.message == (
        "output `logits`: greatest difference 8e-7 at (0, 7) of sample 0, allowed 0.0004 "
        "(0.0001 of the greatest value, 4)."
    )
    assert (finding.value, finding.base, finding.limit, finding.unit) == (2e-7, 1e-7, 1e-4, "of max")
    assert finding.details[2] == (
        "sample 2: greatest difference 8e-7 at (0, 7), 2e-7 of max, element-wise 1e-6 at (0, 2), "
        "140.0 dB, cosine 1, best class equal in 1 of 1 rows (least gap 40 %)"
    )


def test_a_baseline_of_another_toolchain_is_named() -> None:
    finding = only(parity.run(evidence(model_record(), model_record(), torch="2.7.0")))
    assert finding.status is Status.PASS
    assert finding.details[0] == "the baseline was measured with torch 2.7.0, the head with 2.13.0"


def test_exact() -> None:
    exact = comparison(max_abs_error=0.0, max_abs_place=None, max_rel_place=None, psnr=None)
    assert run(exact, exact).message == "output `logits`: equal to the source in 2 samples."


def test_the_worst_sample_is_named() -> None:
    finding = run(comparison(), WRONG, comparison(sample=4))
    assert finding.status is Status.FAIL
    assert finding.message == (
        "output `logits`: greatest difference 0.31 at (0, 7) of sample 3 (source 1.2, float32 package 1.51), "
        "allowed 0.0004 (0.0001 of the greatest value, 4): the conversion is wrong."
    )
    assert finding.value == 0.0775
    assert len(finding.details) == 3
    assert run(WRONG, max_error=0.078).status is Status.PASS
    assert run(WRONG, max_error=0.0775).status is Status.PASS


def test_a_small_output_is_judged_by_its_own_scale() -> None:
    tiny = comparison(max_reference=1e-5, max_abs_error=1e-6)
    assert run(comparison(max_abs_error=1e-4), tiny).value == pytest.approx(0.1)


def test_a_zero_source_is_judged_absolutely() -> None:
    finding = run(comparison(max_reference=0.0, max_abs_error=0.5))
    assert finding.status is Status.FAIL
    assert "allowed 0.0001 (absolute, because the source is all zeros)" in finding.message


def test_shape_comes_first_and_hides_no_other_objection() -> None:
    unlike = comparison(sample=1, candidate_shape=(10,), max_abs_error=0.0, top1=None)
    finding = run(comparison(), unlike, WRONG)
    assert finding.message == (
        "output `logits`: shape (10,) in sample 1, the source gives (1, 10) (1 of 3 samples differ): "
        "the conversion is wrong."
    )
    assert finding.value is None
    assert finding.details[0].startswith("also: greatest difference 0.31")
    assert finding.details[2] == "sample 1: shape (10,), not (1, 10)"


def test_only_unlike_shapes() -> None:
    assert run(comparison(candidate_shape=(10,))).status is Status.FAIL


def test_nonfinite_values_always_fail() -> None:
    place = ElementIndex(index=(0, 2), reference=3.25, candidate="NaN")
    finding = run(comparison(nonfinite_mismatches=4, nonfinite_place=place), max_error=1e9)
    assert finding.status is Status.FAIL
    assert finding.message == (
        "output `logits`: 4 of 10 elements are NaN or infinite on one side only or in another way, the first "
        "at (0, 2) of sample 0 (source 3.25, float32 package NaN): the conversion is wrong."
    )
    assert finding.value is None


def test_integers_must_be_equal_however_large_they_are() -> None:
    ids = comparison(
        unequal=1,
        max_reference=50_000.0,
        max_abs_error=1.0,
        max_abs_place=ElementIndex(index=(0, 1), reference=49_999.0, candidate=50_000.0),
        psnr=None,
        cosine=None,
        top1=None,
    )
    assert ids.relative_error < 1e-4
    assert run(ids).status is Status.FAIL
    assert run(ids).message == (
        "output `logits`: 1 of 10 integers differ in sample 0, allowed 0, the greatest difference is 1 at "
        "(0, 1) (source 49999, float32 package 50000): the conversion is wrong."
    )
    assert run(replace(ids, unequal=0, max_abs_error=0.0)).status is Status.PASS


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"psnr": 30.5}, "PSNR 30.0 dB in sample 3, minimum 30.5 dB"),
        ({"cosine": 0.99}, "cosine similarity 0.98765 in sample 3, minimum 0.99"),
    ],
)
def test_psnr_and_cosine_are_judged_when_configured(limits: dict[str, float], message: str) -> None:
    assert run(WRONG, max_error=0.1).status is Status.PASS
    finding = run(comparison(), WRONG, max_error=0.1, **limits)
    assert finding.status is Status.FAIL
    assert message in finding.message


def test_psnr_and_cosine_that_would_pass() -> None:
    assert run(WRONG, max_error=0.1, psnr=36).message.endswith("Would pass with psnr = 30.0.")
    assert run(WRONG, max_error=0.1, cosine=0.994).message.endswith("wrong.")
    assert run(WRONG, max_error=0.1, cosine=0.993).message.endswith("Would pass with cosine = 0.9876.")
    assert run(WRONG, max_error=0.04).message.endswith("Would pass with max-error = 0.078.")
    assert run(WRONG, max_error=0.03).message.endswith("wrong.")
    assert run(WRONG, max_error=0.1, psnr=37).message.endswith("wrong.")
    assert run(WRONG, max_error=0.1, psnr=30.0, cosine=0.9876).status is Status.PASS


def test_another_best_class_beyond_the_margin_fails() -> None:
    top = TopOne(rows=8, disagreements=2, least_gap=0.001, worst_gap=0.123, row=5)
    finding = run(
        comparison(top1=top), comparison(sample=1, top1=TopOne(rows=8, disagreements=0, least_gap=0.5))
    )
    assert finding.status is Status.FAIL
    assert finding.message == (
        "output `logits`: the best class changes in 2 of 16 rows, in row 5 of sample 0 although its two best "
        "scores are 12 % of the row's range apart, allowed up to 1 %: the conversion is wrong."
    )
    assert run(comparison(top1=top), top1_margin=0.13).status is Status.PASS


def test_a_near_tie_is_named_and_proves_nothing() -> None:
    finding = run(comparison(top1=TopOne(rows=8, disagreements=2, least_gap=0.001, worst_gap=0.01, row=5)))
    assert finding.status is Status.PASS
    assert finding.message.endswith(
        "The best class changes in 2 of 8 rows, all near-ties (two best scores within 1 % of the row's "
        "range), which prove nothing."
    )


def test_one_finding_per_output() -> None:
    group = [comparison(output=output, sample=sample) for sample in range(8) for output in ("a", "b", "c")]
    findings = parity.run(evidence(model_record(parity=tuple(group))))
    assert [finding.subject for finding in findings] == ["a", "b", "c"]
    assert [len(finding.details) for finding in findings] == [8, 8, 8]


def test_unsure_names_the_operations() -> None:
    finding = only(parity.run(evidence(UNSUPPORTED)))
    assert finding.status is Status.UNSURE
    assert "`while_loop`, `list_read`" in finding.message


@pytest.mark.attack("Records from elsewhere")
def test_figures_that_got_lost_without_a_reason_fail() -> None:
    """A child that said its last word early was `unsure`, and its model could merge."""
    config = model_config(evaluate="models/net.py:evaluate")
    head = model_record(parity=(), precision=(), metrics=())
    for check in (parity, precision, evaluate):
        assert only(check.run(evidence(head, config=config))).status is Status.FAIL


def test_lost_or_not_requested() -> None:
    assert only(parity.run(evidence(NOT_CONVERTED))).message == "not measured: an earlier step failed."
    a_package = model_record(source=source(kind="package"), parity=())
    assert only(parity.run(evidence(a_package))).status is Status.SKIPPED


def test_large_integers_are_written_in_full_on_both_sides() -> None:
    place = ElementIndex(index=(0, 1), reference=123456789.0, candidate=123456790.0)
    ids = comparison(unequal=1, psnr=None, cosine=None, top1=None, max_abs_error=1.0, max_abs_place=place)
    assert "(source 123456789, float32 package 123456790)" in run(ids).message


FROZEN = RuleMatch(
    rule="frozen-values",
    severity="silent",
    count=1,
    places=(RulePlace(place="net.py:13", text="a constant", file="net.py", line=13),),
    fix="Sample 0 decides:\ntorch.where(x.sum() > 0, a, b)",
)
UNLOCATED = ParityDiagnosis(
    found_on="samples", sample=3, first_wrong=FirstWrong(reason="the pass `x` breaks it"), other_route=None
)


def test_a_branch_that_sample_0_decided_is_the_cause_where_no_operation_is_wrong() -> None:
    record = model_record(parity=(comparison(), WRONG), rules=(FROZEN,), parity_diagnosis=UNLOCATED)
    finding = only(parity.run(evidence(record)))
    assert finding.message.endswith(
        "the conversion is wrong. The trace is fixed to sample 0 at net.py:13, where other samples take "
        "another branch."
    )
    assert finding.hint == "Sample 0 decides: `torch.where(x.sum() > 0, a, b)`"
    assert (finding.file, finding.line) == ("net.py", 13)


@pytest.mark.parametrize(
    ("group", "rules", "found"),
    [
        ((WRONG,), (FROZEN,), FirstWrong()),
        ((replace(WRONG, sample=0), WRONG), (FROZEN,), FirstWrong()),
        ((comparison(), WRONG), (), FirstWrong()),
        ((comparison(), WRONG), (FROZEN,), FirstWrong(operation="abs_1", operation_type="abs")),
    ],
)
def test_a_frozen_value_is_not_blamed_where_sample_0_or_an_operation_is_wrong(
    group: tuple[Comparison, ...], rules: tuple[RuleMatch, ...], found: FirstWrong
) -> None:
    known = changed(UNLOCATED, first_wrong=found)
    record = model_record(parity=group, rules=rules, parity_diagnosis=known)
    assert "fixed to sample 0" not in only(parity.run(evidence(record))).message


DROPOUT = changed(FROZEN, rule="active-dropout", fix="Convert the model as it predicts:\nmodel.eval()")


def test_dropout_that_is_on_in_the_source_alone_is_the_cause_in_every_sample() -> None:
    record = model_record(parity=(replace(WRONG, sample=0),), rules=(DROPOUT,), parity_diagnosis=UNLOCATED)
    finding = only(parity.run(evidence(record)))
    assert finding.message.endswith("At net.py:13 dropout is active in the source, and the package has none.")
    assert finding.hint == "Convert the model as it predicts: `model.eval()`"
    assert (finding.status, finding.file, finding.line) == (Status.FAIL, "net.py", 13)


def test_dropout_is_no_cause_where_an_operation_is_wrong() -> None:
    found = changed(UNLOCATED, first_wrong=FirstWrong(operation="abs_1", operation_type="abs"))
    record = model_record(parity=(WRONG,), rules=(DROPOUT,), parity_diagnosis=found)
    assert "dropout" not in only(parity.run(evidence(record))).message


def test_an_unsteady_source_is_no_wrong_conversion() -> None:
    found = changed(UNLOCATED, first_wrong=FirstWrong(unsteady=True, hint="keep it in a buffer"))
    record = model_record(parity=(WRONG,), parity_diagnosis=found)
    (finding,) = parity.run(evidence(record))
    assert finding.message.endswith(": the source itself returns other results when it runs again.")
    assert finding.hint == "keep it in a buffer."


WIDE: Final = RuleMatch(
    rule="wide-integers",
    severity="silent",
    count=1,
    places=(RulePlace(place="mul", text="`aten::mul` beyond 32 bits", file="net.py", line=13),),
    fix="Hash in the app.",
)
MULTIPLIED: Final = FirstWrong(operation="mul_1", operation_type="mul", place="net.py:13")


def test_a_rule_on_silent_faults_at_the_line_of_the_wrong_operation_is_the_way_out() -> None:
    found = changed(UNLOCATED, first_wrong=MULTIPLIED)
    record = model_record(parity=(WRONG,), rules=(WIDE,), parity_diagnosis=found)
    assert only(parity.run(evidence(record))).hint == "`aten::mul` beyond 32 bits. Hash in the app."


@pytest.mark.parametrize(
    "found",
    [
        changed(UNLOCATED, first_wrong=changed(MULTIPLIED, place="net.py:14")),
        changed(UNLOCATED, first_wrong=changed(MULTIPLIED, hint="a known bug")),
        changed(UNLOCATED, first_wrong=MULTIPLIED, other_route=OtherRoute(route="trace", agrees=True)),
    ],
)
def test_a_rule_gives_way_to_a_known_bug_and_to_a_route_that_agrees(found: ParityDiagnosis) -> None:
    record = model_record(parity=(WRONG,), rules=(WIDE,), parity_diagnosis=found)
    assert "Hash in the app" not in only(parity.run(evidence(record))).hint


PACKED: Final = changed(FROZEN, rule="packed-sequence", fix="Mask what lies beyond a length.")


@pytest.mark.parametrize(
    ("match", "hint"),
    [
        (WIDE, "`aten::mul` beyond 32 bits. Hash in the app."),
        (
            PACKED,
            (
                "At net.py:13 the source packs sequences by their lengths, which the package ignores. Mask "
                "what lies beyond a length."
            ),
        ),
        (FROZEN, "a constant. Sample 0 decides: `torch.where(x.sum() > 0, a, b)`"),
        (changed(WIDE, severity="perf"), "clamp the indices."),
    ],
)
def test_a_package_that_refuses_what_it_was_given_wrongly_is_explained_by_the_rule(
    match: RuleMatch, hint: str
) -> None:
    refused = RefusedShape(
        shape="x (1, 6)", by="package", message="index 127", place="net.py:13", hint="clamp the indices."
    )
    record = model_record(parity=(), rules=(match,), refused_shapes=(refused,))
    assert only(parity.run(evidence(record))).hint == hint
