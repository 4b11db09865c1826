"""The reason why there is no Verdict, as a value that check and comment can show."""

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
    """How a run without a judgement ended; ``conclusion`` is that of its check.

    It is never neutral, which a required check accepts (palantir/bulldozer 1.12.0, release notes).
    """

    conclusion: Ending
    title: str
    reason: str
    hint: str = ""
    details: tuple[str, ...] = ()
    """As in :class:`GateError`, unescaped like the reason."""


def unfinished(ending: Ending, reason: str = "") -> NoVerdict:
    """For a measurement that left no result; ``reason`` replaces the usual text."""
    return NoVerdict(ending, "no verdict", reason or _REASONS[ending])


def broken(error: BaseException) -> NoVerdict:
    """For a gate that could not do its work."""
    if isinstance(error, KeyboardInterrupt):
        return unfinished("cancelled")
    title = "the gate could not do its work"
    if not isinstance(error, GateError):
        return NoVerdict("failure", title, f"{type(error).__name__} in coreml-gate itself.")
    return NoVerdict("failure", title, error.message, error.hint, error.details)


def described(why: NoVerdict) -> str:
    """The reason with details and hint, as Markdown."""
    parts: list[str] = [escape.message(why.reason)]
    if why.details:
        parts.append(escape.block(why.details))
    if why.hint:
        parts.append(f"Hint: {escape.message(why.hint)}")
    return "\n\n".join(parts)
