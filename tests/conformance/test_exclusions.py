"""Does an exclusion cover what it names and no more, and does each carry its reason?"""

from pathlib import Path
from typing import Any

import pytest

from conformance import exclusions, ledger


def _failed(**fields: Any) -> ledger.Entry:
    defaults = {"test": "iOS14/conv::TestConv::test_pad", "parameters": "fp16-2", "group": "iOS14/conv"}
    return ledger.Entry(
        **{**defaults, "outcome": "failed", "message": "LimitError: 0.01", "error": 0.01, **fields}
    )


@pytest.mark.parametrize(
    ("keys", "covered"),
    [
        ({"tests": "iOS14/conv::TestConv::test_pad"}, True),
        ({"tests": "*/conv::*"}, True),
        ({"tests": "iOS14/conv"}, False),
        ({"tests": "*", "parameters": ("fp16", "2")}, True),
        ({"tests": "*", "parameters": ("fp16", "3")}, False),
        ({"tests": "*", "message": "LimitError"}, True),
        ({"tests": "*", "message": "RuntimeError"}, False),
        ({"tests": "*", "limit": 0.02}, True),
        ({"tests": "*", "limit": 0.005}, False),
    ],
)
def test_covers(keys: dict[str, Any], covered: bool) -> None:
    assert exclusions.Exclusion(kind="undefined", reason="why", **keys).covers(_failed()) is covered


def test_only_failures_are_excluded_and_by_the_first_reason() -> None:
    both = tuple(exclusions.Exclusion("*", "undefined", reason) for reason in ("first", "second"))
    judged = exclusions.judge([_failed(), _failed(outcome="passed"), _failed(outcome="skipped")], both)
    assert [entry.outcome for entry in judged] == ["excluded", "passed", "skipped"]
    assert judged[0].reason == "undefined: first"
    assert exclusions.judge([_failed()], ())[0].outcome == "failed"


def test_every_exclusion_of_the_suite_has_a_kind_and_a_reason() -> None:
    known = exclusions.read_exclusions()
    assert known
    assert len({(item.tests, item.parameters, item.message) for item in known}) == len(known)


@pytest.mark.parametrize("entry", ['kind = "core-ml"\nreason = " "', 'kind = "flaky"\nreason = "why"'])
def test_an_exclusion_without_a_reason_or_of_no_kind_is_refused(tmp_path: Path, entry: str) -> None:
    path = tmp_path / "exclusions.toml"
    path.write_text(f'[[exclusion]]\ntests = "*"\n{entry}\n')
    with pytest.raises(ValueError, match=r"exclusions\.toml: `\*` wants a reason"):
        exclusions.read_exclusions(path)
