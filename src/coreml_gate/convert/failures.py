"""What a failed conversion says: the converter's own words, and a way out where the failure is known."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from coreml_gate.convert.quiet import quiet
from coreml_gate.engines.python import place_of
from coreml_gate.record import MissingOperation

_KEPT_LINES = 20
_NOISE = (
    "  File ",
    "    ",
    "Caused by:",
    "For C++ stack trace",
    "For extended logs",
    "For more debugging help",
    "For more information",
    "If you suspect",
    "The error above occurred",
    "The following call raised",
)
"""How lines begin that torch.export adds to an error: frames, and how to log more."""

_KNOWN: Mapping[str, str] = {
    r"only 0-dimensional arrays can be converted|only (length-1|size-1) arrays": (
        "coremltools 9.0 does not work with numpy 2.4 and later (apple/coremltools#2632): pin `numpy<2.4`."
    ),
    r"only ATEN or EDGE dialect": (
        "exported for training: export the module in eval mode with `torch.export.export(...)` "
        "and call `.run_decompositions()`."
    ),
    r"State model is supported only >= iOS18": (
        'forward changes a buffer, which needs `deployment-target = "iOS18"`; or take the state as an input '
        "and return it."
    ),
    r"cannot handle user input mutation": (
        "forward writes into an input: write `x = x.clone()` at its start."
    ),
    r"infinite upper_bound is not allowed": (
        "give the flexible dimension a greatest size: `shape = [1, [1, 512]]` instead of -1."
    ),
    r"expressions of symbolic variables|inconsistent shape between EXIR input": (
        "an input's size follows from another one's: give both the same range, or enumerate the shapes "
        "(`shapes = [[1, 64], [1, 128]]`)."
    ),
    r"ConstraintViolationError|Constraints violated|specialized": (
        "the source fixes a size that the configuration calls flexible: fix it in `shape`, enumerate "
        '`shapes`, or use `conversion = "trace"`.'
    ),
    r"data-dependent|GuardOnDataDependentSymNode|Could not guard on": (
        "the source branches on the values of a tensor: write it with torch.where, or accept with "
        '`conversion = "trace"` that the branch of the first sample is kept.'
    ),
    r"single enumerated shape input|same number of shapes": (
        "below iOS18 only one input may have enumerated shapes; from iOS18 on all need equally many."
    ),
    r"Dynamic quantized models are not supported": (
        "convert the float model, and compress the package with `compress` in the configuration."
    ),
    r"iOS ?1[678]\+|(>=|since) iOS1[678]|(Please|to) (set|update).{0,40}minimum.deployment.target": (
        "raise `deployment-target`, or leave out what needs it."
    ),
    r"Main block's input name": ("an output is an input as it came: leave it out, or return `x * 1`."),
    r"complex": "Core ML has no complex numbers: compute real and imaginary parts as two tensors.",
    r"Number of TorchScript inputs .* must match": (
        "give exactly the inputs that the traced module takes, in their order."
    ),
}
"""Regular expressions over the converter's words, most specific first, and the way out of each."""


class ConversionFailedError(Exception):
    """One route did not lead to a package; it becomes a value of the Record."""

    def __init__(self, message: str, hint: str = "", missing: tuple[MissingOperation, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.missing = missing


@contextmanager
def converter_errors(root: Path) -> Iterator[None]:
    """Runs torch's capture or coremltools quietly, and turns whatever either raises into its message."""
    with quiet() as heard:
        try:
            yield
        except ConversionFailedError:
            raise
        except Exception as error:  # coremltools and torch.export document no exceptions
            raise failure_of(error, root, heard.errors) from error


def failure_of(error: Exception, root: Path, heard: Sequence[str] = ()) -> ConversionFailedError:
    """Puts an exception of the converter or of the capture into words, never with a traceback.

    ``heard`` is what the converter logged: the operation that it was at.
    """
    lines = [line.rstrip() for line in str(error).strip().splitlines() if _tells(line)]
    place = place_of(error, root)
    head = f"{type(error).__name__}: {lines[0] if lines else 'no message'}" + (f" ({place})" if place else "")
    text = "\n".join([*heard[-1:], head, *lines[1:]][:_KEPT_LINES])
    return ConversionFailedError(text, hint_of(text))


def _tells(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(_NOISE)


def hint_of(text: str) -> str:
    """The way out of a known failure, or nothing."""
    return next((hint for pattern, hint in _KNOWN.items() if re.search(pattern, text)), "")


def in_one_line(failure: ConversionFailedError) -> str:
    """The failure for a note."""
    if failure.missing:
        return "no converter for " + ", ".join(f"`{item.operation}`" for item in failure.missing)
    return failure.message.splitlines()[0][:200] if failure.message else "no message"
