import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coreml_gate.frozen import changed
from coreml_gate.report import ReportOptions, markdown
from coreml_gate.report.columns import split_columns
from coreml_gate.report.table import build_table
from coreml_gate.verdict import Finding, Status, Verdict
from tests.builders import finding, model_verdict, verdict
from tests.foreign.test_escape import FOREIGN
from tests.report import gfm
from tests.report.verdicts import (
    HOSTILE,
    SITUATIONS,
    hostile,
    many,
    parity,
    passed,
    precision,
    regression,
    size,
    sound,
    unsure,
)

DEFAULT = ReportOptions()


def hostile_models(amount: int) -> Verdict:
    worst = hostile(HOSTILE * (2_000 // amount))
    return changed(worst, models=worst.models * amount, skipped=worst.skipped * amount)


def all_blocked(amount: int) -> Verdict:
    (failing,) = (model for model in regression().models if model.name == "digits")
    return changed(many(), models=(failing,) * amount + passed().models)


def safe(text: str) -> bool:
    foreign_tags = [tag for tag in gfm.tags(text)[1:] if tag not in gfm.OUR_TAGS]
    whole = all(len(counts) == 1 for counts in gfm.bars(text))
    return foreign_tags == gfm.links(text) == [] and whole and text.count("<!--") == 1


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_marker_comes_first_and_once(situation: str) -> None:
    text = markdown.render(SITUATIONS[situation](), ReportOptions(key="ios-app"))
    assert text.startswith("<!-- coreml-gate: ios-app -->\n### ")
    assert text.count("<!--") == 1


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_missing_value_is_never_none(situation: str) -> None:
    assert not re.search(r"\bNone\b|\bnan\b|\binf\b", markdown.render(SITUATIONS[situation](), DEFAULT))


@given(FOREIGN)
@example("\\\\|")
@settings(max_examples=40)
def test_foreign_text_does_nothing_anywhere(foreign: str) -> None:
    assert safe(markdown.render(hostile(foreign), DEFAULT))


@given(FOREIGN, st.sampled_from(markdown.LEVELS))
@settings(max_examples=40)
def test_foreign_text_does_nothing_at_any_level(foreign: str, detail: markdown.Detail) -> None:
    found = hostile(foreign)
    assert safe(markdown.render_at(found, split_columns(build_table(found)), DEFAULT, detail))


@pytest.mark.parametrize("build", [hostile_models, many])
@pytest.mark.parametrize("models", [60, 1_000])
def test_any_number_of_models_fits(build: Callable[[int], Verdict], models: int) -> None:
    text = markdown.render(build(models), DEFAULT)
    assert len(text.encode()) <= DEFAULT.limit
    assert safe(text)


@pytest.mark.parametrize("limit", [ReportOptions().limit, 65_535])
def test_foreign_text_about_the_whole_run_fits_as_well(limit: int) -> None:
    longest = HOSTILE * 100
    shouting = [finding(check=longest[:40], message=longest, hint=longest, details=(longest,) * 50)] * 100
    worst = changed(hostile_models(60), findings=tuple(shouting))
    text = markdown.render(worst, ReportOptions(limit=limit))
    assert len(text.encode()) <= limit
    assert safe(text)


def test_each_level_is_shorter_and_says_what_is_left_out() -> None:
    worst = all_blocked(80)
    split = split_columns(build_table(worst))
    texts = [markdown.render_at(worst, split, DEFAULT, detail) for detail in markdown.LEVELS]
    lengths = [len(text) for text in texts]
    assert lengths == sorted(lengths, reverse=True)
    for text, detail in zip(texts[1:], markdown.LEVELS[1:], strict=True):
        assert f"Left out: {detail.left_out}. All of it is in `report.json`." in text
    assert "Left out" not in texts[0]


def test_the_counts_alone_are_short_whatever_happens() -> None:
    text = markdown.render(hostile_models(20), ReportOptions(limit=1))
    assert "**20 models**: 20 fail, 20 not measured." in text
    assert len(text.encode()) < 6_000


def test_the_greatest_detail_that_fits_is_taken() -> None:
    everything = markdown.render(regression(), DEFAULT)
    exact = len(everything.encode())
    assert markdown.render(regression(), ReportOptions(limit=exact)) == everything
    shorter = markdown.render(regression(), ReportOptions(limit=exact - 1))
    assert "Left out: the collapsed details." in shorter
    assert "#### Warnings" in shorter


def test_the_full_report_is_linked() -> None:
    url = "https://github.com/owner/name/actions/runs/7"
    text = markdown.render(
        regression(), ReportOptions(limit=1, full_report="the run's page", full_report_url=url)
    )
    assert f"All of it is in [the run's page]({url})." in text


def test_a_cell_shows_head_change_and_mark() -> None:
    text = markdown.render(regression(), DEFAULT)
    assert "| **❌ 4.90&nbsp;MB (+18.9&nbsp;%)** | **❌ 0.31 (" in text


def explained(*failures: Finding) -> tuple[str, str]:
    """What the comment says of a model with these failures: in the open, and folded."""
    text = markdown.render(verdict(model_verdict(*failures)), DEFAULT)
    section = text.partition("#### ❌ `digits` must not merge\n\n")[2]
    opened, _, folded = section.partition("\n\n<details>\n")
    return opened, folded


def test_a_model_that_blocks_takes_three_lines() -> None:
    failures = [size(status=Status.FAIL, message=f"failure {n}.", hint="do this.") for n in range(3)]
    located = parity(status=Status.FAIL, message="wrong.", hint="do that.", file="net.py", line=7)
    opened, folded = explained(*failures, located)
    assert opened == "- **parity**: wrong.\n- Where: net.py:7\n- Hint: do that."
    assert folded.startswith("<summary>All findings: 4 failed (size and parity)</summary>")
    assert all(f"failure {n}." in folded for n in range(3))


def test_the_first_failure_explains_where_none_points_at_a_line() -> None:
    assert explained(size(status=Status.FAIL, message="first."), parity(status=Status.FAIL))[0] == (
        "- **size**: first."
    )


def test_models_with_the_same_warning_share_a_line() -> None:
    warning = precision(status=Status.WARN, message="close to the limit.")
    models = [model_verdict(warning, name=f"m{number}") for number in range(7)]
    text = markdown.render(verdict(*models), DEFAULT)
    names = ", ".join(f"`m{number}`" for number in range(5))
    assert f"- ⚠️ {names} and 2 more **precision**: close to the limit." in text.partition("<details>")[0]


def test_columns_beyond_six_fold() -> None:
    text = markdown.render(SITUATIONS["core-ml"](), DEFAULT)
    opened, _, folded = text.partition("<summary>All figures: 3 more columns</summary>")
    assert "| Model | Engine | Latency predict | Neural Engine | Parity |\n" in opened
    assert "| Engine | Latency predict | Neural Engine | Size | Memory | Parity | FP16 PSNR |" in folded


def test_a_long_name_is_cut_in_its_middle() -> None:
    name = "segmentation/backbones/efficientnet_v2_small"
    text = markdown.render(verdict(sound(name)), DEFAULT)
    assert "| ✅ `segmentation/ba…ientnet_v2_small` |" in text


def test_unsure_blocks_only_a_strict_gate() -> None:
    assert "must not merge" not in markdown.render(unsure(), DEFAULT)
    models = tuple(changed(model, fail_on_unsure=True) for model in unsure().models[:1])
    text = markdown.render(changed(unsure(), models=models), DEFAULT)
    assert "### ❌ coreml-gate: `detector` must not merge" in text
    assert "#### ❌ `detector` must not merge\n\n- **parity**: the MIL runtime does not support" in text
    assert "Could not be checked" not in text


def test_many_passing_models_fold() -> None:
    text = markdown.render(many(13), DEFAULT)
    open_part, _, folded = text.partition("<details>\n<summary>11 models pass</summary>")
    assert "`detector`" in open_part
    assert "`embedder`" not in open_part
    assert "| ✅ `embedder` |" in folded


def test_a_column_without_figures_is_left_out() -> None:
    assert "| Metric accuracy |" in markdown.render(passed(), DEFAULT)
    assert "Metric" not in markdown.render(verdict(model_verdict(finding())), DEFAULT)
