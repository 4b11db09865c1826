"""Which environment variables hold a GitHub credential? A process that runs a model's code never gets them.

Standard library only, and nothing newer than Python 3.9: the action uses it before anything is installed.
"""

import base64
import re
from collections.abc import Mapping
from typing import Final

_NAMED: Final = re.compile(
    r"(GITHUB|GH)(_\w+)?_TOKEN|ACTIONS_\w+|INPUT_\w*TOKEN|GITHUB_(ENV|OUTPUT|PATH|STATE|STEP_SUMMARY)",
    re.IGNORECASE,
)
"""Tokens, a job's services, and the files through which a step passes values to later steps."""
_GIT_SETTINGS: Final = re.compile(r"GIT_CONFIG_(COUNT|PARAMETERS|KEY_\d+|VALUE_\d+)")
_TOKEN: Final = re.compile(r"\b(gh[a-z]_[A-Za-z0-9_.-]{10,}|github_pat_\w{10,})")
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_FEWEST: Final = 8
"""Shortest value that counts as a token; a shorter one would occur in many other variables."""


def without_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without GitHub's tokens, whatever the variable's name and the token's form.

    A variable is dropped if it has a token's name, or if its value contains a token, plain or in base64 (as
    in git's ``extraheader``). Git's settings depend on each other, so either all of them are dropped or none.
    """
    tokens = {
        value for name, value in environment.items() if _NAMED.fullmatch(name) and len(value) >= _FEWEST
    }
    held = {name for name, value in environment.items() if _NAMED.fullmatch(name) or _holds(value, tokens)}
    if any(_GIT_SETTINGS.fullmatch(name) for name in held):
        held |= {name for name in environment if _GIT_SETTINGS.fullmatch(name)}
    return {name: value for name, value in environment.items() if name not in held}


def _holds(value: str, tokens: set[str]) -> bool:
    texts = [value, *map(_decoded, _ENCODED.findall(value))]
    return any(_TOKEN.search(text) or any(token in text for token in tokens) for text in texts)


def _decoded(text: str) -> str:
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    try:
        return base64.b64decode(padded.translate(str.maketrans("-_", "+/"))).decode("ascii", errors="replace")
    except ValueError:
        return ""
