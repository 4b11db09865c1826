"""docs/rules.md says what the rules say."""

from pathlib import Path

import pytest

from coreml_gate.rules.catalogue import RULES
from coreml_gate.rules.document import linked, page

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m coreml_gate.rules.document docs/rules.md"


def test_every_rule_has_a_heading() -> None:
    text = page()
    assert all(f"### `{rule}`" in text for rule in RULES)


@pytest.mark.parametrize(
    ("item", "words", "address"),
    [
        ("apple/coremltools#12", "apple/coremltools#12", "https://github.com/apple/coremltools/issues/12"),
        ("https://a.b/c (docs/d.md)", "docs/d.md", "https://a.b/c"),
        ("measured: it is so", "measured: it is so", ""),
    ],
)
def test_evidence_is_linked(item: str, words: str, address: str) -> None:
    assert linked(item) == (words, address)
