"""``coreml-gate rules`` on a terminal and for machines."""

import json
from io import StringIO
from pathlib import Path

import pytest

from coreml_gate.cli import main
from coreml_gate.rules.catalogue import RULES
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings


def printed(*arguments: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    around = Surroundings(Path(), {}, Screen(out), Screen(err))
    return main(["rules", *arguments], around), out.getvalue(), err.getvalue()


def test_every_rule_has_its_line() -> None:
    code, text, _ = printed()
    assert code == 0
    assert all(f" {rule} " in text for rule in RULES)
    assert f"{len(RULES)} rules." in text


def test_one_rule_comes_with_its_evidence_and_its_fix() -> None:
    _, text, _ = printed("power-of-two")
    assert "https://github.com/apple/coremltools/issues/2628" in text
    assert "torch.exp(y * math.log(2))" in text


def test_machines_get_json() -> None:
    _, text, _ = printed("power-of-two", "--json")
    (rule,) = json.loads(text)
    assert (rule["id"], rule["severity"], rule["looks-at"]) == ("power-of-two", "silent", "program")


@pytest.mark.parametrize("name", ["", "power_of_two"])
def test_an_unknown_rule_is_bad_input(name: str) -> None:
    code, _, error = printed(name)
    assert code == 2
    assert f"there is no rule `{name}`" in error
