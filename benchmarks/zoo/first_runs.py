"""What does a first run say against sound models? Counts findings, and names each with its sentence.

``python benchmarks/zoo/first_runs.py docs/zoo.md TITLE=REPORT.json ...`` writes the table into the page, from
what ``coreml-gate run --json`` printed without a base. A finding has to be judged by hand: it may be right.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from pages import write_between_marks

MARK: Final = "first runs"
_SAYS: Final = ("fail", "warn", "unsure")
_MOST: Final = 150
Model = Mapping[str, Any]


def main() -> int:
    """The command."""
    page, *given = sys.argv[1:]
    runs = [argument.partition("=")[::2] for argument in given]
    tables = [
        table(title, json.loads(Path(path).read_text(encoding="utf-8"))["models"]) for title, path in runs
    ]
    write_between_marks(Path(page), MARK, "\n\n".join(tables))
    return 0


def table(title: str, models: Sequence[Model]) -> str:
    """One row for each finding that is no pass; the models without one are counted above them."""
    measured = [model for model in models if _conversion(model) != "unsure"]
    silent = [model for model in measured if not any(_said(model))]
    head = f"**{title}**: {len(measured)} models measured, nothing is said against {len(silent)} of them."
    rows = [row for model in measured for row in _rows(model)]
    return "\n".join([head, "", "| Model | Check | What it says |", "|---|---|---|", *rows]) if rows else head


def _conversion(model: Model) -> str:
    return next((each["status"] for each in model["findings"] if each["check"] == "conversion"), "unsure")


def _said(model: Model) -> Iterator[Mapping[str, Any]]:
    yield from (finding for finding in model["findings"] if finding["status"] in _SAYS)


def _rows(model: Model) -> Iterator[str]:
    for finding in _said(model):
        text = " ".join(finding["message"].split()).replace("|", "\\|")
        short = text if len(text) <= _MOST else text[: _MOST - 1].rstrip() + "…"
        yield f"| {model['name']} | {finding['status']} by {finding['check']} | {short} |"


if __name__ == "__main__":
    raise SystemExit(main())
