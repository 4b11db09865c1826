"""Every code that a message can bear is explained, by the same text on a terminal and on the page."""

import re
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from coreml_gate import errors
from coreml_gate.checks import CHECKS
from coreml_gate.checks.of_the_run import OF_THE_RUN
from coreml_gate.cli import main
from coreml_gate.diagnose.known_bugs import KNOWN_BUGS
from coreml_gate.errors import GateError, UsageError
from coreml_gate.explain.document import described, page
from coreml_gate.explain.table import ERRORS, all_explanations, explained
from coreml_gate.rules.catalogue import RULES
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings

ROOT = Path(__file__).parents[2]


def _errors(kind: type[GateError] = GateError) -> Iterator[type[GateError]]:
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from _errors(each)


def test_every_check_rule_known_bug_and_error_is_explained_once() -> None:
    by_kind = {
        "check": {"source", *CHECKS, *OF_THE_RUN},
        "rule": set(RULES),
        "known bug": {bug.id for bugs in KNOWN_BUGS.values() for bug in bugs},
        "error": {error.code for error in _errors()},
    }
    counts = Counter((each.kind, each.code) for each in all_explanations())
    assert set(counts) == {(kind, code) for kind, codes in by_kind.items() for code in codes}
    assert set(counts.values()) == {1}


def test_every_explanation_answers_all_four_questions() -> None:
    silent = [each.code for each in all_explanations() if not all(map(str.strip, each.parts.values()))]
    assert silent == []


def test_every_page_exists_and_every_anchor_is_on_it() -> None:
    for each in all_explanations():
        name, _, anchor = each.page.partition("#")
        text = (ROOT / name).read_text(encoding="utf-8") if name else ""
        headings = {
            re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in text.splitlines()
        }
        assert not anchor or anchor in headings, each.page


def test_errors_stand_in_the_order_of_their_exit_codes() -> None:
    codes = [error.exit_code for error in ERRORS if error is not errors.MeasuringError]
    assert codes == sorted(codes)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SamplesError, "samples-error"),
        (errors.GitHubError, "github-error"),
        (errors.UnsupportedOperationsError, "unsupported-operations-error"),
    ],
)
def test_an_error_is_named_after_its_class(error: type[GateError], code: str) -> None:
    assert error.code == code
    assert [each.code for each in explained(str(error.exit_code))] == [code]


def test_a_check_says_how_to_fix_and_how_to_accept_it() -> None:
    (precision,) = explained("`precision`")
    text = described(precision, 300)
    assert text.startswith("precision (check)\n\nWhat it means:\n  Does the package stay accurate in FP16")
    assert "/coreml-gate accept precision of MODEL until YYYY-MM-DD" in text
    assert text.endswith("More: https://github.com/coreml-gate/coreml-gate/blob/main/docs/diagnose.md")


def test_a_rule_and_the_bug_behind_it_share_a_name() -> None:
    assert [each.kind for each in explained("flat-argmax")] == ["rule", "known bug"]
    assert "x.flatten().argmax(0)" in explained("flat-argmax")[0].fix


def test_an_unknown_code_names_the_nearest() -> None:
    with pytest.raises(UsageError) as raised:
        explained("hazard")
    assert raised.value.hint.startswith("perhaps you meant `hazards`")


def test_the_page_is_what_the_code_says() -> None:
    assert (ROOT / "docs/explain.md").read_text(encoding="utf-8") == page()


def _printed(*arguments: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    around = Surroundings(ROOT, {}, Screen(out, width=80), Screen(err, width=80))
    return main(arguments, around), out.getvalue(), err.getvalue()


def test_the_command_prints_one_code_or_all() -> None:
    code, out, _ = _printed("explain", "size")
    assert (code, out.splitlines()[0]) == (0, "size (check)")
    code, out, _ = _printed("explain")
    assert code == 0
    assert {"Checks", "Errors", "Rules", "Known bugs of the converter"} <= set(out.splitlines())


def test_an_error_on_the_terminal_names_its_code() -> None:
    code, _, err = _printed("explain", "nothing-of-this-name")
    assert code == UsageError.exit_code
    assert err.splitlines()[-1] == "`coreml-gate explain usage-error` says more."
