"""The page on reliability says what the suite tries, and nothing that did not hold."""

import re

from tests.reliability import ATTACKS, PAGE


def test_every_kind_was_tried_and_held() -> None:
    rows = re.findall(
        r"^\| ([^|*]+) \| ([^|]+) \| ([\d,]+) \| ([\d,]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    assert {kind: what for kind, what, _, _ in rows} == ATTACKS
    assert [kind for kind, _, tried, held in rows if tried != held] == []
