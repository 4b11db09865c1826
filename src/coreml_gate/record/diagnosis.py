"""Why precision or parity fails, as a Record holds it."""

from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from coreml_gate.record.base import Measured, Part
from coreml_gate.record.comparison import Comparison
from coreml_gate.record.source import Route

HazardKind = Literal[
    "overflow",
    "accumulation",
    "vanishing",
    "epsilon",
    "infinite-constant",
    "cliff",
    "rounding",
    "cancellation",
    "inherited",
    "whole-numbers",
]
HalfMode = Literal["fp16", "neural-engine"]
HALF_MODES: Final[tuple[HalfMode, ...]] = get_args(HalfMode)


class Hazard(Measured):
    """One operation that breaks in half precision, or comes near it."""

    kind: HazardKind
    operation: str
    """Its name in the float32 twin."""
    operation_type: str
    module: str = ""
    """The class of the innermost module that makes it; empty when unknown."""
    place: str = ""
    """``models/net.py:12``; empty when unknown."""
    reaches: NonNegativeFloat
    """The greatest magnitude over all samples; for vanishing values and epsilons the smallest."""
    bound: NonNegativeFloat
    """The number of half precision that ``reaches`` is held against."""
    bites_in: HalfMode | None = None
    """The mode in which it harms an output; ``None``: it has not yet."""

    @property
    def headroom(self) -> float:
        """How many times ``reaches`` fits below the bound (above it, for what vanishes); below 1: none."""
        small = self.kind in {"vanishing", "epsilon"}
        above, below = (self.reaches, self.bound) if small else (self.bound, self.reaches)
        return above / below if below > 0 else 0.0


class OperationError(Measured):
    """How far one operation's half result is off, as RMS error by RMS of the float32 result."""

    operation: str
    operation_type: str
    mode: HalfMode
    own: NonNegativeFloat
    """Of the operation alone, on the float32 run's inputs rounded to half."""
    inherited: NonNegativeFloat
    """In the half run, with everything before it in half as well."""
    nonfinite: bool = False
    """Whether its own half result is infinite or NaN where the float32 result is finite."""


class Repair(Measured):
    """Operations that suffice to be kept in float32 so that the precision check passes."""

    outcome: Literal["found", "spread", "out-of-budget", "unconfirmed", "not-half"]
    """``spread``: no small set helps. ``unconfirmed``: the conversion did not give what the search foresaw.
    ``not-half``: it fails with every operation in float32 as well."""
    mode: HalfMode = "fp16"
    """In which the check fails and is judged; ``neural-engine`` only where it passes in ``fp16``."""
    operations: tuple[str, ...] = ()
    """1-minimal: without any one of them the check fails."""
    variables: tuple[str, ...] = ()
    """The same as an ``op_selector`` of coremltools sees them: names of their first outputs."""
    patterns: tuple[str, ...] = ()
    """The value of ``keep-fp32``."""
    psnr_before: float | None = None
    psnr_expected: float | None = None
    """By the search, in our runtime; the worst of all samples."""
    psnr: float | None = None
    """Of the package converted again."""
    half_operations: NonNegativeInt = 0
    """How many operations half precision concerns."""
    kept: NonNegativeInt = 0
    """How many of them ``patterns`` keep in float32."""
    casts_added: int = 0
    bytes_added: int = 0
    runs: NonNegativeInt = 0
    conversions: NonNegativeInt = 0
    seconds: NonNegativeFloat = 0.0


class Rewrite(Measured):
    """A place where other arithmetic is better than float32."""

    title: str
    operation: str
    place: str = ""
    code: tuple[str, ...]
    """PyTorch, line by line."""


class Diagnosis(Part):
    """Where half precision hurts, and the smallest repair."""

    FIELD: ClassVar[str] = "diagnosis"

    hazards: tuple[Hazard, ...] = ()
    errors: tuple[OperationError, ...] = ()
    """The operations with the greatest own error, per mode."""
    first_nonfinite: str | None = None
    """The first operation of the half run whose result is not finite where the float32 one is."""
    neural_engine: tuple[Comparison, ...] = ()
    """The float32 twin against the Neural Engine estimate of the program; empty if it did not run."""
    repair: Repair | None = None
    rewrites: tuple[Rewrite, ...] = ()
    seconds: NonNegativeFloat = 0.0
    note: str = ""
    """Why a part was left out."""


AlignmentState = Literal["matched", "differs", "no counterpart", "ambiguous", "shape changed"]
"""How an operation of the package stands to the source: never merged, because only the first two compare.

``no counterpart``: a step inside one torch operation, or one that torch does not make. ``ambiguous``: several
torch results are the same. ``shape changed``: the same elements, under another shape.
"""


MOST_ERRORS: Final = 1_000
"""Compared operations whose error a Record holds, the first in the program's order."""


class FirstWrong(Measured):
    """The first operation of the twin whose inputs agree with the source and whose result does not."""

    operation: str = ""
    """Its name; empty when it is unknown, which ``reason`` explains."""
    operation_type: str = ""
    torch_operation: str = ""
    module: str = ""
    """Path of the module, as ``layers.0.attn``; empty for the model itself."""
    place: str = ""
    """``models/net.py:41``; empty when unknown."""
    lost: bool = False
    """Whether the torch operation has no operation of its own in the package."""
    error: NonNegativeFloat | None = None
    """Share of the greatest reference value; ``None``: other shape, NaN or infinities, or another integer."""
    inherited: NonNegativeFloat = 0.0
    """The same of the worst of its inputs."""
    others: tuple[str, ...] = ()
    """Operations that differ by themselves as well, in order."""
    counts: dict[AlignmentState, NonNegativeInt] = Field(default_factory=dict)
    """How many operations are in which state."""
    errors: Annotated[dict[str, NonNegativeFloat], Field(max_length=MOST_ERRORS)] = Field(
        default_factory=dict
    )
    """Of the operations that were compared with the source, by name, in order: what ``error`` is."""
    reason: str = ""
    unsteady: bool = False
    """Whether the source answers the same samples otherwise when it runs again: no operation is to blame."""
    hint: str = ""
    """The way out, where the fault is a known one."""

    @property
    def compared_share(self) -> float:
        """Share of the operations whose results really were compared."""
        total = sum(self.counts.values())
        return (self.counts.get("matched", 0) + self.counts.get("differs", 0)) / total if total else 0.0


class OtherRoute(Measured):
    """What became of the model along the route that was not taken."""

    route: Route
    agrees: bool | None
    """Whether its package answers like the source; ``None``: it gives none."""


class PerturbedSample(Measured):
    """One way in which the samples were changed, on which the source stayed defined and stable."""

    name: str
    comparisons: tuple[Comparison, ...]


class ParityDiagnosis(Part):
    """Why the float32 package does not answer like its source."""

    FIELD: ClassVar[str] = "parity_diagnosis"

    found_on: str
    """``samples``, or the name of the changed samples on which they differ."""
    sample: NonNegativeInt
    first_wrong: FirstWrong
    other_route: OtherRoute | None = None
    conversions: NonNegativeInt = 0
    seconds: NonNegativeFloat = 0.0
    note: str = ""
    """What was left out when the time was over."""
