"""Is every faulty operation named, does every repair pass, is nothing else blamed? ``python demo.py``.

Exits with 1 when anything is not as expected.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import converter
import fp16
import pass_time

from coreml_gate.record import ParityDiagnosis

WIDTHS = (39, 11, 12, 78, 6, 5, 5)
TITLES = ("model", "operation", "line", "reason, and the repair", "passes", "conv.", "s")


@dataclass(frozen=True)
class Row:
    """What came of one model."""

    title: str
    is_found: bool
    operation: str = "-"
    line: str = "-"
    reason: str = "-"
    passes: str = "-"
    conversions: int = 0
    seconds: float = 0.0

    def text(self) -> str:
        cells = (self.title, self.operation, self.line, self.reason, self.passes, str(self.conversions))
        shown = [f"{cell[:width]:{width}}" for cell, width in zip(cells, WIDTHS, strict=False)]
        return " ".join([*shown, f"{self.seconds:5.1f}", "" if self.is_found else "NOT AS EXPECTED"])


def converter_rows() -> Iterator[Row]:
    """Source against its float32 package."""
    for bug in converter.BUGS:
        diagnosis = converter.examine(bug)
        yield _converter_row(bug, diagnosis)


def _converter_row(bug: converter.Bug, diagnosis: ParityDiagnosis | None) -> Row:
    is_found = converter.is_found(bug, diagnosis)
    if diagnosis is None:
        return Row(bug.title, is_found)
    found, other = diagnosis.first_wrong, diagnosis.other_route
    way_out = f"the {other.route} route agrees" if other is not None and other.agrees else "rewrite it"
    return Row(
        title=bug.title,
        is_found=is_found,
        operation=found.torch_operation,
        line=found.place,
        reason=f"{found.compared_share:.0%} compared; {way_out}",
        conversions=diagnosis.conversions,
        seconds=diagnosis.seconds,
    )


def half_rows() -> Iterator[Row]:
    """The float32 package against the one that ships."""
    for fault in fp16.FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            yield _half_row(fp16.examine(fault, Path(folder)))


def _half_row(outcome: fp16.Outcome) -> Row:
    first, repair = outcome.first, outcome.diagnosis.repair
    if first is None:
        return Row(outcome.fault.title, outcome.is_found, seconds=outcome.seconds)
    repaired = repair is not None and repair.outcome == "found"
    patterns = "" if repair is None else f": keep {', '.join(repair.patterns)}"
    return Row(
        title=outcome.fault.title,
        is_found=outcome.is_found,
        operation=first.operation_type,
        line=first.place,
        reason=f"{first.kind}{patterns}",
        passes="yes" if repaired else "no",
        conversions=0 if repair is None else repair.conversions,
        seconds=outcome.seconds,
    )


def main() -> int:
    """Prints the table, then what looking costs on 25.6 million parameters."""
    head = " ".join(f"{title:{width}}" for title, width in zip(TITLES, WIDTHS, strict=True))
    print(head, "-" * len(head), sep="\n")
    rows = []
    for row in chain(converter_rows(), half_rows()):
        print(row.text(), flush=True)
        rows.append(row)
    fine = sum(row.is_found for row in rows)
    print(f"{fine} of {len(rows)} as expected; {sum(row.conversions for row in rows)} conversions more")
    cost = pass_time.cost()
    print(
        f"ResNet-50: source {cost.source:.2f} s, package {cost.package:.2f} s, first wrong operation "
        f"{cost.look:.2f} s: {cost.ratio:.2f} times one plain run of both (goal: at most {pass_time.MOST:g})"
    )
    return 0 if fine == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
