"""Describes one wrong conversion of coremltools."""

from dataclasses import dataclass
from typing import Final

from coreml_gate.diagnose.torch_calls import Fits
from coreml_gate.record import Route

ALL: Final[tuple[Route, ...]] = ("export", "decomposed", "trace")
EXPORTS: Final[tuple[Route, ...]] = ("export", "decomposed")
WHOLE: Final[tuple[Route, ...]] = ("export", "trace")
"""The routes on which the operation reaches the converter whole, without torch's core decompositions."""


@dataclass(frozen=True)
class KnownBug:
    """One wrong conversion, and how to write the operation instead."""

    id: str
    torch_operations: tuple[str, ...]
    """Names as in the first wrong operation; a name without an underscore includes the in-place form."""
    routes: tuple[Route, ...]
    what: str
    """The symptom, as a sentence without its full stop."""
    workaround: str
    example: str
    """The body of a ``forward(x, y)`` that shows it, with ``x`` and ``y`` of shape (2, 3, 4)."""
    issue: str = ""
    """``owner/repository#number``; empty if none was found."""
    reason: str = ""
    """Text that the finding's reason must contain, if the operation alone is not specific enough."""
    when: Fits | None = None
    """Whether it applies to the operation's arguments; ``None`` if it applies to every call."""
    fixed_in: str | None = None
    """The first release without it; ``None`` if there is none yet."""
    shows_from_torch: str = ""
    """The oldest torch of `make test-matrix` that shows it; empty for the oldest of all."""
