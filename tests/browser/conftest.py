"""A page of the gate in Chromium; whatever the browser complains of fails the test."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
Open = Callable[..., "Page"]


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only `make test-browser` installs it

    path = next(filter(None, map(shutil.which, CHROMIUM)))
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: "Browser", tmp_path: Path) -> Iterator[Open]:
    """Opens text as a file; at the end, nothing was complained of and nothing was loaded."""
    complaints: list[str] = []
    contexts = []

    def opened(text: str, *, width: int = 1280, scheme: str = "light", fragment: str = "") -> "Page":
        file = tmp_path / "page.html"
        file.write_text(text, encoding="utf-8")
        options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
        context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"], **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        address = file.as_uri()
        page.on("request", lambda request: _note_foreign(request.url, address, complaints))
        page.goto(address + fragment)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _note_foreign(url: str, address: str, complaints: list[str]) -> None:
    if url.partition("#")[0] != address:
        complaints.append(f"loaded {url}")
