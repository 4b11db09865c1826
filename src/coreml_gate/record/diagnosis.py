"""Why precision or parity fails, as stored in a Record."""

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
    """One operation that breaks, or nearly breaks, in half precision."""

    kind: HazardKind
    operation: str
    """Its name in the float32 twin."""
    operation_type: str
    module: str = ""
    """The class of the innermost module that it comes from; empty if unknown."""
    place: str = ""
    """``models/net.py:12``; empty when unknown."""
    reaches: NonNegativeFloat
    """The greatest magnitude over all samples; the smallest for vanishing values and epsilons."""
    bound: NonNegativeFloat
    """The limit of half precision that ``reaches`` is compared with."""
    bites_in: HalfMode | None = None
    """The mode in which it harms an output; ``None`` if it does not (yet)."""

    @property
    def headroom(self) -> float:
        """How many times ``reaches`` fits below the bound (above it for vanishing values); below 1 if not."""
        small = self.kind in {"vanishing", "epsilon"}
        above, below = (self.reaches, self.bound) if small else (self.bound, self.reaches)
        return above / below if below > 0 else 0.0


class OperationError(Measured):
    """The error of one operation's half result: RMS error / RMS of the float32 result."""

    operation: str
    operation_type: str
    mode: HalfMode
    own: NonNegativeFloat
    """Error of the operation alone, on the float32 run's inputs rounded to half."""
    inherited: NonNegativeFloat
    """Error in the half run, in which all operations before it run in half as well."""
    nonfinite: bool = False
    """Whether its own half result is infinite or NaN where the float32 result is finite."""


class Repair(Measured):
    """Operations that make the precision check pass if they are kept in float32."""

    outcome: Literal["found", "spread", "out-of-budget", "unconfirmed", "not-half"]
    """``spread``: no small set helps. ``unconfirmed``: a new conversion did not confirm what the search
    found. ``not-half``: the check fails even with every operation in float32."""
    mode: HalfMode = "fp16"
    """The mode in which the check fails and is judged; ``neural-engine`` only if it passes in ``fp16``."""
    operations: tuple[str, ...] = ()
    """1-minimal: if any one of them is left out, the check fails."""
    variables: tuple[str, ...] = ()
    """The same operations for coremltools' ``op_selector``: the names of their first outputs."""
    patterns: tuple[str, ...] = ()
    """The value of ``keep-fp32``."""
    psnr_before: float | None = None
    psnr_expected: float | None = None
    """PSNR of the worst sample, by the search in our runtime."""
    psnr: float | None = None
    """PSNR of the worst sample, of the package converted again."""
    half_operations: NonNegativeInt = 0
    """The number of operations in half precision."""
    kept: NonNegativeInt = 0
    """The number of them that ``patterns`` keep in float32."""
    casts_added: int = 0
    bytes_added: int = 0
    runs: NonNegativeInt = 0
    conversions: NonNegativeInt = 0
    seconds: NonNegativeFloat = 0.0


class Rewrite(Measured):
    """A place where different arithmetic is better than float32."""

    title: str
    operation: str
    place: str = ""
    code: tuple[str, ...]
    """PyTorch, line by line."""


class Diagnosis(Part):
    """Where half precision does harm, and the smallest repair."""

    FIELD: ClassVar[str] = "diagnosis"

    hazards: tuple[Hazard, ...] = ()
    errors: tuple[OperationError, ...] = ()
    """The operations with the greatest own errors, per mode."""
    first_nonfinite: str | None = None
    """The first operation whose result is not finite in the half run but is in the float32 run."""
    neural_engine: tuple[Comparison, ...] = ()
    """The float32 twin against the Neural Engine estimate; empty if that did not run."""
    repair: Repair | None = None
    rewrites: tuple[Rewrite, ...] = ()
    seconds: NonNegativeFloat = 0.0
    note: str = ""
    """Why a part was left out."""


AlignmentState = Literal["matched", "differs", "no counterpart", "ambiguous", "shape changed"]
"""How an operation of the package relates to the source. Only the first two states compare values.

``no counterpart``: a step within one torch operation, or one that torch does not have. ``ambiguous``: several
torch results are equal. ``shape changed``: the same elements in another shape.
"""


MOST_ERRORS: Final = 1_000
"""Most compared operations whose errors a Record stores, the first ones of the program."""


class FirstWrong(Measured):
    """The first operation of the twin whose inputs agree with the source but whose result does not."""

    operation: str = ""
    """Its name; empty if unknown, which ``reason`` then explains."""
    operation_type: str = ""
    torch_operation: str = ""
    module: str = ""
    """Path of the module, such as ``layers.0.attn``; empty for the model itself."""
    place: str = ""
    """Such as ``models/net.py:41``; empty if unknown."""
    lost: bool = False
    """Whether the torch operation has no counterpart in the package."""
    error: NonNegativeFloat | None = None
    """As a share of the greatest reference value; ``None`` for other shapes, NaN, infinities and integers."""
    inherited: NonNegativeFloat = 0.0
    """The same for the worst of its inputs."""
    others: tuple[str, ...] = ()
    """Other operations that are wrong by themselves, in order."""
    counts: dict[AlignmentState, NonNegativeInt] = Field(default_factory=dict)
    """The number of operations by state."""
    errors: Annotated[dict[str, NonNegativeFloat], Field(max_length=MOST_ERRORS)] = Field(
        default_factory=dict
    )
    """The error, as in ``error``, of each compared operation by name, in order."""
    reason: str = ""
    unsteady: bool = False
    """Whether the source itself gives other outputs when it runs again, so that no operation is to blame."""
    hint: str = ""
    """The fix, if the fault is a known one."""

    @property
    def compared_share(self) -> float:
        """The share of operations whose results were compared."""
        total = sum(self.counts.values())
        return (self.counts.get("matched", 0) + self.counts.get("differs", 0)) / total if total else 0.0


class OtherRoute(Measured):
    """The result of converting along a route that was not taken."""

    route: Route
    agrees: bool | None
    """Whether its package agrees with the source; ``None`` if it did not convert."""


class PerturbedSample(Measured):
    """One way in which the samples were changed, on which the source stayed defined and stable."""

    name: str
    comparisons: tuple[Comparison, ...]


class ParityDiagnosis(Part):
    """Why the float32 package does not agree with its source."""

    FIELD: ClassVar[str] = "parity_diagnosis"

    found_on: str
    """``samples``, or the name of the perturbed sample on which they differ."""
    sample: NonNegativeInt
    first_wrong: FirstWrong
    instead: str = ""
    """What a team's package computes instead of its source, as ``the softmax of the source's `scores```."""
    other_route: OtherRoute | None = None
    conversions: NonNegativeInt = 0
    seconds: NonNegativeFloat = 0.0
    note: str = ""
    """What was left out when the budget was used up."""
