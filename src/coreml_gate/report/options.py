"""What a report needs besides the Verdict."""

import re
from dataclasses import dataclass, field
from typing import Final

from coreml_gate.errors import UsageError
from coreml_gate.record import Record

COMMENT_LIMIT: Final = 65_536
"""GitHub refuses a longer comment ("Body is too long (maximum is 65536 characters)")."""
_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_URL: Final = re.compile(r"https?://[^\s()<>\[\]`|\\]+")


@dataclass(frozen=True)
class ReportOptions:
    """Where a report goes, and where to find what it leaves out.

    Raises :class:`UsageError` for a key or an address that would not stay inside its Markdown.
    """

    key: str = "default"
    """Distinguishes the comments of several gates on one pull request."""
    limit: int = COMMENT_LIMIT
    """Greatest length of the Markdown in bytes of UTF-8, which are at least as many as characters."""
    full_report: str = "report.json"
    """The full report in words, named if details are left out."""
    full_report_url: str = ""
    """The address of the full report, if any."""
    config_file: str = "coreml-gate.toml"
    """The file that SARIF blames for a finding without a line."""
    record: Record | None = field(default=None, repr=False)
    """The head's Record, of which the page shows more than the Verdict has."""
    base: Record | None = field(default=None, repr=False)
    """The base's Record, which the page shows beside the head's."""

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise UsageError(
                f"comment key {self.key!r} is not a word of at most 64 letters, digits, dots, underscores "
                "and hyphens.",
                "choose one like `default` or `ios-app`.",
            )
        if self.full_report_url and not _URL.fullmatch(self.full_report_url):
            raise UsageError(
                f"address {self.full_report_url!r} of the full report is not an http(s) URL.",
                "pass the address of the run, as https://github.com/OWNER/REPOSITORY/actions/runs/NUMBER.",
            )
