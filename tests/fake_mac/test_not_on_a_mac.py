"""Is the table of what a Mac does not run true, whole, and on the page?"""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tests.not_on_a_mac import NOT_ON_A_MAC, NotOnAMac, reason_against, rows

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "macos.md"


@pytest.mark.parametrize("each", NOT_ON_A_MAC, ids=lambda each: each.test)
def test_it_names_a_test_that_there_is(each: NotOnAMac) -> None:
    file, _, name = each.test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert not name or name in names
    assert each.reason


@pytest.mark.parametrize(
    ("node", "is_skipped"),
    [
        ("tests/children/test_warm.py::test_x", True),
        ("tests/children/test_keeper.py::test_x[forked-os._exit(0)]", True),
        ("tests/children/test_keeper.py::test_x[fresh-forked_elsewhere]", False),
        ("tests/mil/test_release.py::test_released_pages_are_not_resident", True),
        ("tests/mil/test_release.py::test_released_pages_are_not_resident_twice", False),
        ("tests/mil/test_release.py", False),
    ],
)
def test_what_is_skipped_follows_from_the_name(node: str, is_skipped: bool) -> None:
    assert bool(reason_against(node)) == is_skipped


def test_no_other_test_skips_for_the_system() -> None:
    """tests/mac is the other way round: it needs Core ML."""
    marks = re.compile(r"skipif\(\s*(?:not )?sys\.platform")
    found = [
        path for path in (ROOT / "tests").rglob("*.py") if marks.search(path.read_text(encoding="utf-8"))
    ]
    assert [path.relative_to(ROOT).as_posix() for path in found] == ["tests/mac/test_on_a_mac.py"]


def test_the_page_has_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8").splitlines()
    start = page.index("| test | why a Mac skips it |") + 2
    table = list(rows())
    assert page[start : start + len(table)] == table
    assert not page[start + len(table)].startswith("|")
