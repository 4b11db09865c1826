"""The site: its pages in an order, its generated pages as the code has them, its links alive."""

import re
import tomllib
from pathlib import Path
from typing import Any

from coreml_gate.api import document as api
from coreml_gate.commands import document as commands
from tests.action.document import with_tables
from tests.docs.blocks import PAGES
from tests.house import ROOT

REPOSITORY = "https://github.com/coreml-gate/coreml-gate/blob/main/"


def _pages(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    values = nav.values() if isinstance(nav, dict) else nav
    return [page for each in values for page in _pages(each)]


def test_every_page_stands_in_the_navigation_once() -> None:
    site = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(_pages(site["nav"])) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_generated_pages_are_what_the_code_says() -> None:
    for name, page in {
        "cli.md": lambda _: commands.page(),
        "api.md": api.filled,
        "action.md": with_tables,
    }.items():
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert text == page(text), f"docs/{name}: run `make schema`"


def test_links_stay_in_the_site_or_name_a_file_of_the_repository() -> None:
    dead = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            path, _, _ = target.partition("#")
            if target.startswith(REPOSITORY):
                file = ROOT / path.removeprefix(REPOSITORY)
            elif re.match(r"\w+:", target) or not path:
                continue
            else:
                file = page.parent / path
            inside = (
                page.parent == ROOT
                or file.resolve().is_relative_to(page.parent)
                or path.startswith(REPOSITORY)
            )
            if not file.exists() or not inside:
                dead.append(f"{page.name}: {target}")
    assert dead == []


def test_headings_that_links_name_are_there() -> None:
    dead = []
    for page in PAGES:
        for target in re.findall(r"\]\(([\w.-]*\.md)?#([\w.-]+)\)", page.read_text(encoding="utf-8")):
            other: Path = page.parent / target[0] if target[0] else page
            if other.is_file() and target[1] not in _anchors(other):
                dead.append(f"{page.name}: {target[0]}#{target[1]}")
    assert dead == []


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
