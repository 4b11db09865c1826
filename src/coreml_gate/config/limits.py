"""How much each check allows. A limit that is ``None``, which TOML writes as ``false``, is not judged."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat

from coreml_gate.config.table import Table


def none_for_false(value: object) -> object:
    """What TOML, which has no null, writes as ``false``."""
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

    Both sides do the same arithmetic in another order, so only rounding is left: sound conversions of 75
    families of operations all stayed below 1e-4 of the greatest reference value, wrong ones did not. A limit
    per element would measure cancellation near zero instead of faults, therefore all errors are relative to
    the greatest absolute value of the reference output.
    """

    max_error: PositiveFloat = 1e-4
    """Greatest absolute difference, as a share of the greatest absolute reference value."""
    psnr: Limit = None
    """Least PSNR over all elements of an output, in dB (peak = max |reference|)."""
    cosine: CosineLimit = None
    """Least cosine similarity of an output, flattened."""
    top1_margin: float = Field(default=0.01, ge=0, le=1)
    """Two best scores closer than this share of their row's range are a near-tie: it proves nothing."""


class PrecisionLimits(Table):
    """How much the package that ships may lose to half precision and to compression.

    30 dB is where Polygraphy and AI Hub stop calling an output good, 40 dB is Apple's documented goal for
    half precision; two sound FP16 executions of one model differ by as much as each differs from float32, so
    a tighter default would test the emulation, not the model.
    """

    psnr: float = 30.0
    """Least PSNR of the package against its float32 twin, in dB."""
    warn_psnr: float = 40.0
    """Below this many dB the finding is a warning."""
    cosine: Cosine = 0.997
    """Least cosine similarity of an output, flattened (Polygraphy's default)."""
    top1_margin: float = Field(default=0.05, ge=0, le=1)
    """Two best scores closer than this share of their row's range are a near-tie: it proves nothing."""
    max_psnr_drop: PositiveFloat = 3.0
    """Greatest loss against the baseline, in dB: 3 dB is what two sound executions differ by."""
    drop_matters_below: float = 50.0
    """A drop against the baseline is ignored while the head stays above this many dB."""


class EvaluateLimits(Table):
    """How far a task metric of the package may fall behind the source, and behind the baseline."""

    max_drop: NonNegativeLimit = None
    """Greatest fall of a metric for which higher is better, in the metric's own unit."""
    max_rise: NonNegativeLimit = None
    """Greatest rise of a metric for which lower is better, in the metric's own unit."""
    least: Limit = None
    """Least value that the package may reach."""
    most: Limit = None
    """Greatest value that the package may reach."""


class SizeLimits(Table):
    """How large the package may be. Above 200 MB, a download over cellular needs the user's consent."""

    max_mb: PositiveLimit = 200.0
    """Greatest size of the package on disk, in MB (10^6 bytes)."""
    max_ratio: PositiveLimit = 1.10
    """Greatest size relative to the baseline."""
    ratio_from_mb: float = Field(default=1.0, ge=0)
    """The ratio is judged from this size on: a few kilobytes of program double a tiny model."""


class MemoryLimits(Table):
    """How much memory weights and live activations may take together.

    An app gets about half of the device's RAM (2 GB on the 4 GB phones that iOS 17 and 18 still support), and
    needs the rest of it for itself: 60 % of 2 GB for the model is the default.
    """

    max_mb: PositiveLimit = 1200.0
    """Greatest sum of weights and peak activations, in MB (10^6 bytes)."""
    max_ratio: PositiveLimit = 1.10
    """Greatest sum relative to the baseline."""
    ratio_from_mb: float = Field(default=1.0, ge=0)
    """The ratio is judged from this sum on."""
    footprint_max_ratio: PositiveLimit = None
    """Greatest footprint of the process that predicts with Core ML, relative to the baseline's; on a Mac."""


class CostLimits(Table):
    """How much more the model may compute, and move through memory, than in the baseline.

    Both figures are counted on the program, so they have no noise that a limit would have to leave room for:
    2 % lets a bias or a cast pass, and no other model. They are not times, but
    where no Mac is at hand they are what can be held against the baseline. A growth that is wanted is said
    here, or switched off with ``false``.
    """

    max_ratio: PositiveLimit = 1.02
    """Greatest multiply-accumulates, and bytes moved, relative to the baseline."""
    ratio_from_mmacs: float = Field(default=1.0, ge=0)
    """The ratio of multiply-accumulates is judged from this many millions on."""
    ratio_from_mb: float = Field(default=1.0, ge=0)
    """The ratio of bytes moved is judged from this many MB on."""


class LatencyLimits(Table):
    """How much slower than the baseline Core ML may run the package, on the same Mac in the same job.

    A head that is certainly slower by more than half of what is allowed is a warning, and a failure when its
    median is past the limit; what noise leaves open is unsure (docs/timing.md has the measured error rates).
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

    Milliseconds of one model of device are comparable from run to run as those of a runner are not, but heat
    still moves them: leave room.
    """

    max_ms: PositiveLimit = None
    """Greatest median of the predictions, in milliseconds as the device measures them."""
    psnr: Limit = None
    """Least PSNR against the source in dB; nothing means that of `precision`."""


class InterfaceLimits(Table):
    """What happens when names, shapes, dtypes or the deployment target differ from the baseline.

    The app's code names inputs and outputs: a renamed output compiles, ships, and crashes. Therefore a
    change that can break a caller fails until it is allowed.
    """

    on_breaking_change: Literal["fail", "warn"] = "fail"
    """The status of a removed, renamed or re-typed input or output, or of a raised deployment target."""


class Limits(Table):
    """All limits of one model."""

    parity: ParityLimits = ParityLimits()
    """How far the converted package may be from the source, both in float32."""
    precision: PrecisionLimits = PrecisionLimits()
    """How much the package may lose to half precision and to compression."""
    evaluate: dict[str, EvaluateLimits] = Field(default_factory=dict)
    """How far each task metric may fall, by the metric's name."""
    size: SizeLimits = SizeLimits()
    """How large the package may be."""
    memory: MemoryLimits = MemoryLimits()
    """How much memory weights and activations may take."""
    cost: CostLimits = CostLimits()
    """How much more the model may compute than in the baseline."""
    latency: LatencyLimits = LatencyLimits()
    """How much slower Core ML may run the package; measured on a Mac only."""
    on_device: dict[str, OnDeviceLimits] = Field(default_factory=dict)
    """What a connected iPhone must reach, by its name in `coreml-gate devices`, or as `oldest`."""
    interface: InterfaceLimits = InterfaceLimits()
    """What happens when inputs, outputs or the deployment target change."""
