"""The environment, the source and its conversion, as a Record holds them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from coreml_gate.record.base import Measured, Part
from coreml_gate.record.comparison import NoiseFloor, OutputSensitivity

Route = Literal["export", "decomposed", "trace"]
"""How a source becomes the graph that is converted; ``decomposed``: by torch's core decompositions."""


class Environment(Measured):
    """The versions that decide what conversion and arithmetic give."""

    coreml_gate: str
    coremltools: str
    torch: str
    numpy: str
    python: str
    platform: str


class Problem(Part):
    """Why measuring a model stopped, kept as a value so that the other models go on."""

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
    """The one that the gate then ends with: never that of a pass or of a failure."""
    log_tail: tuple[str, ...] = ()
    """The last lines that the child process printed."""


class Phase(Measured):
    """One step of measuring a model, and its share of the time."""

    step: str
    seconds: NonNegativeFloat


class ImagePixels(Measured):
    """The values of an image input as pixels, by inverting the configured scale and bias."""

    input: str
    least: float
    greatest: float
    whole: NonNegativeFloat
    """Share of whole numbers among them."""
    scale: float
    bias: tuple[float, ...]
    steps: tuple[float, ...] = ()
    """Of each channel: by how much its values step, which is the scale that they were made with; empty where
    they lie on no grid of 256 levels, as values drawn at random do."""
    offsets: tuple[float, ...] = ()
    """Of each channel: a bias that makes its values whole pixels."""


class SourceFacts(Part):
    """What is known of the source before it is converted."""

    FIELD: ClassVar[str] = "source"

    kind: Literal["module", "exported-program", "torchscript", "package"]
    parameters: NonNegativeInt
    samples: NonNegativeInt
    random_samples: bool
    """Whether the samples were drawn by us because the configuration names none."""
    samples_digest: str = ""
    """Of their names, shapes, types and data; empty where an earlier version measured."""
    untrained_signs: tuple[str, ...] = ()
    """Why the model looks randomly initialised; empty when it looks trained."""
    sensitivity: tuple[OutputSensitivity, ...] = ()
    images: tuple[ImagePixels, ...] = ()
    floors: tuple[NoiseFloor, ...] = ()
    """Its own rounding in float32, output by output; none where float64 gives another answer."""
    no_float64: str = ""
    """Why it could not run in float64; empty where it could, or is a package."""


class MissingOperation(Measured):
    """A torch operation for which the converter has no rule."""

    operation: str
    count: NonNegativeInt
    modules: tuple[str, ...]
    """Paths of the modules that call it, the first few."""


class RefusedOperation(Measured):
    """Where a conversion stopped, and why in words; what is not known is empty."""

    operation: str = ""
    """Torch's name for it, as ``cumsum``."""
    module: str = ""
    """Path of the module that calls it, as ``layers.0.attn``."""
    place: str = ""
    """``models/net.py:12``"""
    optimisation_pass: str = ""
    """The pass of coremltools that raised, after everything was converted."""
    cause: str = ""
    """What the converter's message means."""


class ComputedConstant(Measured):
    """A constant of the package that is not a parameter of the source."""

    name: str
    shape: tuple[NonNegativeInt, ...]
    bytes: NonNegativeInt
    """In the float32 twin."""
    place: str = ""
    """``models/net.py:12``; empty where it is not known."""


class FoundWeights(Measured):
    """How many weight matrices of the source are in a package that the team made."""

    matrices: NonNegativeInt
    found: NonNegativeInt


class ConversionFacts(Part):
    """How the conversion went."""

    FIELD: ClassVar[str] = "conversion"

    status: Literal["converted", "failed", "crashed", "timed-out", "out-of-memory", "not-needed"]
    route: Literal[Route, "none"]
    seconds: NonNegativeFloat = 0.0
    cached: bool = False
    maker: str = ""
    """The team's own conversion as the configuration names it; empty: the gate converted."""
    twin: Literal["converted", "called-again", "gate", "widened", "package"] = "converted"
    """How the float32 twin came to be: converted as the package was, by the team's callable once more, by the
    gate from the same source, by widening the package, or not at all: the package computes in float32."""
    weights: FoundWeights | None = None
    """Of a package that the team made."""
    missing: tuple[MissingOperation, ...] = ()
    message: str = ""
    """The converter's own words when it failed."""
    hint: str = ""
    computed: tuple[ComputedConstant, ...] = ()
    """The largest, where such constants outweigh all parameters of the source."""
    refused: RefusedOperation | None = None
    """Of a conversion that the converter refused: where and why."""
    notes: tuple[str, ...] = ()
    """What a reader should know of a success: a fallback, an operation that got its converter from us."""
    log_tail: tuple[str, ...] = ()
