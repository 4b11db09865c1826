"""From ledger entries to the tables that people read and the counts that are kept."""

from collections import Counter
from collections.abc import Iterable, Sequence

from conformance.ledger import OUTCOMES, Entry

COUNTED = ("passed", "failed", "excluded")
"""Outcomes that say something about an operation."""


def group_table(entries: Sequence[Entry]) -> str:
    """Per group: how many tests ran, how many predict, how they ended and how long they took."""
    rows = {entry.group: Counter[str]() for entry in sorted(entries, key=lambda entry: entry.group)}
    for entry in entries:
        rows[entry.group].update((entry.outcome, "tests", *(("predict",) if entry.predictions else ())))
        rows[entry.group]["milliseconds"] += round(entry.seconds * 1000)
    for counts in rows.values():
        counts["seconds"] = round(counts["milliseconds"] / 1000)
    columns = ("tests", "predict", *OUTCOMES, "seconds")
    lines = ["| group | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    lines += [_row(name, counts, columns) for name, counts in rows.items()]
    lines.append(_row("**all**", sum(rows.values(), Counter()), columns))
    return "\n".join(lines)


def _row(name: str, counts: Counter[str], columns: Iterable[str]) -> str:
    return f"| {name} | " + " | ".join(str(counts[column]) for column in columns) + " |"


def rate(entries: Iterable[Entry]) -> tuple[int, int]:
    """Passed, and passed or failed, among the tests that predict."""
    outcomes = Counter(entry.outcome for entry in entries if entry.predictions)
    return outcomes["passed"], outcomes["passed"] + outcomes["failed"]


def reasons(entries: Iterable[Entry]) -> list[tuple[str, int]]:
    """The reasons of the exclusions, the most frequent first."""
    return Counter(entry.reason for entry in entries if entry.outcome == "excluded").most_common()


def operation_counts(entries: Iterable[Entry]) -> dict[str, dict[str, dict[str, int]]]:
    """Per operation and opset, how many predicting tests that hold it passed, failed or were excluded."""
    counts: dict[str, dict[str, Counter[str]]] = {}
    for entry in entries:
        if entry.predictions and entry.outcome in COUNTED:
            for operation, opset in entry.operations.items():
                counts.setdefault(operation, {}).setdefault(str(opset), Counter())[entry.outcome] += 1
    return {
        operation: {opset: dict(outcomes) for opset, outcomes in opsets.items()}
        for operation, opsets in counts.items()
    }
