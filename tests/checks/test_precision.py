from typing import Any

import pytest

from coreml_gate.checks import parity, precision
from coreml_gate.config import Compression
from coreml_gate.frozen import changed
from coreml_gate.record import (
    Comparison,
    Diagnosis,
    ElementIndex,
    OperationError,
    Repair,
    RuleMatch,
    RulePlace,
    TopOne,
)
from coreml_gate.verdict import Finding, Status
from tests.builders import comparison, model_config, model_record, precision_comparison
from tests.checks.cases import NOT_CONVERTED, UNSUPPORTED, evidence, limited, only
from tests.checks.test_hazards import hazard


def at(psnr: float | None, **overrides: Any) -> Comparison:
    return precision_comparison(psnr=psnr, **overrides)


def run(*group: Comparison, base: tuple[Comparison, ...] | None = None, **options: Any) -> Finding:
    baseline = None if base is None else model_record(precision=base)
    return only(precision.run(evidence(model_record(precision=group), baseline, **options)))


def test_pass_with_the_worst_sample() -> None:
    finding = run(at(61.0), at(55.04, sample=1), at(70.0, sample=2), base=(at(54.0),))
    assert finding.status is Status.PASS
    assert finding.message == "output `logits`: PSNR 55.0 dB, minimum 30 dB."
    assert (finding.value, finding.base, finding.limit, finding.unit) == (55.04, 54.0, 30.0, "dB")
    assert len(finding.details) == 3


def test_exact() -> None:
    finding = run(at(None, max_abs_error=0.0, max_abs_place=None))
    assert finding.message == "output `logits`: equal to the float32 package in 1 sample."
    assert (finding.status, finding.value) == (Status.PASS, None)


def test_fail() -> None:
    finding = run(at(60.0), at(27.36, sample=5))
    assert finding.status is Status.FAIL
    assert finding.message == (
        "output `logits` is wrong in FP16: PSNR 27.4 dB in sample 5, minimum 30 dB. "
        "Would pass with psnr = 27.3."
    )
    assert 'precision = "float32"' in finding.hint


def test_warn() -> None:
    finding = run(at(35.55))
    assert finding.status is Status.WARN
    assert finding.message == (
        "output `logits`: PSNR 35.5 dB is above the minimum of 30 dB, but below the 40 dB that FP16 should "
        "reach. Would pass with warn-psnr = 35.5."
    )


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        ({"candidate_shape": (10,)}, "shape (10,) in sample 0, the float32 package gives (1, 10)"),
        (
            {
                "nonfinite_mismatches": 10,
                "nonfinite_place": ElementIndex(index=(0, 0), reference=7e4, candidate="+inf"),
            },
            "(float32 package 70000, shipped package +inf)",
        ),
        ({"cosine": 0.99}, "cosine similarity 0.99 in sample 0, minimum 0.997"),
        (
            {"top1": TopOne(rows=1, disagreements=1, least_gap=0.2, worst_gap=0.2, row=0)},
            "two best scores are 20 % of the row's range apart, allowed up to 5 %",
        ),
    ],
)
def test_other_failures(overrides: dict[str, Any], part: str) -> None:
    finding = run(at(55.0, **overrides))
    assert finding.status is Status.FAIL
    assert part in finding.message
    assert (finding.value is None) == ("shape" in part or "inf" in part)
    assert "` is wrong in FP16: " in finding.message


def test_a_failure_goes_before_a_warning() -> None:
    finding = run(at(35.0, cosine=0.5))
    assert finding.message.startswith("output `logits` is wrong in FP16: cosine similarity 0.5")
    assert finding.details[0].startswith("also: PSNR 35.0 dB is above the minimum")


def test_integers_that_change_are_unsure() -> None:
    finding = run(at(None, unequal=2, cosine=None, top1=None))
    assert finding.status is Status.UNSURE
    assert "may be wrong in FP16: 2 of 10 integers differ in sample 0" in finding.message


@pytest.mark.parametrize(
    ("head", "base", "status"),
    [
        (45.0, 48.0, Status.PASS),
        (45.0, 48.5, Status.FAIL),
        (45.0, None, Status.FAIL),
        (50.0, 90.0, Status.PASS),
        (50.0, None, Status.PASS),
        (48.0, 45.0, Status.PASS),
    ],
)
def test_a_drop_matters_only_below_a_level(head: float, base: float | None, status: Status) -> None:
    assert run(at(head), base=(at(base),)).status is status


def test_drop_message() -> None:
    assert run(at(43.0), base=(at(48.55),)).message == (
        "output `logits` lost precision in FP16: PSNR fell from 48.5 dB (baseline) to 43.0 dB, allowed drop "
        "3 dB (below 50 dB). Would pass with max-psnr-drop = 5.6."
    )


def test_no_limit_is_offered_that_would_switch_the_check_off() -> None:
    assert run(at(2.6)).message == (
        "output `logits` is wrong in FP16: PSNR 2.6 dB in sample 0, minimum 30 dB."
    )


def test_a_drop_between_toolchains_is_unsure() -> None:
    finding = run(at(42.0), base=(at(48.5),), coremltools="8.3")
    assert finding.status is Status.UNSURE
    assert finding.details[0] == "the baseline was measured with coremltools 8.3, the head with 9.0"


def test_an_absolute_failure_stays_one_between_toolchains() -> None:
    assert run(at(20.0), base=(at(60.0),), torch="2.7.0").status is Status.FAIL


def test_reports_even_when_parity_failed() -> None:
    head = model_record(parity=(comparison(max_abs_error=1.0),))
    assert only(parity.run(evidence(head))).status is Status.FAIL
    assert only(precision.run(evidence(head))).status is Status.PASS


@pytest.mark.parametrize(
    ("compress", "words"),
    [
        (Compression(method="palettize", bits=4), "with 4-bit palettised weights in FP16"),
        (Compression(method="linear-int8"), "with linear-int8 weights in FP16"),
    ],
)
def test_compression_is_named(compress: Compression, words: str) -> None:
    finding = run(at(20.0), config=model_config(compress=compress))
    assert f"output `logits` is wrong {words}: " in finding.message
    assert "more bits" in finding.hint


def test_compression_of_a_float32_package_is_judged() -> None:
    config = model_config(precision="float32", compress=Compression(method="linear-int8"))
    assert "is wrong with linear-int8 weights: " in run(at(20.0), config=config).message


def test_skipped_and_unsure() -> None:
    float32 = only(precision.run(evidence(config=model_config(precision="float32"))))
    assert (float32.status, float32.message) == (
        Status.SKIPPED,
        'precision = "float32": nothing is rounded to FP16.',
    )
    assert only(precision.run(evidence(NOT_CONVERTED))).status is Status.UNSURE
    assert only(precision.run(evidence(UNSUPPORTED))).status is Status.UNSURE


def test_limits_of_the_configuration_are_used() -> None:
    assert run(at(25.0), config=limited(precision={"psnr": 20, "warn_psnr": 24})).status is Status.PASS


@pytest.mark.parametrize(
    ("outline", "skipped"),
    [
        (("x", "y", "y\tmul\t\ty=fp32[1, 8]\tx\t\t"), True),
        (("x", "y", "y\tmul\t\ty=fp16[1, 8]\tx\t\t"), False),
        (("x", "y", "a\tcast\t\ta=fp16[8]\tx\t\t", "y\tcast\t\ty=fp32[8]\ta\t\t"), False),
        (("ids", "y", "a\tcast\t\ta=int16[8]\tids\t\t", "y\tgather\t\ty=int32[8]\ta\t\t"), False),
        (("ids", "y", "a\tcast\t\ta=uint16[8]\tids\t\t", "y\tgather\t\ty=int32[8]\ta\t\t"), False),
        (("ids", "y", "y\tgather\t\ty=int32[8]\tids\t\t"), True),
        ((), False),
    ],
)
def test_a_package_without_a_half_has_no_half_precision_to_judge(
    outline: tuple[str, ...], skipped: bool
) -> None:
    finding = only(precision.run(evidence(model_record(outline=outline))))
    assert (finding.status is Status.SKIPPED, finding.unit == "float32") == (skipped, skipped)


CUT = RuleMatch(
    rule="narrowed-integers",
    severity="silent",
    count=1,
    places=(RulePlace(place="ids_to_int16", text="cut"),),
    fix='Values come out wrong:\nskip-passes = ["common::add_int16_cast"]',
)
WRAPPED = precision_comparison(
    output="token", unequal=1, max_abs_error=65536.0, psnr=None, cosine=None, top1=None
)
BROKEN = precision_comparison(output="rows", psnr=-1.5)


def test_a_cast_to_16_bits_is_named_where_integers_are_a_multiple_of_two_to_the_16_off() -> None:
    (finding,) = precision.run(evidence(model_record(precision=(BROKEN, WRAPPED), rules=(CUT,))))
    assert finding.status is Status.FAIL
    assert finding.message == (
        "outputs `rows` and `token` are wrong, because `ids_to_int16` cuts integers to 16 bits: "
        "PSNR -1.5 dB in sample 0, minimum 30 dB. The number is that of `rows`."
    )
    assert [line.partition(": ")[0] for line in finding.details] == ["`rows`", "`token`"]
    assert finding.hint == 'Values come out wrong: `skip-passes = ["common::add_int16_cast"]`'


def test_an_output_that_the_cast_leaves_alone_keeps_its_own_finding() -> None:
    sound = precision_comparison(output="score", psnr=61.0)
    findings = precision.run(evidence(model_record(precision=(BROKEN, sound, WRAPPED), rules=(CUT,))))
    assert [(finding.subject, finding.status) for finding in findings] == [
        ("rows", Status.FAIL),
        ("score", Status.PASS),
    ]


def test_a_cast_to_16_bits_is_named_where_half_precision_breaks_nothing() -> None:
    small = OperationError(operation="rows", operation_type="gather", mode="fp16", own=3e-4, inherited=3e-4)
    looked = Diagnosis(errors=(small,))
    (finding,) = precision.run(evidence(model_record(precision=(BROKEN,), rules=(CUT,), diagnosis=looked)))
    assert "is wrong, because `ids_to_int16` cuts integers to 16 bits: " in finding.message
    broken = changed(looked, hazards=(hazard(bites_in="fp16"),))
    (finding,) = precision.run(evidence(model_record(precision=(BROKEN,), rules=(CUT,), diagnosis=broken)))
    assert "is wrong in FP16: " in finding.message


@pytest.mark.parametrize(
    ("token", "rules"),
    [(WRAPPED, ()), (precision_comparison(output="token", unequal=1, max_abs_error=3.0, psnr=None), (CUT,))],
)
def test_without_the_cast_or_the_multiple_half_precision_is_named(
    token: Comparison, rules: tuple[RuleMatch, ...]
) -> None:
    rows, integers = precision.run(evidence(model_record(precision=(BROKEN, token), rules=rules)))
    assert "is wrong in FP16: " in rows.message
    assert integers.status is Status.UNSURE


def test_the_line_is_that_of_what_float32_repairs_where_errors_were_not_measured() -> None:
    """As of a package with states, which cannot run twice side by side."""
    near = hazard(operation="pow_4", bites_in=None, place="net.py:9")
    cause = hazard(operation="pow_5", bites_in=None, place="net.py:13")
    repair = Repair(outcome="found", operations=("pow_5",), patterns=("Norm/pow",))
    looked = Diagnosis(hazards=(near, cause), repair=repair)
    (finding,) = precision.run(evidence(model_record(precision=(BROKEN,), diagnosis=looked)))
    assert (finding.file, finding.line) == ("net.py", 13)
