from pathlib import Path

import pytest

from coreml_gate.checks.document import filled
from coreml_gate.config.document import TABLES
from coreml_gate.config.limits import Limits

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["README.md", "docs/report.md"])
def test_the_pages_show_the_checks_as_they_are(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert filled(text) == text
    assert "<!-- end of" in text


def test_every_limit_has_a_table() -> None:
    assert {f"limits.{field.alias}" for field in Limits.model_fields.values()} <= set(TABLES)
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert all(f"<!-- table: {name} -->" in page for name in TABLES)
