"""action.yml as a document, and the tables that README.md and docs/action.md show of it.

``python -m tests.action.document`` writes the tables anew.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"
PAGES: Final = (README, ROOT / "docs/action.md")
HEADS: Final = {
    "inputs": ("| input | default | what it is |", "|---|---|---|"),
    "outputs": ("| output | what it is |", "|---|---|"),
}


@cache
def read(name: str) -> Any:
    """A YAML document of the repository, by its path."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def table(kind: str) -> str:
    """The inputs or the outputs as a Markdown table."""
    rows = [_row(name, described, kind) for name, described in read("action.yml")[kind].items()]
    return "\n".join([*HEADS[kind], *rows])


def shown(kind: str, page: str) -> str:
    """The table that a page shows between its marks."""
    _, _, after = page.partition(_begin(kind))
    return after.partition(_end(kind))[0].strip()


def with_tables(page: str) -> str:
    """The page with both tables as they are now."""
    for kind in HEADS:
        before, _, after = page.partition(_begin(kind))
        page = f"{before}{_begin(kind)}\n{table(kind)}\n{after[after.index(_end(kind)) :]}"
    return page


def _begin(kind: str) -> str:
    return f"<!-- {kind} of action.yml -->"


def _end(kind: str) -> str:
    return f"<!-- end of {kind} -->"


def _row(name: str, described: Any, kind: str) -> str:
    words = described["description"].strip()
    if kind == "outputs":
        return f"| `{name}` | {words} |"
    default = described["default"]
    return f"| `{name}` | {f'`{default}`' if default else 'empty'} | {words} |"


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
