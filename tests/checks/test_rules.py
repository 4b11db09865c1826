"""What is new blames the pull request, what is known does not."""

from typing import Any

import pytest

from coreml_gate.checks import conversion, rules
from coreml_gate.config.options import RuleOptions
from coreml_gate.record import ConversionFacts, MissingOperation, RuleMatch, RulePlace
from coreml_gate.rules.catalogue import GROUPS, RULES
from coreml_gate.verdict import Finding, Status
from tests.builders import model_config, model_record
from tests.checks.cases import evidence

SEVERITIES: dict[str, Any] = {
    "rank-above-5": "fatal",
    "power-of-two": "silent",
    "undefined-crop": "unknown",
    "scatter": "perf",
    "fp16-softplus": "info",
}


def match(rule: str, count: int = 1, **place: Any) -> RuleMatch:
    first = RulePlace(**({"place": "pow_3", "text": "2 ** y is computed as y ** 2"} | place))
    return RuleMatch(
        rule=rule,
        severity=SEVERITIES[rule],
        count=count,
        places=(first,),
        fix="Write it out:\nexp",
        evidence="apple/coremltools#2687",
    )


def asked(
    head: list[RuleMatch] | None, base: list[RuleMatch] | None = None, **off: str
) -> dict[str, Finding]:
    baseline = None if base is None else model_record(rules=tuple(base))
    config = model_config(rules=RuleOptions(off={name.replace("_", "-"): why for name, why in off.items()}))
    measured = model_record(rules=None if head is None else tuple(head))
    return {finding.subject: finding for finding in rules.run(evidence(measured, baseline, config))}


@pytest.mark.parametrize(("rule", "status"), [("rank-above-5", Status.FAIL), ("power-of-two", Status.WARN)])
def test_what_is_wrong_for_sure_stands_alone(rule: str, status: Status) -> None:
    finding = asked([match(rule, 3, file="net.py", line=12)])[rule]

    assert finding.status is status
    assert finding.message == (
        f"`{rule}` at `pow_3` (net.py:12): 2 ** y is computed as y ** 2, and at 2 more places."
    )
    assert finding.hint == "Write it out: `exp`"
    assert "exp" not in finding.details
    assert (finding.file, finding.line) == ("net.py", 12)


@pytest.mark.parametrize("base", [None, [match("undefined-crop")]])
def test_a_result_that_core_ml_leaves_open_is_unsure_whatever_the_baseline_has(
    base: list[RuleMatch] | None,
) -> None:
    found = asked([match("undefined-crop")], base)
    assert found["undefined-crop"].status is Status.UNSURE
    assert found["rules"].message == "no known pitfall."


def test_what_is_slow_warns_only_against_a_baseline_without_it() -> None:
    assert asked([match("scatter")])["rules"].status is Status.PASS
    assert asked([match("scatter")], [])["speed"].status is Status.WARN
    assert set(asked([match("scatter")], [match("scatter")])) == {"rules"}


def test_more_places_than_the_baseline_has_are_new() -> None:
    finding = asked([match("power-of-two", 3)], [match("power-of-two", 2)])["power-of-two"]
    assert (finding.value, finding.base) == (3, 2)
    assert set(asked([match("power-of-two", 2)], [match("power-of-two", 2)])) == {"rules"}


@pytest.mark.parametrize("base", [None, []])
def test_what_may_be_never_warns(base: list[RuleMatch] | None) -> None:
    finding = asked([match("fp16-softplus")], base)["rules"]
    assert finding.status is Status.PASS
    assert finding.message.endswith("1 informational rule.")
    assert finding.details[0] == "info: `fp16-softplus`, 1 place [apple/coremltools#2687]"


def test_what_the_baseline_has_is_counted_and_folded_away() -> None:
    finding = asked([match("rank-above-5")], [match("rank-above-5")])["rules"]
    assert finding.status is Status.PASS
    assert finding.message.endswith("1 rule matched as in the baseline.")
    assert "rank-above-5" in finding.details[0]


def test_a_rule_that_is_switched_off_is_skipped_with_its_reason() -> None:
    findings = asked([match("power-of-two")], power_of_two="y is never odd")
    assert set(findings) == {"rules", "switched off"}
    assert findings["switched off"].status is Status.SKIPPED
    assert findings["switched off"].message == "`power-of-two` (y is never odd)."


def test_a_switch_that_changes_nothing_is_named() -> None:
    finding = asked([], power_of_too="typing error")["switched off"]
    assert finding.status is Status.SKIPPED
    assert "`power-of-too` matched nothing, or is not the name of a rule" in finding.message


def test_nothing_found_is_a_pass() -> None:
    assert asked([])["rules"].message == "no known pitfall."


def test_without_a_look_nothing_is_claimed() -> None:
    assert asked(None)["rules"].status is Status.UNSURE


def test_a_model_with_everything_takes_a_handful_of_lines() -> None:
    known = list(RULES.values())
    everything = [
        RuleMatch(rule=rule.id, severity=rule.severity, count=9, places=(RulePlace(place="x", text="y"),))
        for rule in known
    ]
    findings = rules.run(evidence(model_record(rules=tuple(everything)), model_record(rules=())))
    unknown = sum(rule.severity == "unknown" for rule in known)
    assert len(findings) == 2 * rules.MOST_FINDINGS + min(unknown, rules.MOST_FINDINGS) + 2
    text = "\n".join(line for finding in findings for line in (finding.message, *finding.details))
    assert all(f"`{rule.id}`" in text for rule in known)


def test_an_operation_without_a_converter_is_told_once_by_the_conversion() -> None:
    missing = MissingOperation(operation="i0", count=1, modules=())
    facts = ConversionFacts(status="failed", route="export", seconds=1.0, missing=(missing,))
    place = RulePlace(place="head", text="`aten::i0` has no converter")
    fires = RuleMatch(
        rule="no-converter", severity="fatal", count=1, places=(place,), fix="Write it:\ndef i0():"
    )
    measured = model_record(rules=(fires,), conversion=facts)

    (told,) = rules.run(evidence(measured))
    (finding,) = conversion.run(evidence(measured))

    assert told.status is Status.PASS
    assert finding.status is Status.FAIL
    assert "    def i0():" in finding.details


def test_the_rules_that_the_conversion_tells_are_those_on_operations_without_a_converter() -> None:
    group = {rule.id for rule in GROUPS["Operations without a converter"]}

    assert group - rules.REPORTED_BY_CONVERSION == {"broken-converter"}
    assert group >= rules.REPORTED_BY_CONVERSION
