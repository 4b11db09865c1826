"""The check as a commit status: one line without details, for tokens without `checks: write`."""

from dataclasses import dataclass
from typing import Final

from coreml_gate.github.api.client import Client, asking
from coreml_gate.github.publishing.status.outcome import CheckOutcome, Conclusion

PERMISSION: Final = "statuses: write"
_DESCRIPTION: Final = 140
"""Characters that GitHub takes."""
_STATES: Final[dict[Conclusion, str]] = {
    "success": "success",
    "neutral": "success",
    "failure": "failure",
    "cancelled": "error",
    "timed_out": "error",
}


@dataclass(frozen=True)
class CommitStatus:
    """A status of one context on one commit; GitHub keeps them all and shows the last."""

    client: Client
    name: str
    head_sha: str
    details_url: str

    def begin(self) -> str:
        """Sets the status to pending."""
        return self._set("pending", "measuring")

    def conclude(self, outcome: CheckOutcome) -> str:
        """Sets the last status; a status knows no neutral, so what cannot be told says so in words."""
        unclear = "cannot be told: " if outcome.conclusion == "neutral" else ""
        return self._set(_STATES[outcome.conclusion], f"{unclear}{outcome.title}")

    def _set(self, state: str, description: str) -> str:
        with asking(f"commit status {self.name} of {self.head_sha[:7]}", PERMISSION):
            self.client.repository.get_commit(self.head_sha).create_status(
                state, self.details_url, description[:_DESCRIPTION], self.name
            )
        return self.details_url
