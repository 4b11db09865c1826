"""The tables of checks and columns in README.md and docs/report.md.

``python -m coreml_gate.checks.document README.md docs/report.md`` rewrites them.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from coreml_gate.checks import CHECKS, columns
from coreml_gate.figures import CHANGES

_MARKED: Final = re.compile(r"(<!-- (checks|columns) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with each marked table rewritten."""
    return _MARKED.sub(lambda marked: f"{marked[1]}{TABLES[marked[2]]()}{marked[3]}", page)


def _checks() -> str:
    rows = ((check.name, check.question, check.limit, check.needs) for check in CHECKS.values())
    return _table(("check", "question", "default limit", "needs"), rows)


def _columns() -> str:
    rows = (
        (column.title, f"`{name}`", column.meaning, CHANGES[column.change])
        for name, column in columns().items()
    )
    return _table(("Column", "Check", "Value", "Change"), rows)


TABLES: Final[dict[str, Callable[[], str]]] = {"checks": _checks, "columns": _columns}
"""The tables by the name in their markers."""


def _table(titles: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    ruled = (titles, ("---",) * len(titles), *rows)
    return "".join(f"| {' | '.join(row)} |\n".replace("|  |", "| |") for row in ruled)


def main(paths: list[str]) -> None:
    """Rewrite the tables of these pages."""
    for path in map(Path, paths):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
