"""How each metric developed over the commits of the base branch: a bounded history, read and judged."""

from coreml_gate.history.document import (
    MOST_COMMITS,
    CommitEntry,
    History,
    ReleaseMark,
    merged,
    parse_history,
    read_history,
    write_history,
)
from coreml_gate.history.measured import FIGURES, entry_of
from coreml_gate.history.series import Point, Series, all_series

__all__ = [
    "FIGURES",
    "MOST_COMMITS",
    "CommitEntry",
    "History",
    "Point",
    "ReleaseMark",
    "Series",
    "all_series",
    "entry_of",
    "merged",
    "parse_history",
    "read_history",
    "write_history",
]
