"""Which variables hold a credential of GitHub: no process that runs a model's code is given them.

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
"""Tokens, the services of a job, and the files by which a step speaks to later steps."""
_GIT_SETTINGS: Final = re.compile(r"GIT_CONFIG_(COUNT|PARAMETERS|KEY_\d+|VALUE_\d+)")
_TOKEN: Final = re.compile(r"\b(gh[a-z]_[A-Za-z0-9_.-]{10,}|github_pat_\w{10,})")
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_FEWEST: Final = 8
"""Characters of a token: a shorter value of a variable would be found everywhere."""


def without_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without GitHub's tokens, under whatever name and in whatever form they are there.

    Dropped is a variable with the name of a token, and one whose value holds such a token, plain or in base64
    (as git's ``extraheader`` has it). The settings of git are one thing: all of them go, or none.
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
