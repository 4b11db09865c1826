"""Describes a failed conversion: the converter's own message, and a fix if the failure is known."""

import linecache
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coreml_gate.conversion.quiet import quiet
from coreml_gate.conversion.refusal_cause import Cause
from coreml_gate.conversion.refusals_of_models import MODEL_CAUSES
from coreml_gate.conversion.refusals_of_operations import OPERATION_CAUSES
from coreml_gate.conversion.ways_out import way_out
from coreml_gate.engines.places import place_of, relative_to_tree
from coreml_gate.frozen import changed
from coreml_gate.record import MissingOperation, RefusedOperation
from coreml_gate.wording import listed

if TYPE_CHECKING:
    from coreml_gate.torch_graph import TorchGraph

_KEPT_LINES = 20
_LONGEST = 200
_LOGGED = "ERROR - "
_NOISE = (
    "  File ",
    "    ",
    "Caused by:",
    "For C++ stack trace",
    "For extended logs",
    "For more debugging help",
    "For more information",
    "If you suspect",
    "  Developer debug context",
    "  Explanation",
    "  Hint",
    "The error above occurred",
    "The following call raised",
)
"""Prefixes of lines that torch.export adds to an error: frames, and how to log more."""
_NO_FILES: Final = (
    "the converter could not use its files, whatever the model computes: the folder for temporary files has "
    "to exist and to have room (`TMPDIR`, or `tempfile.tempdir` where the model's code sets it)."
)
CAUSES: Final = (*OPERATION_CAUSES, *MODEL_CAUSES)
"""Every known error; those of specific operations come first.

Read from the ``raise`` and ``assert`` statements of the PyTorch front end of coremltools 9.0
(``converters/mil/frontend/torch``) and from the checks of its MIL builder.
"""


class ConversionFailedError(Exception):
    """One route gave no package; it becomes a value of the Record."""

    def __init__(self, message: str, hint: str = "", missing: tuple[MissingOperation, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.missing = missing
        self.captured = True
        """Whether torch captured the source; if not, the converter was never reached."""
        self.refused = RefusedOperation()
        """Where the converter stopped, as far as that is known."""
        self.graph: TorchGraph | None = None
        """What the converter was given; ``None`` where torch captured nothing."""
        self.raised_in = ""
        """The function that raised: "list index out of range" alone has many reasons."""
        self.written = ""
        """The line of the source that torch's capture stopped at."""
        self.through = ""
        """The files of torch that were called from that line: what a source raises within has many words."""

    @property
    def stuck(self) -> bool:
        """Whether a missing operation has no known fix."""
        return not all(way_out(item.operation, self.graph) for item in self.missing)


@contextmanager
def converter_errors(root: Path) -> Iterator[None]:
    """Runs torch's capture or coremltools quietly, and turns their errors into ``ConversionFailedError``."""
    with quiet() as heard:
        try:
            yield
        except ConversionFailedError:
            raise
        except Exception as error:  # coremltools and torch.export document no exceptions
            raise failure_of(error, root, heard) from error


def failure_of(error: Exception, root: Path, heard: Sequence[str] = ()) -> ConversionFailedError:
    """Describes an exception of the converter or of the capture, without a traceback.

    ``heard`` is the converter's log, which names the current operation.
    """
    lines = [line.rstrip() for line in str(error).strip().splitlines() if _is_informative(line)]
    place = place_of(error, root)
    head = f"{type(error).__name__}: {lines[0] if lines else 'no message'}" + (f" ({place})" if place else "")
    text = "\n".join([*heard[-1:], head, *lines[1:]][:_KEPT_LINES])
    failure = ConversionFailedError(text)
    failure.refused = RefusedOperation(place=place)
    failure.raised_in = raised_in(error)
    failure.written, failure.through = _line_at(root, place), _through(error, root)
    if isinstance(error, OSError) and not place:
        failure.hint = _NO_FILES
    return explained(failure)


def raised_in(error: BaseException | None) -> str:
    """The name of the innermost function that an exception passed through."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else ()
    return frames[-1].name if frames else ""


def explained(failure: ConversionFailedError) -> ConversionFailedError:
    """Adds cause and fix, if the converter's message at this operation is known."""
    words = (
        f"{failure.message}\nraised in {failure.raised_in}\n"
        f"written: {failure.written}\nthrough: {failure.through}"
    )
    cause = cause_of(words, failure.refused.operation)
    if cause is not None:
        failure.hint = cause.way_out
        failure.refused = changed(failure.refused, cause=cause.cause)
    return failure


def _line_at(root: Path, place: str) -> str:
    file, _, line = place.rpartition(":")
    return linecache.getline(str(root / file), int(line)).strip() if file and line.isdecimal() else ""


def _through(error: BaseException, root: Path) -> str:
    """The call made by the innermost line of the source; empty if there is none."""
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    own = [place for place, file in enumerate(files) if relative_to_tree(str(file), root) is not None]
    return "" if not own else ", ".join(file.as_posix() for file in files[own[-1] + 1 :])


def _is_informative(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(_NOISE)


def in_one_line(failure: ConversionFailedError) -> str:
    """The failure for a note: its place and the exception itself."""
    if failure.missing:
        return "no converter for " + listed(item.operation for item in failure.missing)
    at, words = failure.refused, converter_words(failure.message)
    what = f"`{at.operation or at.optimisation_pass}`" if at.operation or at.optimisation_pass else ""
    place = f"({at.place})" if at.place and at.place not in words else ""
    where = " ".join(filter(None, (what, place)))
    return (f"{where}: " if where else "") + words


def converter_words(message: str) -> str:
    """The exception's own line, without coremltools' log of the operation before it."""
    lines = [line for line in message.splitlines() if line and not line.startswith(_LOGGED)]
    return lines[0][:_LONGEST] if lines else "no message"


def cause_of(words: str, operation: str = "") -> Cause | None:
    """The cause behind the converter's message at this operation; ``None`` if unknown."""
    fitting = (cause for cause in CAUSES if re.search(cause.words, words))
    return next(
        (cause for cause in fitting if any(fnmatchcase(operation, name) for name in cause.operations)), None
    )
