"""Why there is no Verdict: a value like a Verdict, so that check and comment can say it."""

from dataclasses import dataclass
from typing import Final, Literal

from coreml_gate.errors import GateError
from coreml_gate.foreign import escape

Ending = Literal["failure", "cancelled", "timed_out"]

_REASONS: Final[dict[Ending, str]] = {
    "failure": "the measuring job ended without a result; its log says why.",
    "cancelled": "the measuring job was cancelled before it had a result.",
    "timed_out": "the measuring job ran out of time (`timeout-minutes`) before it had a result.",
}


@dataclass(frozen=True)
class NoVerdict:
    """How a run ended that judged nothing; ``conclusion`` is that of its check.

    It is never neutral: a required check takes neutral for a pass (palantir/bulldozer 1.12.0, release notes).
    """

    conclusion: Ending
    title: str
    reason: str
    hint: str = ""
    details: tuple[str, ...] = ()
    """As in :class:`GateError`, raw like the reason."""


def unfinished(ending: Ending, reason: str = "") -> NoVerdict:
    """A measurement that left no result behind; ``reason`` takes the place of the usual words for it."""
    return NoVerdict(ending, "no verdict", reason or _REASONS[ending])


def broken(error: BaseException) -> NoVerdict:
    """A gate that could not do its work."""
    if isinstance(error, KeyboardInterrupt):
        return unfinished("cancelled")
    title = "the gate could not do its work"
    if not isinstance(error, GateError):
        return NoVerdict("failure", title, f"{type(error).__name__} in coreml-gate itself.")
    return NoVerdict("failure", title, error.message, error.hint, error.details)


def described(why: NoVerdict) -> str:
    """The reason for none as Markdown, with what it lists and the way out."""
    parts: list[str] = [escape.message(why.reason)]
    if why.details:
        parts.append(escape.block(why.details))
    if why.hint:
        parts.append(f"Hint: {escape.message(why.hint)}")
    return "\n\n".join(parts)
