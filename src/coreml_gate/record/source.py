"""The environment, the source and its conversion, as stored in a Record."""

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from coreml_gate.record.base import Measured, Part
from coreml_gate.record.comparison import NoiseFloor, OutputSensitivity

Route = Literal["export", "decomposed", "trace"]
"""How a source becomes the graph that is converted; ``decomposed``: by torch's core decompositions."""

_TOOLCHAIN: Final = ("coreml_gate", "coremltools", "torch", "numpy")
"""The packages that affect conversion and results; Python's version and the machine do not."""


class Environment(Measured):
    """The versions that affect conversion and arithmetic."""

    coreml_gate: str
    coremltools: str
    torch: str
    numpy: str
    python: str
    platform: str

    def changes_to(self, head: Self) -> tuple[str, ...]:
        """The tools that affect results and differ: ``measured with torch 2.4.0, the head with 2.5.0``."""
        versions = ((name, getattr(self, name), getattr(head, name)) for name in _TOOLCHAIN)
        return tuple(
            f"measured with {name.replace('_', '-')} {before}, the head with {now}"
            for name, before, now in versions
            if before != now
        )


class Problem(Part):
    """Why the measurement of a model stopped, as a value, so that the other models go on."""

    FIELD: ClassVar[str] = "problem"

    kind: Literal[
        "source-error",
        "samples-error",
        "evaluate-error",
        "package-error",
        "base-build-error",
        "worker-error",
        "interrupted",
    ]
    message: str
    hint: str = ""
    exit_code: Annotated[int, Field(gt=1, le=255)]
    """The gate's exit code because of it: never 0 or 1."""
    log_tail: tuple[str, ...] = ()
    """The last lines that the child process printed."""


class Phase(Measured):
    """One step of measuring a model, with its time."""

    step: str
    seconds: NonNegativeFloat


class ImagePixels(Measured):
    """The values of an image input as pixels, recovered by inverting the configured scale and bias."""

    input: str
    least: float
    greatest: float
    whole: NonNegativeFloat
    """Share of whole numbers."""
    scale: float
    bias: tuple[float, ...]
    steps: tuple[float, ...] = ()
    """Of each channel: by how much its values step, which is the scale that they were made with; empty where
    they lie on no grid of 256 levels, as values drawn at random do."""
    offsets: tuple[float, ...] = ()
    """For each channel, a bias that makes its values whole pixels."""


class SourceFacts(Part):
    """Everything known about the source before its conversion."""

    FIELD: ClassVar[str] = "source"

    kind: Literal["module", "exported-program", "torchscript", "package"]
    parameters: NonNegativeInt
    samples: NonNegativeInt
    random_samples: bool
    """Whether the gate drew the samples, because the configuration names none."""
    samples_digest: str = ""
    """Digest of names, shapes, types and data; empty in Records of older versions."""
    untrained_signs: tuple[str, ...] = ()
    """Why the model looks randomly initialised; empty if it looks trained."""
    sensitivity: tuple[OutputSensitivity, ...] = ()
    images: tuple[ImagePixels, ...] = ()
    floors: tuple[NoiseFloor, ...] = ()
    """The noise floor of each output; none if float64 gives different outputs."""
    no_float64: str = ""
    """Why it could not run in float64; empty if it could or is a package."""


class MissingOperation(Measured):
    """A torch operation without a converter."""

    operation: str
    count: NonNegativeInt
    modules: tuple[str, ...]
    """Paths of the first few modules that call it."""


class RefusedOperation(Measured):
    """Where and why a conversion stopped; unknown parts are empty."""

    operation: str = ""
    """Torch's name for it, such as ``cumsum``."""
    module: str = ""
    """Path of the module that calls it, such as ``layers.0.attn``."""
    place: str = ""
    """``models/net.py:12``"""
    optimisation_pass: str = ""
    """The pass of coremltools that raised after all operations were converted."""
    cause: str = ""
    """The converter's message explained."""


class ComputedConstant(Measured):
    """A constant of the package that is not a parameter of the source."""

    name: str
    shape: tuple[NonNegativeInt, ...]
    bytes: NonNegativeInt
    """Size in the float32 twin."""
    place: str = ""
    """Such as ``models/net.py:12``; empty if not known."""


class FoundWeights(Measured):
    """How many of the source's weight matrices are in a package that the team made."""

    matrices: NonNegativeInt
    found: NonNegativeInt


class ConversionFacts(Part):
    """The result of the conversion."""

    FIELD: ClassVar[str] = "conversion"

    status: Literal["converted", "failed", "crashed", "timed-out", "out-of-memory", "not-needed"]
    route: Literal[Route, "none"]
    seconds: NonNegativeFloat = 0.0
    cached: bool = False
    maker: str = ""
    """The team's own conversion as the configuration names it; empty if the gate converted."""
    twin: Literal["converted", "called-again", "gate", "widened", "package"] = "converted"
    """How the float32 twin came to be: converted as the package was, by the team's callable once more, by the
    gate from the same source, by widening the package, or not at all: the package computes in float32."""
    weights: FoundWeights | None = None
    """For a package that the team made."""
    missing: tuple[MissingOperation, ...] = ()
    message: str = ""
    """The converter's own error, if it failed."""
    hint: str = ""
    computed: tuple[ComputedConstant, ...] = ()
    """The largest constants, if together they are larger than all parameters of the source."""
    refused: RefusedOperation | None = None
    """Where and why the converter stopped, if it did."""
    notes: tuple[str, ...] = ()
    """Notes on a success: a fallback, an operation converted by one of our own converters."""
    log_tail: tuple[str, ...] = ()
