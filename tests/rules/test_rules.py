"""Every rule fires on a model that has its pitfall, and not on one that nearly has it."""

import dataclasses
import re

import pytest

from coreml_gate.rules.catalogue import GROUPS, RULES, find_matches
from coreml_gate.rules.rule import SEVERITIES
from coreml_gate.torch_graph import TorchCall, TorchGraph
from tests.rules import cases_conversion, cases_core_ml, cases_core_ml_layers, cases_program

CASES = {
    **cases_program.CASES,
    **cases_core_ml.CASES,
    **cases_core_ml_layers.CASES,
    **cases_conversion.CASES,
}
_EVIDENCE = re.compile(r"[\w.-]+/[\w.-]+#\d+|https://\S+|measured: .+|IEEE 754 .+|[A-Z][\w, ]+: .+, \d{4}")


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_fires_where_its_pitfall_is(rule: str) -> None:
    fires, _, words = CASES[rule]

    texts = [match.text for match in RULES[rule].matches(fires())]

    assert any(words in text for text in texts), texts


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_keeps_still_at_a_near_miss(rule: str) -> None:
    _, near, _ = CASES[rule]

    assert [match.text for match in RULES[rule].matches(near())] == []


def test_the_way_out_of_half_indices_is_the_key_of_the_input_they_come_in_by() -> None:
    (match,) = RULES["fp16-indices"].matches(cases_program.half_indices())

    assert match.fix.endswith('\n[[model.input]]\nname = "ids"\ndtype = "int32"')


@pytest.mark.parametrize(("greatest", "fires"), [(40, False), (32_767, False), (40_000, True)])
def test_a_size_is_cut_to_16_bits_only_where_it_may_be_greater(greatest: int, fires: bool) -> None:
    made = cases_conversion.gathered_sizes(greatest)

    assert any(match.text.endswith("16") for match in RULES["narrowed-integers"].matches(made)) is fires


def test_an_operation_that_its_constant_keeps_in_float32_is_told_from_one_that_was_left_there() -> None:
    (match,) = RULES["fp16-cast-pairs"].matches(cases_program.mask_beyond_half())

    assert match.text.endswith("between two casts, because FP16 does not hold its constant -1e+09")
    assert "as -1e4 for a mask" in match.fix


def test_an_operation_of_the_package_has_the_line_at_which_it_was_written() -> None:
    found = find_matches(cases_program.island(), {"exp_0": "models/net.py:12"})

    places = [place for match in found for place in match.places if match.rule == "fp16-cast-pairs"]
    assert [(place.place, place.file, place.line) for place in places] == [("exp_0", "models/net.py", 12)]


def test_every_rule_has_its_cases_and_one_name() -> None:
    assert list(RULES) == [rule.id for rules in GROUPS.values() for rule in rules]
    assert set(CASES) == set(RULES)
    assert len(RULES) >= 60


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_summary_evidence_and_a_fix(rule: str) -> None:
    known = RULES[rule]

    assert known.severity in SEVERITIES
    assert known.summary.endswith(".")
    assert known.evidence
    assert all(_EVIDENCE.match(item) for item in known.evidence), known.evidence
    assert known.fix


def test_a_record_counts_all_places_and_keeps_the_first_few() -> None:
    (match,) = [item for item in find_matches(cases_conversion.unrolled()) if item.rule == "unrolled-loop"]

    assert match.count == 1
    assert match.severity == "perf"
    assert "200 operations share" in match.places[0].text


def test_a_part_that_is_not_there_is_not_asked() -> None:
    assert find_matches(cases_conversion.tested_versions()) == ()


def called(operation: str, **arguments: str) -> TorchGraph:
    call = TorchCall(
        name="y",
        operation=operation,
        inputs={name: value for name, value in arguments.items() if value},
        parameters=tuple(arguments),
        support="missing",
    )
    return TorchGraph(route="export", calls=(call,))


@pytest.mark.parametrize(
    ("rule", "graph", "words"),
    [
        (
            "no-converter",
            called("aten::i0", self="x"),
            ["def i0(", "(x,) = ", "[:1])", "i0(x) by MIL"],
        ),
        ("no-converter", called("aten::hypot", self="x", other="y"), ["def hypot(", "x, other = ", "[:2])"]),
        ("no-converter", called("aten::erfinv_", self="x"), ["@register_torch_op\n", "def erfinv("]),
        (
            "foreign-operation",
            called("Net_Library::twice", x="a", factor=""),
            ['(torch_alias=["net_library::twice"])', "def twice(", "x, factor = ", "twice(x, factor) by MIL"],
        ),
    ],
)
def test_the_frame_of_a_converter_has_the_operations_own_name_and_arguments(
    rule: str, graph: TorchGraph, words: list[str]
) -> None:
    (match,) = RULES[rule].matches(dataclasses.replace(cases_conversion.unconvertible(), graph=graph))

    assert [word for word in words if word not in match.fix] == []
    compile(match.fix.partition("\n")[2], "stub", "exec")
