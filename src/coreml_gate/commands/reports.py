"""Writes the reports of a command, however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from coreml_gate.errors import GateError, OutputError
from coreml_gate.gate.request import BASE_FOLDER
from coreml_gate.gate.stopped import InterruptedRun, stopped_early
from coreml_gate.interruption import Interrupted
from coreml_gate.record import RECORD_NAME, Record, read_record
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.report.terminal import print_headline, print_place, print_verdict
from coreml_gate.surroundings import Surroundings
from coreml_gate.verdict import SEVERITY, Status, Verdict, not_run
from coreml_gate.writing import output_folder, write_text

REPORT_NAME: Final = "report.json"
COMMENT_NAME: Final = "comment.md"
PAGE_NAME: Final = "report.html"
_TO_BE_EXPLAINED: Final = (Status.FAIL, Status.WARN)


@contextmanager
def reported(output: Path) -> Iterator[None]:
    """Write a report even if the block ends in an error, because an older report would mislead."""
    with output_folder(output):
        try:
            yield
        except GateError as error:
            with suppress(OutputError):
                write_reports(not_run(error.message, error.hint, error.exit_code, error.details), output)
            raise
        except InterruptedRun:
            raise
        except KeyboardInterrupt as error:
            with suppress(OutputError):
                write_reports(stopped_early(Interrupted.of(error)), output)
            raise


def answer(verdict: Verdict, output: Path, around: Surroundings, *, as_json: bool) -> int:
    """Print the verdict, whose reports are in ``output``, and return its exit code."""
    if as_json:
        around.out.print((output / REPORT_NAME).read_text(encoding="utf-8"), end="")
    elif around.is_quiet:
        print_headline(verdict, around.out)
    else:
        print_verdict(verdict, around.out, around.folder)
        _print_explanation(verdict, around)
        print_place(output / PAGE_NAME, around.out, around.folder)
    return verdict.exit_code


def _print_explanation(verdict: Verdict, around: Surroundings) -> None:
    """Print the command that explains the gravest finding."""
    open_ = [finding for _, finding in verdict.of_models if finding.status in _TO_BE_EXPLAINED]
    if open_:
        code = max(open_, key=lambda finding: SEVERITY.index(finding.status)).check
        around.out.print(f"\nWhat a finding means: coreml-gate explain {code}")


def record_at(folder: Path) -> Record | None:
    """The Record in a folder, or ``None``."""
    path = folder / RECORD_NAME
    return read_record(path) if path.is_file() else None


def base_record(verdict: Verdict, *places: Path) -> Record | None:
    """The base's Record that the Verdict was compared with, from the first folder that has it."""
    if not verdict.baseline.present:
        return None
    files = (place / RECORD_NAME if place.is_dir() else place for place in places)
    records = (read_record(file) for file in files if file.is_file())
    return next((record for record in records if record.commit == verdict.baseline.commit), None)


def write_reports(
    verdict: Verdict, output: Path, measured: Record | None = None, base: Record | None = None
) -> None:
    """Write the report in every format that is stored in a file."""
    options = ReportOptions()
    write_text(output / REPORT_NAME, FORMATS["json"](verdict, options))
    write_text(output / COMMENT_NAME, FORMATS["markdown"](verdict, options))
    head = record_at(output) if measured is None else measured
    shown = ReportOptions(
        record=head, base=base_record(verdict, output / BASE_FOLDER) if base is None else base
    )
    write_text(output / PAGE_NAME, FORMATS["html"](verdict, shown))
