"""What is known of one wrong conversion of coremltools."""

from dataclasses import dataclass
from typing import Final

from coreml_gate.diagnose.torch_calls import Fits
from coreml_gate.record import Route

ALL: Final[tuple[Route, ...]] = ("export", "decomposed", "trace")
EXPORTS: Final[tuple[Route, ...]] = ("export", "decomposed")
WHOLE: Final[tuple[Route, ...]] = ("export", "trace")
"""Where the operation reaches the converter whole; torch's core decompositions take it apart."""


@dataclass(frozen=True)
class KnownBug:
    """One wrong conversion, and how to write the operation instead."""

    id: str
    torch_operations: tuple[str, ...]
    """As the first wrong operation names them; a name without an underscore means the in-place form too."""
    routes: tuple[Route, ...]
    what: str
    """The symptom, as a sentence without its full stop."""
    workaround: str
    example: str
    """The body of a ``forward(x, y)`` that shows it, with ``x`` and ``y`` of shape (2, 3, 4)."""
    issue: str = ""
    """``owner/repository#number``; empty where none was found."""
    reason: str = ""
    """What the finding's reason has to hold, where the operation alone says too little."""
    when: Fits | None = None
    """Whether it applies to what the operation was given; ``None``: to every call."""
    fixed_in: str | None = None
    """The first release without it; ``None``: there is none yet."""
    shows_from_torch: str = ""
    """The oldest torch of `make test-matrix` that shows it; empty: the oldest of all."""
