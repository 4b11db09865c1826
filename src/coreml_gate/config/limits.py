"""How much each check allows. A limit of ``None``, written as ``false`` in TOML, is not judged."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat

from coreml_gate.config.table import Table


def none_for_false(value: object) -> object:
    """``None``, which TOML writes as ``false`` because it has no null."""
    return None if value is False else value


Cosine = Annotated[float, Field(ge=-1, le=1)]
Limit = Annotated[float | None, BeforeValidator(none_for_false, float | Literal[False])]
PositiveLimit = Annotated[
    PositiveFloat | None, BeforeValidator(none_for_false, PositiveFloat | Literal[False])
]
NonNegativeLimit = Annotated[
    NonNegativeFloat | None, BeforeValidator(none_for_false, NonNegativeFloat | Literal[False])
]
CosineLimit = Annotated[Cosine | None, BeforeValidator(none_for_false, Cosine | Literal[False])]


class ParityLimits(Table):
    """How far the converted package may be from the source when both compute in float32.

    Both sides do the same arithmetic in a different order, so they may differ by rounding only: correct
    conversions of 75 families of operations all stayed below 1e-4 of the greatest reference value, wrong ones
    did not. A limit per element would measure cancellation near zero instead of faults, so all errors are
    relative to the greatest absolute value of the reference output.
    """

    max_error: PositiveFloat = 1e-4
    """Greatest absolute difference, as a share of the greatest absolute reference value."""
    psnr: Limit = None
    """Minimum PSNR over all elements of an output, in dB (peak = max |reference|)."""
    cosine: CosineLimit = None
    """Minimum cosine similarity of an output, flattened."""
    top1_margin: float = Field(default=0.01, ge=0, le=1)
    """Two best scores closer than this share of their row's range are a near-tie: it proves nothing."""


class PrecisionLimits(Table):
    """How much accuracy the package that ships may lose to half precision and compression.

    30 dB is where Polygraphy and AI Hub stop calling an output good, 40 dB is Apple's documented goal for
    half precision; two sound FP16 executions of one model differ by as much as each differs from float32, so
    a tighter default would test the emulation, not the model.
    """

    psnr: float = 30.0
    """Minimum PSNR of the package against its float32 twin, in dB."""
    warn_psnr: float = 40.0
    """Below this many dB the finding is a warning."""
    cosine: Cosine = 0.997
    """Minimum cosine similarity of an output, flattened (Polygraphy's default)."""
    top1_margin: float = Field(default=0.05, ge=0, le=1)
    """Two best scores closer than this share of their row's range are a near-tie: it proves nothing."""
    max_psnr_drop: PositiveFloat = 3.0
    """Greatest loss against the baseline, in dB; two correct executions differ by 3 dB."""
    drop_matters_below: float = 50.0
    """A drop against the baseline is ignored while the head stays above this many dB."""


class EvaluateLimits(Table):
    """How much worse a task metric of the package may be than that of the source, and of the baseline."""

    max_drop: NonNegativeLimit = None
    """Greatest drop of a metric for which higher is better, in the metric's own unit."""
    max_rise: NonNegativeLimit = None
    """Greatest rise of a metric for which lower is better, in the metric's own unit."""
    least: Limit = None
    """Minimum value for the package."""
    most: Limit = None
    """Maximum value for the package."""


class SizeLimits(Table):
    """How large the package may be. A cellular download of more than 200 MB needs the user's consent."""

    max_mb: PositiveLimit = 200.0
    """Greatest size of the package on disk, in MB (10^6 bytes)."""
    max_ratio: PositiveLimit = 1.10
    """Greatest size relative to the baseline."""
    ratio_from_mb: float = Field(default=1.0, ge=0)
    """The ratio is judged only from this size on, because a few kilobytes of program double a tiny model."""


class MemoryLimits(Table):
    """How much memory weights and live activations may take together.

    An app gets about half of the device's RAM, which is 2 GB on the 4 GB phones that iOS 17 and 18 still
    support. The default is 60 % of that, because the app itself needs the rest.
    """

    max_mb: PositiveLimit = 1200.0
    """Greatest sum of weights and peak activations, in MB (10^6 bytes)."""
    max_ratio: PositiveLimit = 1.10
    """Greatest sum relative to the baseline."""
    ratio_from_mb: float = Field(default=1.0, ge=0)
    """The ratio is judged only from this sum on."""
    footprint_max_ratio: PositiveLimit = None
    """Greatest footprint of a process that predicts with Core ML, relative to the baseline's (Mac only)."""


class CostLimits(Table):
    """How much more the model may compute, and move through memory, than in the baseline.

    Both figures are counted on the program, so a limit need not leave room for noise: 2 % lets an additional
    bias or cast pass, but no other model. They are not times, but without a Mac they are what can be compared
    with the baseline. Raise the limit for an intended growth, or switch it off with ``false``.
    """

    max_ratio: PositiveLimit = 1.02
    """Greatest multiply-accumulates, and bytes moved, relative to the baseline."""
    ratio_from_mmacs: float = Field(default=1.0, ge=0)
    """The ratio of multiply-accumulates is judged only from this many millions on."""
    ratio_from_mb: float = Field(default=1.0, ge=0)
    """The ratio of bytes moved is judged only from this many MB on."""


class LatencyLimits(Table):
    """How much slower than the baseline Core ML may run the package, on the same Mac in the same job.

    A head that is certainly slower by more than half of the allowed change gets a warning, and fails if its
    median is beyond the limit. If noise leaves it open, the finding is unsure (docs/timing.md has the
    measured error rates).
    """

    max_ratio: PositiveLimit = 1.05
    """Greatest time of a prediction, relative to the baseline's."""
    p95_max_ratio: PositiveLimit = None
    """The same of the time within which 95 % of the predictions are done."""
    first_predict_max_ratio: PositiveLimit = None
    """The same of the first prediction after loading."""
    load_max_ratio: PositiveLimit = None
    """The same of loading the compiled model."""
    compile_max_ratio: PositiveLimit = None
    """The same of compiling the package."""


class OnDeviceLimits(Table):
    """What one model of iPhone must reach, measured on a connected one by ``coreml-gate device``.

    Unlike those of a runner, milliseconds on one model of iPhone are comparable from run to run. Heat still
    affects them, so leave some room.
    """

    max_ms: PositiveLimit = None
    """Greatest median of the predictions, in milliseconds as the device measures them."""
    psnr: Limit = None
    """Minimum PSNR against the source in dB; by default that of `precision`."""


class InterfaceLimits(Table):
    """What happens when names, shapes, dtypes or the deployment target differ from the baseline.

    The app's code names inputs and outputs: with a renamed output it compiles, ships, and crashes. A change
    that can break a caller therefore fails until it is allowed.
    """

    on_breaking_change: Literal["fail", "warn"] = "fail"
    """The status of a removed, renamed or re-typed input or output, or of a raised deployment target."""


class Limits(Table):
    """All limits of one model."""

    parity: ParityLimits = ParityLimits()
    """How far the converted package may be from the source, both in float32."""
    precision: PrecisionLimits = PrecisionLimits()
    """How much accuracy the package may lose to half precision and compression."""
    evaluate: dict[str, EvaluateLimits] = Field(default_factory=dict)
    """How much worse each task metric may get, by the metric's name."""
    size: SizeLimits = SizeLimits()
    """How large the package may be."""
    memory: MemoryLimits = MemoryLimits()
    """How much memory weights and activations may take."""
    cost: CostLimits = CostLimits()
    """How much more the model may compute than in the baseline."""
    latency: LatencyLimits = LatencyLimits()
    """How much slower Core ML may run the package (Mac only)."""
    on_device: dict[str, OnDeviceLimits] = Field(default_factory=dict)
    """Limits for a connected iPhone, by its name in `coreml-gate devices`, or as `oldest`."""
    interface: InterfaceLimits = InterfaceLimits()
    """What happens when inputs, outputs or the deployment target change."""
