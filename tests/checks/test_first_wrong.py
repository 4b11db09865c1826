from typing import Any

import pytest

from coreml_gate.checks import parity
from coreml_gate.checks.first_wrong import place_of, sentence, way_out
from coreml_gate.frozen import changed
from coreml_gate.record import FirstWrong, OtherRoute, ParityDiagnosis
from tests.builders import comparison, model_record
from tests.checks.cases import evidence, only

SUB = FirstWrong(
    operation="sub_1",
    operation_type="sub",
    torch_operation="sub",
    module="blocks.0",
    place="models/net.py:41",
    error=0.473,
    others=("pow_2 (models/net.py:50)",),
    counts={"matched": 8, "differs": 1, "no counterpart": 2, "ambiguous": 1},
)


def diagnosis(found: FirstWrong = SUB, **overrides: Any) -> ParityDiagnosis:
    return ParityDiagnosis(**({"found_on": "samples", "sample": 0, "first_wrong": found} | overrides))


def test_operation_module_line_and_share() -> None:
    assert sentence(diagnosis()) == (
        " First operation to differ: `sub_1` (sub; torch `sub`, module `blocks.0`, models/net.py:41), off by "
        "0.473 of max. Compared: 75 % of the operations."
    )
    assert place_of(diagnosis()) == ("models/net.py", 41)


def test_a_lost_operation_and_the_reason() -> None:
    lost = changed(SUB, lost=True, torch_operation="add_", reason="the pass `p` breaks it")
    assert sentence(diagnosis(lost)).startswith(
        " Lost in the package: torch `add_`, module `blocks.0`, models/net.py:41; the first operation to "
        "show it is `sub_1` (sub); the pass `p` breaks it."
    )


def test_no_number_where_there_is_none() -> None:
    found = changed(SUB, error=None)
    assert "off in shape, non-finite values or integers." in sentence(diagnosis(found))


def test_what_is_unknown_is_named() -> None:
    unclear = diagnosis(FirstWrong(reason="the graph branches on values"))
    assert sentence(unclear) == (" First wrong operation unknown: the graph branches on values.")
    assert place_of(unclear) == ("", None)
    assert sentence(None) == way_out(None) == ""


@pytest.mark.parametrize(
    ("agrees", "hint", "text"),
    [
        (True, "", 'The trace route agrees with the source: conversion = "trace".'),
        (False, "write it so", "write it so. The trace route is wrong as well."),
        (
            None,
            "",
            "The trace route fails to convert, so rewrite the operation that the converter gets wrong.",
        ),
    ],
)
def test_the_way_out(agrees: bool | None, hint: str, text: str) -> None:
    told = diagnosis(changed(SUB, hint=hint), other_route=OtherRoute(route="trace", agrees=agrees))
    assert way_out(told) == text
    head = model_record(parity=(comparison(max_abs_error=0.31),), parity_diagnosis=told)
    line = ("[[model]]", 'name = "digits"', 'conversion = "trace"  # the line to add')
    assert only(parity.run(evidence(head))).patch == (line if agrees else ())


def test_parity_carries_operation_file_and_line() -> None:
    wrong = comparison(max_abs_error=0.31)
    finding = only(parity.run(evidence(model_record(parity=(wrong,), parity_diagnosis=diagnosis()))))
    assert "First operation to differ: `sub_1`" in finding.message
    assert (finding.file, finding.line) == ("models/net.py", 41)
    assert finding.details[:2] == (
        "operations paired with the source's: 8 matched, 1 differs, 2 no counterpart, 1 ambiguous",
        "these operations also differ by themselves: pow_2 (models/net.py:50)",
    )


def test_a_diagnosis_of_changed_samples_is_not_told_of_the_samples() -> None:
    other = diagnosis(found_on="zeros")
    wrong = comparison(max_abs_error=0.31)
    finding = only(parity.run(evidence(model_record(parity=(wrong,), parity_diagnosis=other))))
    assert "First operation" not in finding.message
