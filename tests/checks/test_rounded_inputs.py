from typing import Any

import pytest

from coreml_gate.checks import parity
from coreml_gate.record import ElementIndex, InputRounding, RoundedInput
from coreml_gate.verdict import Finding, Status
from tests.builders import comparison, model_record
from tests.checks.cases import evidence

PLACE = ElementIndex(index=(0, 5), reference=29721.0, candidate=29728.0)


def ids(**overrides: Any) -> RoundedInput:
    return RoundedInput(**({"input": "ids", "sample": 2, "place": PLACE, "whole": True} | overrides))


def said(rounding: InputRounding) -> Finding | None:
    findings = parity.run(evidence(model_record(input_rounding=rounding)))
    return next((each for each in findings if each.subject == "ids"), None)


def test_ids_that_become_other_ids_fail_with_the_value_and_a_way_out() -> None:
    wrong = comparison(candidate="rounded-inputs", psnr=-0.1, cosine=0.2)
    finding = said(InputRounding(inputs=(ids(),), comparisons=(wrong,)))
    assert finding is not None
    assert finding.status is Status.FAIL
    assert finding.message == (
        "input `ids` is float16, which rounds 29721 at (0, 5) of sample 2 to 29728: output `logits` of the "
        "source: PSNR -0.1 dB in sample 0, minimum 30 dB."
    )
    assert '`dtype = "float32"` for `ids`' in finding.hint


def test_values_of_which_the_source_thinks_the_same_say_nothing() -> None:
    near = comparison(candidate="rounded-inputs", psnr=66.0)
    assert said(InputRounding(inputs=(ids(whole=False),), comparisons=(near,))) is None


@pytest.mark.parametrize(("whole", "status"), [(True, Status.FAIL), (False, Status.UNSURE)])
def test_another_class_is_a_fault_of_ids_and_may_be_a_near_tie_of_scores(whole: bool, status: Status) -> None:
    other = comparison(candidate="rounded-inputs", unequal=1, psnr=None, cosine=None, top1=None)
    finding = said(InputRounding(inputs=(ids(whole=whole),), comparisons=(other,)))
    assert finding is not None
    assert finding.status is status


def test_what_the_source_refuses_once_it_is_rounded_fails() -> None:
    finding = said(InputRounding(inputs=(ids(),), refused="IndexError: index out of range in self."))
    assert finding is not None
    assert finding.status is Status.FAIL
    assert finding.message.endswith(
        "the source does not accept the rounded value (IndexError: index out of range in self)."
    )


def test_a_value_that_no_half_holds_is_named_before_all_others() -> None:
    place = ElementIndex(index=(0, 0), reference=70000.0, candidate="+inf")
    wrong = comparison(candidate="rounded-inputs", nonfinite_mismatches=1, nonfinite_place=place)
    inputs = (ids(input="x", whole=False), ids(place=place, sample=0))
    finding = said(InputRounding(inputs=inputs, comparisons=(wrong,)))
    assert finding is not None
    assert "has no number beyond 65504: 70000 at (0, 0) of sample 0 becomes infinite" in finding.message
    assert finding.details == ("also: input `x`, which rounds 29721 at (0, 5) of sample 2 to 29728",)
