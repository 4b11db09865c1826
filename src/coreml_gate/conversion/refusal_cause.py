"""The meaning of an error of the converter."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """The meaning of one error."""

    words: str
    """A regular expression for the converter's message."""
    cause: str
    way_out: str
    """What to write instead, without other routes, because the gate tries those itself."""
    operations: tuple[str, ...] = ("*",)
    """The torch operations for which the message has this meaning, as globs."""
    vague: bool = False
    """Whether it is less informative than a missing converter on another route."""
