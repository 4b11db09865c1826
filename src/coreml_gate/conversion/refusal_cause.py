"""What an error of the converter means, in words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """One error, in words."""

    words: str
    """Regular expression over the converter's message."""
    cause: str
    way_out: str
    """What to write instead; it names no other route, because the gate tries those itself."""
    operations: tuple[str, ...] = ("*",)
    """Names of torch operations, as globs, at which this is what the message means."""
    vague: bool = False
    """Whether it says less than an operation without a converter does on another route."""
