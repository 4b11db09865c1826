import pytest

from coreml_gate.frozen import changed
from coreml_gate.report.headline import comparison, counts, headline
from coreml_gate.verdict import BaselineFacts, Status, Verdict
from tests.builders import finding, model_verdict, verdict
from tests.report.verdicts import NO_BASE, accepted, nothing, sound

FAILED = model_verdict(finding(status=Status.FAIL))
BROKEN = model_verdict(problem_exit_code=5)
WARNED = model_verdict(finding(status=Status.WARN))
UNSURE = model_verdict(finding(), finding(check="size", status=Status.UNSURE))
FINE = sound("fine")
ONLY_SIZE = model_verdict(finding(check="size"), finding(status=Status.SKIPPED))
LOST_NUMBERS = model_verdict(finding(status=Status.UNSURE))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (verdict(FINE), "`fine` may merge"),
        (verdict(WARNED), "`digits` may merge, with warnings"),
        (verdict(UNSURE), "`digits` may merge, not fully checked"),
        (verdict(ONLY_SIZE), "`digits` may merge, without any output compared"),
        (verdict(LOST_NUMBERS), "`digits` may merge, not fully checked, without any output compared"),
        (verdict(FINE, ONLY_SIZE), "both models may merge, 1 without any output compared"),
        (verdict(FINE, FINE), "both models may merge"),
        (verdict(FINE, WARNED, UNSURE), "all 3 models may merge, 1 with warnings, 1 not fully checked"),
        (verdict(FINE, FAILED, WARNED), "1 of 3 models must not merge"),
        (verdict(BROKEN), "`digits` could not be measured"),
        (verdict(FAILED), "`digits` must not merge"),
        (verdict(FAILED, FINE, BROKEN), "1 of 3 models must not merge, and 1 could not be measured"),
        (nothing(), "no model had to be measured"),
    ],
)
def test_headline(given: Verdict, words: str) -> None:
    assert headline(given) == words


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Compared `1a2b3c4` with base `0f9e8d7` (rebuilt in this run)."),
        ({"commit": None}, "Compared the work tree with base `0f9e8d7` (rebuilt in this run)."),
        (
            {"dirty": True},
            "Compared `1a2b3c4` with uncommitted changes with base `0f9e8d7` (rebuilt in this run).",
        ),
        (
            {"baseline": NO_BASE},
            "Measured `1a2b3c4`; nothing to compare with: `build/base/record.json` does not exist yet.",
        ),
        (
            {"baseline": BaselineFacts(origin="record build/base", commit="0f9e8d7c6b5a", present=True)},
            "Compared `1a2b3c4` with base `0f9e8d7` (record build/base).",
        ),
    ],
)
def test_what_was_compared(changes: dict[str, object], sentence: str) -> None:
    assert comparison(changed(verdict(), **changes))[0] == sentence


@pytest.mark.parametrize(
    ("engine", "sentence"),
    [
        ("mil", "Core ML itself, which needs macOS, did not run."),
        ("mil+coreml", "come from Core ML, all other numbers from the MIL runtime."),
        ("mil+stand-in", "no number is Core ML's."),
        ("onnx", "Numbers come from engine `onnx`."),
    ],
)
def test_who_computed(engine: str, sentence: str) -> None:
    assert comparison(verdict(engine=engine))[1].endswith(sentence)


def test_counts() -> None:
    assert counts(verdict(FINE, FINE, WARNED, FAILED)) == "1 fail, 1 warn, 2 pass"


def test_accepted_failures_are_counted_at_the_top() -> None:
    assert comparison(accepted())[-1] == "1 failure accepted: see the warnings."


def test_a_package_without_a_source_is_said_to_have_none() -> None:
    given = model_verdict(finding(status=Status.SKIPPED, subject="outputs"), name="detector")
    assert comparison(verdict(given))[-1] == "Without a PyTorch source to compare with: `detector`."
    assert headline(verdict(given)) == "`detector` may merge, without any output compared"
