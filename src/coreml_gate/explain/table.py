"""All codes, and the explanations of one."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Final

from coreml_gate.errors import UsageError
from coreml_gate.explain import of_checks, of_errors
from coreml_gate.explain.explanation import Explanation

KINDS: Final[Mapping[str, str]] = {
    "check": "Checks",
    "error": "Errors",
    "rule": "Rules",
    "known bug": "Known bugs of the converter",
}
"""The kinds of codes in reading order, and their titles."""


@cache
def all_explanations() -> tuple[Explanation, ...]:
    """Every explanation, in reading order."""
    return (*_of_the_gate(), *_of_the_converter())


def explained(code: str) -> tuple[Explanation, ...]:
    """What is said of a code, or of the error with this exit code; a rule and a known bug may share a name.

    Raises :class:`UsageError` for a code that nothing has, with the nearest ones.
    """
    wanted = code.strip("`").lower()
    errors = (error.code for error in of_errors.FIXES if str(error.exit_code) == wanted)
    names = {wanted, *errors}
    found = _named(names, _of_the_gate()) or _named(names, _of_the_converter())
    if not found:
        known = sorted({each.code for each in all_explanations()})
        close = difflib.get_close_matches(wanted, known, n=3)
        meant = f"perhaps you meant {' or '.join(f'`{name}`' for name in close)}; " if close else ""
        raise UsageError(
            f"no check, rule, known bug or error is named `{code}`.",
            f"{meant}`coreml-gate explain` lists all.",
        )
    return found


def _of_the_gate() -> tuple[Explanation, ...]:
    return (*of_checks.explanations(), *of_errors.explanations())


def _of_the_converter() -> tuple[Explanation, ...]:
    from coreml_gate.explain.of_rules import (  # noqa: PLC0415 - the table of known bugs loads torch
        bug_explanations,
        rule_explanations,
    )

    return (*rule_explanations(), *bug_explanations())


def _named(names: Collection[str], among: Iterable[Explanation]) -> tuple[Explanation, ...]:
    return tuple(each for each in among if each.code in names)
