"""The page of the history in a real browser."""

import pytest

from coreml_gate.history import page as history_page
from coreml_gate.verdict import Status
from tests.browser.conftest import Open
from tests.browser.test_page import DESKTOP, OVERFLOW, PAINTED, PHONE, violations
from tests.history.test_page import EVIL, grown

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_history_fits_its_screen_and_is_accessible(open_page: Open, width: int, scheme: str) -> None:
    text = history_page.render(grown(), Status.WARN, "https://github.com/o/r")
    page = open_page(text, width=width, scheme=scheme)
    page.locator("canvas").first.wait_for()
    assert page.locator("canvas").evaluate(PAINTED) > 20
    assert page.evaluate(OVERFLOW) == 0
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert page.locator("details tbody tr").count() == 10
    assert violations(page) == []


def test_hostile_names_stay_text_in_the_history(open_page: Open) -> None:
    page = open_page(history_page.render(grown(EVIL), Status.FAIL))
    page.locator("canvas").first.wait_for()
    assert page.locator("img").count() == 0
    assert page.locator("h2").inner_text() == "</script><img src=x onerror=alert(1)>"
