"""The check as a commit status: one line without details, for tokens without `checks: write`."""

import re
from dataclasses import dataclass
from typing import Final

from github.Commit import Commit
from github.CommitStatus import CommitStatus as ApiStatus
from github.PaginatedList import PaginatedList

from coreml_gate.github.api.client import Client, requesting
from coreml_gate.github.publishing.status.outcome import CheckOutcome, Conclusion
from coreml_gate.wording import short

PERMISSION: Final = "statuses: write"
_RUN: Final = re.compile(r"/actions/runs/(\d{1,19})")
_DESCRIPTION: Final = 140
"""Most characters that GitHub accepts."""
_STATES: Final[dict[Conclusion, str]] = {
    "success": "success",
    "neutral": "success",
    "failure": "failure",
    "cancelled": "error",
    "timed_out": "error",
}


@dataclass(frozen=True)
class CommitStatus:
    """A status of one context on one commit; GitHub keeps them all and shows the last.

    A run that is not the newest of its commit sets none: whose a status is, its address says.
    """

    client: Client
    name: str
    head_sha: str
    details_url: str
    """Address of the run."""

    def begin(self) -> str:
        """Set the status to pending."""
        return self._set("pending", "measuring")

    def conclude(self, outcome: CheckOutcome) -> str:
        """Set the final status; statuses have no neutral, so the text names an unsure verdict."""
        unclear = "unsure: " if outcome.conclusion == "neutral" else ""
        return self._set(_STATES[outcome.conclusion], f"{unclear}{outcome.title}")

    def _set(self, state: str, description: str) -> str:
        with requesting(f"commit status {self.name} of {short(self.head_sha)}", PERMISSION):
            commit = self.client.repository.get_commit(self.head_sha)
            if self._is_superseded(commit):
                return ""
            commit.create_status(state, self.details_url, description[:_DESCRIPTION], self.name)
        return self.details_url

    def _is_superseded(self, commit: Commit) -> bool:
        """Whether the context's last status is a later run's; PyGithub alone reads the first page."""
        requester = self.client.api.requester
        listed = PaginatedList(ApiStatus, requester, f"{commit.url}/status", None, list_item="statuses")
        newest = next((each for each in listed if each.context == self.name), None)
        return newest is not None and _run_of(newest.target_url) > _run_of(self.details_url)


def _run_of(url: str | None) -> int:
    found = _RUN.search(url or "")
    return int(found[1]) if found else 0
