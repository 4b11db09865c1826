"""What the suite attacks, and the table of docs/reliability.md that it writes: attack, tried, held.

A test joins by ``@pytest.mark.attack("the kind")`` with a kind of :data:`ATTACKS`. It counts as one case, or
as many as it calls :func:`tried` for. ``make reliability`` runs all of them and writes the table.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

PAGE: Final = Path(__file__).parents[1] / "docs" / "reliability.md"
ATTACKS: Final = {
    "what changed": "links, circles of links, submodules, LFS pointers, ignored files, files that are read",
    "the right package": "two models that share a file, weights, a name or a folder",
    "the model's own code": "it ends, hangs, crashes, forges, floods or outlives its process",
    "the end of the gate": "signals to the gate and its children, and what is left behind",
    "disks and outputs": "full, read-only, a file in the way; standard output full, closed, or a broken pipe",
    "foreign text": "any text in any field and any key, through every error and every report",
    "bombs": "configurations, Records and archives made to cost time or memory",
    "packages": "damaged and hostile packages through everything that reads one",
    "Records from elsewhere": "forged, incomplete or contradictory Records in the half with a write token",
    "self-test": "known faults injected into a user's own setup",
}
"""The kinds, in the order of the page, each with what is tried."""
_BEGIN: Final = "<!-- table, by `make reliability` -->"
_END: Final = "<!-- end of table -->"
_tried: Counter[str] = Counter()
_held: Counter[str] = Counter()
_cases: Counter[str] = Counter()


def tried(count: int = 1) -> None:
    """Counts cases that one test plays in a loop."""
    _cases["this test"] += count


def table(tried_of: Counter[str], held_of: Counter[str]) -> str:
    """The rows, and a sum."""
    rows = [f"| {kind} | {what} | {tried_of[kind]:,} | {held_of[kind]:,} |" for kind, what in ATTACKS.items()]
    total = f"| **all** | | **{sum(tried_of.values()):,}** | **{sum(held_of.values()):,}** |"
    return "\n".join(["| attack | what is tried | tried | held |", "|:--|:--|--:|--:|", *rows, total])


def with_table(page: str, rows: str) -> str:
    """The page with these rows."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    return f"{before}{begin}\n{rows}\n{end}{after}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability", type=Path, help="write the table of attacks into this page")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("attack"):
            assert marker.args[0] in ATTACKS, f"{item.nodeid}: no attack is called {marker.args[0]!r}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None] | pytest.TestReport:
    report: pytest.TestReport = yield  # type: ignore[assignment,misc]
    marker = item.get_closest_marker("attack")
    if marker is not None and call.when == "call" and not report.skipped:
        report.user_properties.append(("attack", marker.args[0]))
        report.user_properties.append(("cases", _cases["this test"] or 1))
    if call.when != "setup":
        _cases.clear()
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    found = dict(report.user_properties)
    if report.when == "call" and "attack" in found:
        _tried[str(found["attack"])] += int(str(found["cases"]))
        _held[str(found["attack"])] += int(str(found["cases"])) if report.passed else 0


def pytest_sessionfinish(session: pytest.Session) -> None:
    page: Path | None = session.config.getoption("--reliability")
    if page is not None and not hasattr(session.config, "workerinput"):
        page.write_text(with_table(page.read_text("utf-8"), table(_tried, _held)), encoding="utf-8")
