"""A step's outputs, and the summary on the page of the run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from coreml_gate.errors import UsageError
from coreml_gate.report import ReportOptions
from coreml_gate.report.markdown import render
from coreml_gate.verdict import Verdict

SUMMARY_LIMIT: Final = 1 << 20
"""Most bytes of a step's summary; GitHub drops a longer one."""
_LEAST: Final = 4_096
"""Bytes that the counts alone need."""


def write_outputs(path: Path | None, outputs: Mapping[str, str], new_token: Callable[[], str]) -> None:
    """Append the outputs, each between random delimiters that no value can contain."""
    if path is None:
        return
    text = ""
    for name, value in outputs.items():
        delimiter = f"ghadelimiter_{new_token()}"
        if delimiter in value:
            raise UsageError(f"output `{name}` holds its own delimiter.", "run the step again.")
        text += f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
    _append(path, text)


def write_summary(path: Path | None, verdict: Verdict, options: ReportOptions) -> None:
    """Append the report to the step's summary, with as much detail as fits."""
    if path is None:
        return
    room = SUMMARY_LIMIT - (path.stat().st_size if path.exists() else 0) - 2
    if room < _LEAST:
        return
    limited = ReportOptions(options.key, room, options.full_report, options.full_report_url)
    _append(path, f"{render(verdict, limited)}\n")


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"`{path}` cannot be written: {error}.", "leave it as the runner sets it."
        ) from error
