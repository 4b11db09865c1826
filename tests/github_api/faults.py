"""What can go wrong with an answer: each fault is used for as many matching requests as it says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

NOT_ACCESSIBLE = {"message": "Resource not accessible by integration", "status": "403"}
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
