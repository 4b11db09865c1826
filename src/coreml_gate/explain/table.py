"""All codes with their explanations, which are defined with each check and each error."""

import difflib
import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from coreml_gate import errors
from coreml_gate.checks import Topic, topics
from coreml_gate.errors import GateError, UsageError
from coreml_gate.explain.explanation import OVERRIDE, Explanation

KINDS: Final[Mapping[str, str]] = {
    "check": "Checks",
    "error": "Errors",
    "rule": "Rules",
    "known bug": "Known bugs of the converter",
}
"""The kinds of codes in reading order, with their titles."""
ERRORS: Final[tuple[type[GateError], ...]] = tuple(
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, GateError) and each is not GateError
)
"""Every error, in the order of their exit codes."""
_NEVER_BLOCKS: Final = "It never blocks a merge."
_NO_WAY: Final = "An error cannot be accepted, because the gate could not do its work."


def all_explanations() -> tuple[Explanation, ...]:
    """Every explanation, in reading order."""
    return (*_of_the_gate(), *_of_the_converter())


def explained(code: str) -> tuple[Explanation, ...]:
    """The explanations of a code or an exit code; several, if a rule and a known bug share a name.

    Raises :class:`UsageError` for an unknown code, with the closest ones.
    """
    wanted = code.strip("`").lower()
    names = {wanted, *(error.code for error in ERRORS if str(error.exit_code) == wanted)}
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
    return (*map(_of_check, topics().values()), *map(_of_error, ERRORS))


def _of_check(about: Topic) -> Explanation:
    override = OVERRIDE.format(code=about.name) if about.overridable else ""
    accept = " ".join(part for part in (about.accept, override) if part) or _NEVER_BLOCKS
    return Explanation(about.name, "check", about.question, about.why, about.fix, accept, about.page)


def _of_error(error: type[GateError]) -> Explanation:
    return Explanation(
        code=error.code,
        kind="error",
        meaning=inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0].replace("``", "`"),
        why=f"The gate ended with exit code {error.exit_code}. What was not measured did not pass.",
        fix=error.fix,
        accept=_NO_WAY,
        page=error.page,
    )


def _of_the_converter() -> tuple[Explanation, ...]:
    from coreml_gate.explain.of_rules import (  # noqa: PLC0415 - the table of known bugs loads torch
        bug_explanations,
        rule_explanations,
    )

    return (*rule_explanations(), *bug_explanations())


def _named(names: Collection[str], among: Iterable[Explanation]) -> tuple[Explanation, ...]:
    return tuple(each for each in among if each.code in names)
