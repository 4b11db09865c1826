"""What can go wrong with an answer: each fault is used for as many matching requests as it says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

NOT_ACCESSIBLE = {"message": "Resource not accessible by integration", "status": "403"}
LOCKED = {"message": "Unable to create comment because issue is locked."}
"""renovatebot/renovate#6215."""
NO_APP = {"message": "You must authenticate via a GitHub App."}
"""Of a personal token that writes a check (EnricoMi/publish-unit-test-result-action#53)."""
OTHER_APP = {
    "message": "Invalid app_id `15368` - check run can only be modified by the GitHub App that created it."
}
"""databricks/cli#4563."""
SAML = {
    "message": "Resource protected by organization SAML enforcement. You must grant your OAuth token access "
    "to this organization."
}
"""cli/cli#2661."""
ALLOW_LIST = {
    "message": "Although you appear to have the correct authorization credentials, the `acme` organization "
    "has an IP allow list enabled, and your IP address is not permitted to access this resource."
}
"""docker/metadata-action#342."""
ARCHIVED = {"message": "Repository was archived so is read-only."}
"""r-universe-org/help#247."""
SECONDARY = {
    "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
}
PRIMARY = {"message": "API rate limit exceeded for installation."}


@dataclass
class Fault:
    """One way to answer wrongly."""

    method: str
    path: str
    """Expression that is searched for in the path."""
    status: int = 500
    body: Any = field(default_factory=lambda: {"message": "Server Error"})
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["answer", "cut", "slow", "done-but"] = "answer"
    """``done-but`` does the work and answers with the fault all the same: the answer got lost on its way."""
    seconds: float = 0.0
    times: int = 1

    def fits(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method == method and re.search(self.path, path) is not None
