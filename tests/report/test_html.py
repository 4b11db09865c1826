"""The page: what it holds, that nothing on it acts, and that nothing is loaded from elsewhere."""

from html.parser import HTMLParser
from typing import Any

import pytest

from coreml_gate.record import Diagnosis, FirstWrong, Hazard, OperationError, ParityDiagnosis, Repair
from coreml_gate.report import ReportOptions, html
from tests.builders import memory, model_record, record
from tests.report.verdicts import SITUATIONS, regression

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Tags with their attributes, and the text; refuses what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_page_is_whole_and_alone(situation: str) -> None:
    page = Page(html.render(SITUATIONS[situation](), ReportOptions()))
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "iframe", "link", "object", "form", "base"}
    addresses = [
        value for _, attributes in page.tags for key, value in attributes.items() if key in {"href", "src"}
    ]
    assert all(str(address).startswith("#model-") for address in addresses)
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)


def test_foreign_text_is_shown_and_does_nothing() -> None:
    text = html.render(SITUATIONS["hostile"](), ReportOptions())
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_a_failure_shows_its_line_its_reason_and_its_way_out() -> None:
    page = Page(html.render(regression(), ReportOptions()))
    assert "models/net.py:41" in page.text
    assert "look at floor_divide (apple/coremltools#2762)." in page.text
    assert ("code", {}) in page.tags
    assert "logits sample 2 0.31 at (0, 7): source 4.02, package 3.71" in page.text


def test_what_the_record_holds_becomes_tables() -> None:
    near = Hazard(
        kind="overflow",
        operation="pow_3",
        operation_type="pow",
        module="RMSNorm",
        place="net.py:12",
        reaches=41_200.0,
        bound=65_504.0,
    )
    errors = tuple(
        OperationError(operation=name, operation_type="pow", mode="fp16", own=own, inherited=own)
        for name, own in (("a", 1e-3), ("b", 0.1))
    )
    repair = Repair(
        outcome="found", patterns=("RMSNorm/pow",), half_operations=42, kept=4, runs=9, conversions=1
    )
    measured = model_record(
        name="digits",
        diagnosis=Diagnosis(hazards=(near,), errors=errors, repair=repair),
        parity_diagnosis=ParityDiagnosis(
            asked_by="samples", sample=0, first_wrong=FirstWrong(counts={"matched": 3, "ambiguous": 1})
        ),
        memory=memory(timeline=(10, 40, 20)),
    )
    text = html.render(regression(), ReportOptions(record=record(measured)))
    page = Page(text)
    assert "none yet: 1.6x below" in page.text
    assert 'keep-fp32 = ["RMSNorm/pow"]' in page.text
    assert 'width:50%"></i>' in text
    assert 'width:83%" class="bad"></i>' in text
    assert "75 % of the operations were really compared" in page.text
    assert 'points="0,100 0,75.0 1,75.0 1,0.0 2,0.0 2,50.0 3,50.0 3,100"' in text


def test_packages_stand_side_by_side() -> None:
    page = html.render(SITUATIONS["variants"](), ReportOptions())
    assert "*  digits (ships)  yes   4.21 MB" in page
    assert "Best choice: <code>int8</code> for size (2.15 MB)" in page
    assert "package 0.82 | too low." in page
