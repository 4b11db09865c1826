"""Every format of every situation against its golden file.

``COREML_GATE_UPDATE_GOLDENS=1 pytest tests/report`` writes them anew; read the difference before committing.
"""

import os
from pathlib import Path

import pytest

from coreml_gate.report import FORMATS, ReportOptions, document
from coreml_gate.version import __version__
from tests.report.verdicts import SITUATIONS

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"
SUFFIXES = {"markdown": "md", "terminal": "txt", "json": "json", "junit": "xml", "sarif": "sarif"}
READ_BY_MACHINES = ("regression", "hostile")
"""Situations that the formats for machines are pinned for; the others would say the same again."""


def compare(path: Path, text: str) -> None:
    if os.environ.get("COREML_GATE_UPDATE_GOLDENS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["markdown", "terminal"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_formats_for_people(situation: str, form: str) -> None:
    text = FORMATS[form](SITUATIONS[situation](), ReportOptions())
    compare(GOLDEN / f"{situation}.{SUFFIXES[form]}", text)


@pytest.mark.parametrize("form", ["json", "junit", "sarif"])
@pytest.mark.parametrize("situation", READ_BY_MACHINES)
def test_formats_for_machines(situation: str, form: str) -> None:
    text = FORMATS[form](SITUATIONS[situation](), ReportOptions())
    compare(GOLDEN / f"{situation}.{SUFFIXES[form]}", text.replace(f'"{__version__}"', '"VERSION"'))


def test_published_schema_is_fresh() -> None:
    compare(SCHEMA, document.schema())


def test_no_golden_file_is_left_over() -> None:
    expected = {
        f"{situation}.{SUFFIXES[form]}" for situation in SITUATIONS for form in ("markdown", "terminal")
    }
    expected |= {
        f"{name}.{SUFFIXES[form]}" for name in READ_BY_MACHINES for form in ("json", "junit", "sarif")
    }
    assert {path.name for path in GOLDEN.iterdir()} == expected
