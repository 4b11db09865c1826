"""The three ways to name code and data."""

import pytest

from coreml_gate.config.reference import (
    DataReference,
    ModuleReference,
    Reference,
    ScriptReference,
    parse_reference,
)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("models/digits.py:build", ScriptReference("models/digits.py", "build")),
        ("digits.py:Net.small", ScriptReference("digits.py", "Net.small")),
        ("shop.models:build", ModuleReference("shop.models", "build")),
        ("weights/net.pt2", DataReference("weights/net.pt2")),
        ("models/digits.py", None),
        ("models/digits:build", None),
        ("models/digits.py:", None),
        ("models/digits.py:2nd", None),
        ("", None),
    ],
)
def test_parse_reference(text: str, reference: Reference | None) -> None:
    assert parse_reference(text) == reference
