"""``coreml-gate site DIR``: writes a static site with the history, the latest report and a badge."""

import argparse
import re
from pathlib import Path
from typing import Final

from coreml_gate.arguments import add_json
from coreml_gate.commands.history import add_history, history_of
from coreml_gate.commands.reports import base_record, record_at
from coreml_gate.errors import UsageError
from coreml_gate.gate.request import BASE_FOLDER
from coreml_gate.history import page, write_history
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.report.document import read_report
from coreml_gate.surroundings import Surroundings
from coreml_gate.verdict import Status
from coreml_gate.writing import write_text

PAGE: Final = "index.html"
REPORT: Final = "report.html"
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~-]+)+")


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder for the site")
    add_history(parser)
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="the report.json of the latest run, for the badge"
    )
    parser.add_argument(
        "--repository-url",
        metavar="URL",
        help="address of the repository, for links to commits; default: that of the GitHub run",
    )
    add_json(parser)
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Write the site, a folder that any web server (such as GitHub Pages) can serve."""
    folder, history = around.folder / parsed.folder, history_of(parsed, around)
    repository = _repository_url(parsed.repository_url, around)
    judged = parsed.report is not None
    status = _write_report(around.folder / parsed.report, folder) if judged else page.status_of(history)
    write_text(folder / PAGE, page.render(history, status, repository, REPORT if judged else ""))
    write_text(folder / "badge.svg", page.badge_svg(status))
    write_text(folder / "badge.json", page.badge_endpoint(status))
    write_history(history, folder / "history.json")
    if parsed.json:
        around.print_json({"page": str(folder / PAGE), "status": status.value})
    else:
        around.out.print(f"{folder / PAGE}")
    return 0


def _write_report(file: Path, folder: Path) -> Status:
    """Write the latest report beside the history, and return its status, which the badge shows."""
    verdict = read_report(file)
    base = base_record(verdict, file.parent / BASE_FOLDER)
    options = ReportOptions(record=record_at(file.parent), base=base)
    write_text(folder / REPORT, FORMATS["html"](verdict, options))
    return verdict.verdict


def _repository_url(given: str | None, around: Surroundings) -> str:
    server, name = (around.environment.get(f"GITHUB_{part}", "") for part in ("SERVER_URL", "REPOSITORY"))
    url = f"{server}/{name}" if given is None and server and name else given
    if url is None:
        return ""
    if not _ADDRESS.fullmatch(url.rstrip("/")):
        raise UsageError(
            f"address {url!r} of the repository is not an http(s) URL.",
            "pass one like https://github.com/OWNER/REPOSITORY.",
        )
    return url.rstrip("/")
