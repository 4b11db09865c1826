"""The page in a real browser: how it looks at two widths, and everything that a reader can do with it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import pages
from tests.browser.conftest import Open

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
PHONE, DESKTOP = 390, 1280
SHOTS = Path(__file__).parents[2] / "build" / "browser"
PAINTED = """canvas => {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SERIOUS = {"serious", "critical"}


def drawn(page: "Page") -> "Page":
    """The same page, when everything that is open is drawn."""
    page.locator("details.model[open] .drawn canvas").first.wait_for()
    return page


def violations(page: "Page") -> list[str]:
    """What axe-core finds serious, with the elements."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only `make test-browser` installs it

    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {json.dumps([node['html'] for node in each['nodes']])[:600]}"
        for each in found
        if each["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("state", pages.STATES)
def test_every_state_fits_its_screen(open_page: Open, state: str, width: int) -> None:
    page = drawn(open_page(pages.STATES[state](), width=width))
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{state}-{width}.png", full_page=True)
    assert page.evaluate(OVERFLOW) == 0
    headline = page.locator("h1").bounding_box()
    assert headline is not None
    assert headline["y"] + headline["height"] < 300
    assert page.locator("header .pill").inner_text().lower() == state
    canvases = page.locator("details.model[open] canvas")
    assert canvases.count() == 4
    assert all(canvases.nth(at).evaluate(PAINTED) > 20 for at in range(4))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_axe_finds_nothing_serious(open_page: Open, scheme: str, width: int) -> None:
    page = drawn(open_page(pages.many(), width=width, scheme=scheme))
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for section in page.locator("details.model").all():
        section.scroll_into_view_if_needed()
        section.locator("canvas").first.wait_for()
    assert violations(page) == []


def names(page: "Page") -> list[str]:
    return page.locator("#models tbody tr:visible th a").all_inner_texts()


def test_columns_sort_by_number_and_by_name_and_what_is_missing_stays_last(open_page: Open) -> None:
    page = open_page(pages.many())
    size = page.get_by_role("button", name="Size")
    size.click()
    assert names(page) == ["small", "middle", "large", "unmeasured"]
    assert size.locator("xpath=..").get_attribute("aria-sort") == "ascending"
    size.click()
    assert names(page) == ["large", "middle", "small", "unmeasured"]
    page.get_by_role("button", name="Model").click()
    assert names(page) == ["large", "middle", "small", "unmeasured"]
    assert size.locator("xpath=..").get_attribute("aria-sort") is None


def test_name_and_status_filter_the_table_and_the_models_below(open_page: Open) -> None:
    page = open_page(pages.many())
    page.get_by_role("searchbox", name="search for a model").fill("M")
    assert set(names(page)) == {"unmeasured", "middle", "small"}
    assert page.locator("#shown").inner_text() == "3 of 4 models"
    page.get_by_role("checkbox", name="pass").uncheck()
    assert set(names(page)) == {"unmeasured", "middle"}
    assert page.locator("details.model:visible").count() == 2
    page.get_by_role("searchbox", name="search for a model").fill("no such model")
    assert names(page) == []


def test_models_that_are_a_row_alone_sort_and_filter_as_well(open_page: Open) -> None:
    page = open_page(pages.more_than_are_shown_in_full())
    page.get_by_role("searchbox", name="search for a model").fill("model-119")
    assert page.locator("#models tbody tr:visible th").all_inner_texts() == ["model-119"]
    page.get_by_role("searchbox", name="search for a model").fill("")
    page.get_by_role("button", name="Size").click()
    page.get_by_role("button", name="Size").click()
    assert page.locator("#models tbody tr th").first.inner_text() == "model-119"


def test_lines_of_the_configuration_are_copied(open_page: Open) -> None:
    page = open_page(pages.STATES["fail"]())
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.locator("#said").inner_text() == "Copied to the clipboard."
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == '[[model]]\nkeep-fp32 = ["Net/mul"]'


def test_the_dark_page_is_dark_and_follows_the_system(open_page: Open) -> None:
    page = drawn(open_page(pages.STATES["fail"](), scheme="dark"))
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(13, 17, 23)"
    corner = "canvas => canvas.toDataURL()"
    dark = page.locator("canvas").first.evaluate(corner)
    page.emulate_media(color_scheme="light")
    page.wait_for_timeout(200)
    assert page.evaluate(background) == "rgb(246, 248, 250)"
    assert page.locator("canvas").first.evaluate(corner) != dark


def test_everything_is_reached_and_done_by_keyboard(open_page: Open) -> None:
    page = drawn(open_page(pages.many()))
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", reached[-1]
        if "Size" in page.evaluate("document.activeElement.textContent") and "button" in reached[-1]:
            break
    page.keyboard.press("Enter")
    assert names(page)[0] == "small"
    page.locator("details.model > summary").last.focus()
    before = page.locator("details.model").last.get_attribute("open")
    page.keyboard.press("Enter")
    assert page.locator("details.model").last.get_attribute("open") != before


def test_the_program_is_searched_and_the_first_wrong_operation_is_marked(open_page: Open) -> None:
    page = drawn(open_page(pages.STATES["fail"]()))
    assert (
        "Line 12, mul op_11_cast_fp16 (models/net.py:21), is the first wrong operation."
        in page.inner_text("body")
    )
    page.get_by_text("The MIL program: 40 operations").click()
    rows = page.locator(".program tbody tr")
    rows.first.wait_for()
    assert rows.count() == pages.OPERATIONS
    assert page.locator(".program tr.first-wrong td").nth(2).inner_text() == "op_11_cast_fp16"
    assert page.locator(".program tr.wrong").count() == pages.OPERATIONS - pages.FIRST_WRONG
    page.get_by_role("searchbox", name="search the program of digits").fill("net.py:21")
    assert rows.count() == 1
    assert rows.locator("td").all_inner_texts()[-3:] == ["90000", "layers.1", "models/net.py:21"]


def test_a_click_on_a_chart_leads_to_the_line(open_page: Open) -> None:
    page = drawn(open_page(pages.STATES["fail"]()))
    page.locator(".u-over").first.click()
    marked = page.locator(".program tr.marked td").first
    assert 18 <= int(marked.inner_text()) <= 23


def test_a_link_unfolds_its_model(open_page: Open) -> None:
    page = open_page(pages.many(), fragment="#model-small")
    assert page.locator("#model-small").get_attribute("open") is not None
    page.locator("#models a", has_text="unmeasured").click()
    page.locator("#model-unmeasured[open]").wait_for()


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_hostile_names_stay_text(open_page: Open, width: int) -> None:
    page = drawn(open_page(pages.hostile(), width=width))
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.locator(".program tbody tr").first.wait_for()
    assert page.locator("img, b:has-text('bold')").count() == 0
    assert "hacked" not in page.title()
    shown = pages.HOSTILE.replace("\u202e", "")
    assert page.locator("#models").bounding_box()["height"] < 700  # type: ignore[index] - it is visible
    assert page.locator("details.model h2").first.inner_text() == shown
    assert page.locator(".program tbody td").nth(2).inner_text().startswith(shown[:60])
    assert page.evaluate(OVERFLOW) == 0
    page.get_by_role("searchbox", name="search for a model").fill("<img")
    assert page.locator("details.model:visible").count() == 1
