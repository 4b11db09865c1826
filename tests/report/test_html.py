"""The page: what it holds, that it runs no script but its own, and that nothing is loaded from elsewhere."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from coreml_gate.record import (
    Diagnosis,
    FirstWrong,
    Hazard,
    ModelRecord,
    OperationProfile,
    ParityDiagnosis,
    Phase,
    Record,
    Repair,
)
from coreml_gate.report import ReportOptions, html
from coreml_gate.report.table import MOST_PASSING
from coreml_gate.verdict import Status
from tests.builders import environment, finding, memory, model_record, model_verdict, record, timed, verdict
from tests.report.verdicts import SITUATIONS, regression

VOID = {"meta", "br", "input"}
SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
PACKED = re.compile(r'<script type="application/octet-stream">([A-Za-z0-9+/=]*)</script>')
OUTLINE = (
    "x",
    "y",
    "scaled_cast_fp16\tmul\tNet\tscaled=fp16[1, 8]\tx\t\t",
    "summed_cast_fp16\treduce_sum\tNet\tsummed=fp16[1]\tscaled\t\t",
    "y\trsqrt\tNet\ty=fp16[1]\tsummed\t\t",
)


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
        if not set(self.open) & {"script", "style"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def profile(fp16: tuple[float | None, ...], **overrides: Any) -> OperationProfile:
    return OperationProfile(
        **{
            "operations": ("scaled", "summed", "y"),
            "places": ("net.py:4", "net.py:5", ""),
            "reaches": (3.0, 70_000.0, 1.0),
            "errors": {"fp16": fp16},
        }
        | overrides
    )


def drawn(head: ModelRecord, base: ModelRecord | None = None) -> Any:
    """What the scripts of the page of one model are given."""
    options = ReportOptions(record=record(head), base=None if base is None else record(base))
    (packed,) = PACKED.findall(html.render(regression(), options))
    return json.loads(gzip.decompress(base64.b64decode(packed)))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_page_is_whole_and_alone(situation: str) -> None:
    page = Page(html.render(SITUATIONS[situation](), ReportOptions()))
    assert not {tag for tag, _ in page.tags} & {"img", "iframe", "link", "object", "base"}
    addresses = [
        value for _, attributes in page.tags for key, value in attributes.items() if key in {"href", "src"}
    ]
    assert all(str(address).startswith("#model-") for address in addresses)
    assert not any(
        key.startswith("on") or key == "style" for _, attributes in page.tags for key in attributes
    )


def test_the_policy_names_the_one_script_and_the_one_style_by_their_digests() -> None:
    text = html.render(regression(), ReportOptions())
    (script,) = SCRIPT.findall(text)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in (style, script)]
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy == (
        f"default-src &#39;none&#39;; style-src &#39;sha256-{digests[0]}&#39;; "
        f"script-src &#39;sha256-{digests[1]}&#39;"
    )


def test_foreign_text_is_shown_and_does_nothing() -> None:
    text = html.render(SITUATIONS["hostile"](), ReportOptions())
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_foreign_text_in_a_record_stays_inside_of_its_data() -> None:
    evil = "</script><script>alert(1)</script>\u202e"
    outline = (*OUTLINE[:2], f"{evil}\tmul\t{evil}\ty=fp16[1]\tx\t\t")
    data = drawn(model_record(name="digits", outline=outline))
    assert data["program"]["name"] == ["</script><script>alert(1)</script>"]
    text = html.render(regression(), ReportOptions(record=record(model_record(outline=outline))))
    assert text.count("<script") == len(PACKED.findall(text)) + 1


def test_a_failure_shows_its_line_its_reason_and_its_way_out() -> None:
    page = Page(html.render(regression(), ReportOptions()))
    assert "models/net.py:41" in page.text
    assert "look at floor_divide (apple/coremltools#2762)." in page.text
    assert ("code", {}) in page.tags
    assert "logits sample 2 0.31 at (0, 7): source 4.02, package 3.71" in page.text


def test_what_the_diagnosis_holds_becomes_tables() -> None:
    near = Hazard(
        kind="overflow",
        operation="pow_3",
        operation_type="pow",
        module="RMSNorm",
        place="net.py:12",
        reaches=41_200.0,
        bound=65_504.0,
    )
    repair = Repair(
        outcome="found", patterns=("RMSNorm/pow",), half_operations=42, kept=4, runs=9, conversions=1
    )
    measured = model_record(
        name="digits",
        diagnosis=Diagnosis(hazards=(near,), repair=repair),
        parity_diagnosis=ParityDiagnosis(
            found_on="samples", sample=0, first_wrong=FirstWrong(counts={"matched": 3, "ambiguous": 1})
        ),
    )
    page = Page(html.render(regression(), ReportOptions(record=record(measured))))
    assert "none yet: 1.6x below" in page.text
    assert 'keep-fp32 = ["RMSNorm/pow"]' in page.text
    assert "75 % of the operations were compared with the source" in page.text


def test_each_line_of_the_program_has_its_error_its_range_and_its_source_line() -> None:
    head = model_record(outline=OUTLINE, profile=profile((1e-4, 0.5, 0.6)))
    program = drawn(head)["program"]
    assert program["name"] == ["scaled_cast_fp16", "summed_cast_fp16", "y"]
    assert program["place"] == ["net.py:4", "net.py:5", ""]
    assert program["errors"] == {"fp16": [1e-4, 0.5, 0.6]}
    assert program["reaches"] == [3.0, 70_000.0, 1.0]
    assert program["gives"][0] == "fp16[1, 8]"
    assert program["firstWrong"] == 1


@pytest.mark.parametrize(
    ("errors", "first"),
    [((1e-4, 1e-3, 9e-3), None), ((0.2, 0.5, 0.6), 0), ((1e-4, None, 0.6), 2), ((None, None, None), None)],
)
def test_the_first_wrong_operation_reads_nothing_wrong(
    errors: tuple[float | None, ...], first: int | None
) -> None:
    assert drawn(model_record(outline=OUTLINE, profile=profile(errors)))["program"]["firstWrong"] == first


def test_an_error_of_the_conversion_is_drawn_and_marks_its_line() -> None:
    wrong = FirstWrong(operation="scaled", errors={"scaled": 0.3, "y": 0.2}, counts={"differs": 2})
    diagnosed = ParityDiagnosis(found_on="samples", sample=0, first_wrong=wrong)
    head = model_record(outline=OUTLINE, profile=profile((1e-4, 0.5, 0.6)), parity_diagnosis=diagnosed)
    program = drawn(head)["program"]
    assert program["errors"]["fp32"] == [0.3, None, 0.2]
    assert program["firstWrong"] == 0


def test_the_base_lies_beside_each_operation_that_it_has_too() -> None:
    other = OUTLINE[:2] + OUTLINE[3:4] + ("y\trsqrt\tNet\ty=fp16[1]\tsummed\t\t",)
    head = model_record(outline=OUTLINE, profile=profile((1e-4, 0.5, 0.6)))
    same = drawn(head, model_record(outline=OUTLINE, profile=profile((1e-5, 2e-5, 3e-5))))["program"]
    assert same["baseErrors"] == {"fp16": [1e-5, 2e-5, 3e-5]}
    fewer = profile((2e-5, 3e-5), operations=("summed", "y"), places=("", ""), reaches=(2.0, 1.0))
    program = drawn(head, model_record(outline=other, profile=fewer))["program"]
    assert program["baseErrors"] == {"fp16": [None, 2e-5, 3e-5]}
    assert program["baseReaches"] == [None, 2.0, 1.0]


def test_memory_times_steps_and_devices_are_drawn() -> None:
    data = drawn(
        model_record(
            memory=memory(timeline=(10, 40, 20)),
            core_ml=timed((0.1,) * 20),
            phases=(Phase(step="convert", seconds=1.5),),
        ),
        model_record(memory=memory(timeline=(10, 30), weight_bytes=7)),
    )
    assert data["memory"] == {
        "live": [10, 40, 20],
        "weights": 19_000_000,
        "peak": "conv_1",
        "base": [10, 30],
        "baseWeights": 7,
    }
    (time,) = data["times"]
    assert (time["median"], time["low"], time["high"], len(time["ratios"])) == (1.1052, 1.1052, 1.1052, 20)
    assert data["phases"] == [["convert", 1.5]]
    assert all(device[6].endswith(("17", "18", "26")) for device in data["devices"])
    assert [device[3] for device in data["devices"]] == sorted(
        (each[3] for each in data["devices"]), reverse=True
    )


def test_times_that_no_clock_gives_leave_the_page_whole() -> None:
    (time,) = drawn(model_record(core_ml=timed((1e300, -1e300, 0.0))))["times"]
    assert time["ratios"][1:] == [0.0, 1.0]
    assert time["low"] is None


def test_an_outline_of_another_form_leaves_the_rest_of_the_page() -> None:
    data = drawn(model_record(outline=("x", "y", "torn"), phases=(Phase(step="convert", seconds=1.5),)))
    assert "program" not in data
    assert data["phases"] == [["convert", 1.5]]


def test_base_and_head_stand_side_by_side_and_another_toolchain_is_marked() -> None:
    older: Record = record(environment=environment(torch="2.9.0"))
    text = html.render(regression(), ReportOptions(record=record(), base=older))
    assert '<span class="differs">torch 2.13.0</span>' in text
    assert '<span class="differs">torch 2.9.0</span>' in text
    assert "<span>coremltools 9.0</span>" in text


def test_models_whose_names_differ_in_a_sign_have_links_of_their_own() -> None:
    names = ("a b", "a-b", "a/b", "x" * 10_000, "x" * 10_001)
    text = html.render(verdict(*(model_verdict(name=name) for name in names)), ReportOptions())
    anchors = re.findall(r'<details class="card[^>]* id="([^"]+)"', text)
    assert len(set(anchors)) == len(names)
    assert anchors[1] == "model-a-b"
    assert re.findall(r'<a href="#([^"]+)"', text) == anchors
    assert max(map(len, anchors)) < 80
    assert "x" * 121 not in text


def test_packages_stand_side_by_side() -> None:
    page = html.render(SITUATIONS["variants"](), ReportOptions())
    assert "*  digits (ships)  yes   4.21 MB" in page
    assert "Best choice: <code>int8</code> for size (2.15 MB)" in page
    assert "is 0.820 | too low." in page


def test_of_many_models_that_pass_the_first_have_a_section_and_all_have_a_row() -> None:
    models = [model_verdict(name=f"sound-{each}") for each in range(150)]
    models += [model_verdict(finding(status=Status.FAIL), name=f"blocked-{each}") for each in range(120)]
    page = html.render(verdict(*models), ReportOptions())
    rows, sections = page.count('<tr data-status="'), page.count('id="model-')
    assert (rows, sections) == (270, 120 + MOST_PASSING)
    assert page.count('<th scope="row"><a href="#') == 120 + MOST_PASSING
    assert "The findings of 50 models that pass are in report.json only." in page
    assert "report.json only" not in html.render(verdict(*models[:100]), ReportOptions())
