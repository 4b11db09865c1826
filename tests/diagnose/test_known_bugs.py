import dataclasses
import re
import textwrap
from pathlib import Path

import pytest
import torch

from coreml_gate.diagnose import known_bugs
from coreml_gate.diagnose.known_bugs import KNOWN_BUGS, UNMEASURED, KnownBug, bug_at, bugs_of, hint_of
from coreml_gate.diagnose.torch_calls import TorchArguments, operand_of
from coreml_gate.frozen import changed
from coreml_gate.record import FirstWrong

TANH = TorchArguments({"approximate": "tanh"})
FOUND = FirstWrong(operation="gelu_0", operation_type="gelu", torch_operation="gelu")


def test_a_hint_names_the_bug_its_issue_and_the_way_out() -> None:
    assert hint_of(FOUND, "export", [TANH]) == (
        "the tanh approximation of gelu is converted to the exact function (apple/coremltools#2863): "
        'conversion = "trace", or write the approximation out'
    )


def test_another_route_or_operation_is_not_meant() -> None:
    assert hint_of(FOUND, "trace", [TANH]) == ""
    assert hint_of(changed(FOUND, torch_operation="silu"), "export", [TANH]) == ""


def test_a_call_that_does_not_meet_the_condition_gets_no_hint() -> None:
    exact = TorchArguments({"self": operand_of(torch.randn(3)), "approximate": "none"})
    assert hint_of(FOUND, "export", [exact]) == ""
    assert hint_of(FOUND, "export", []) == ""
    assert hint_of(FOUND, "export", [exact, TANH]) != ""


def test_an_operation_that_fails_in_several_ways_needs_its_reason() -> None:
    found = FirstWrong(torch_operation="add")
    assert bug_at(found, "export") is None
    reason = "the converter never reads `alpha` = 2 of `add`"
    bug = bug_at(changed(found, reason=reason), "export")
    assert bug is not None
    assert bug.id == "alpha"


def test_in_place_forms_are_the_same_operation_unless_only_they_are_meant() -> None:
    softplus = bug_at(FirstWrong(torch_operation="softplus_"), "trace")
    lost = bug_at(FirstWrong(torch_operation="add_"), "trace")
    assert softplus is not None
    assert softplus.id == "softplus-threshold"
    assert lost is not None
    assert lost.id == "lost-write"
    assert bug_at(FirstWrong(torch_operation="add"), "trace") is None


def test_a_bug_ends_with_the_release_that_fixes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = (
        dataclasses.replace(bug, fixed_in=end)
        for bug, end in zip(KNOWN_BUGS["9.0"], ("9.1", None), strict=False)
    )
    monkeypatch.setattr(known_bugs, "KNOWN_BUGS", {"9.0": (old, new)})
    assert bugs_of("8.3") == ()
    assert bugs_of("9.0") == (old, new)
    assert bugs_of("9.1") == (new,)
    assert bugs_of("10.0b1") == (new,)


def test_every_entry_can_be_told_apart_and_reported() -> None:
    bugs = (*KNOWN_BUGS["9.0"], *UNMEASURED)
    assert len({bug.id for bug in bugs}) == len(bugs)
    for bug in bugs:
        assert re.fullmatch(r"([\w-]+/[\w-]+#\d+)?", bug.issue)
        assert "return " in bug.example
        assert bug.what[-1] != "."
        assert bug.routes


PAGE = Path(__file__).parents[2] / "docs" / "known-converter-bugs.md"


@pytest.mark.parametrize("bug", KNOWN_BUGS["9.0"], ids=lambda bug: bug.id)
def test_the_page_says_what_the_table_says(bug: KnownBug) -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {bug.id}\n")
    entry, _, _ = rest.partition("\n## ")
    assert bug.what[1:] in entry, "python benchmarks/hunt/page.py docs/known-converter-bugs.md"
    assert textwrap.indent(bug.example, "    ") in entry
    assert bug.workaround in entry
    assert bug.issue in entry
    assert all(f"- {route}: " in entry for route in bug.routes)
    assert ": agrees." not in entry
    assert ": refused." not in entry
