"""A Record: what one run measured, without a judgement. It is the result file and the baseline in one.

A Record holds no limit and no status, so stored Records can be judged again under other limits without
running anything. Numbers that are not finite never enter it: JSON has none, so "infinite" is always a count,
or a ``None`` with its meaning said at the field.

History of the format:
    1  first version
"""

import math
import sys
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, ValidationError

from coreml_gate.errors import RecordError

SCHEMA_VERSION: Final = 1

Side = Literal["source", "fp32", "fp16", "fp16-strict", "core-ml"]
"""Who computed: the PyTorch source, a package under our MIL runtime in a numeric mode, or Core ML."""


class Measured(BaseModel):
    """The form of every part of a Record: frozen, closed, finite."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        ser_json_inf_nan="null",
    )


class Environment(Measured):
    """The versions that decide what conversion and arithmetic give."""

    coreml_gate: str
    coremltools: str
    torch: str
    numpy: str
    python: str
    platform: str


class Problem(Measured):
    """Why measuring a model stopped, kept as a value so that the other models go on."""

    kind: Literal[
        "source-error", "samples-error", "evaluate-error", "package-error", "base-build-error", "worker-error"
    ]
    message: str
    hint: str = ""
    exit_code: int
    log_tail: tuple[str, ...] = ()
    """The last lines that the child process printed."""


NonFinite = Literal["NaN", "+inf", "-inf"]
"""What JSON has no number for, by name: an overflow, a mask and an undefined result differ in their cure."""


class Place(Measured):
    """Where two arrays differ, with both values there."""

    index: tuple[NonNegativeInt, ...]
    reference: float | NonFinite
    candidate: float | NonFinite


class TopOne(Measured):
    """Whether the best score of each row (last axis) stays the best; gaps are shares of the row's range."""

    rows: NonNegativeInt
    disagreements: NonNegativeInt
    least_gap: NonNegativeFloat
    """The smallest gap between the reference's two best scores over all rows: tiny means a near-tie."""
    worst_gap: NonNegativeFloat = 0.0
    """The largest reference gap among the rows that disagree; 0 when none does."""
    row: NonNegativeInt | None = None
    """The row of ``worst_gap``."""


class Comparison(Measured):
    """One output of one sample, as two sides computed it.

    The figures are in the order in which they are judged: shapes, then the non-finite pattern, then errors
    over the elements that are finite on both sides.
    """

    output: str
    sample: NonNegativeInt
    reference: Side
    candidate: Side
    reference_shape: tuple[NonNegativeInt, ...]
    candidate_shape: tuple[NonNegativeInt, ...]
    elements: NonNegativeInt
    unequal: NonNegativeInt | None = None
    """Elements of an integer or boolean output that differ at all; ``None`` for floating point. Such outputs
    are class numbers, indices and flags: they have no psnr, cosine or top1, and no error is a small one."""
    nonfinite_mismatches: NonNegativeInt = 0
    """Elements that are NaN or infinite on one side only, or in different ways."""
    nonfinite_place: Place | None = None
    max_reference: NonNegativeFloat = 0.0
    """Greatest finite absolute reference value: the scale of all relative figures."""
    max_abs_error: NonNegativeFloat = 0.0
    max_abs_place: Place | None = None
    max_rel_error: NonNegativeFloat = 0.0
    """Greatest element-wise relative error; near zero it is cancellation, so it is shown and never judged."""
    max_rel_place: Place | None = None
    psnr: float | None = None
    """In dB over all elements with peak = max |reference| (1 where the reference is all zeros); ``None`` when
    both sides are equal."""
    cosine: float | None = None
    """``None`` when a side is all zeros."""
    top1: TopOne | None = None

    @property
    def same_shape(self) -> bool:
        """Whether the two sides can be compared at all."""
        return self.reference_shape == self.candidate_shape

    @property
    def relative_error(self) -> float:
        """``max_abs_error`` as a share of ``max_reference``; absolute where the reference is all zeros."""
        scale = self.max_reference if self.max_reference > 0 else 1.0
        return min(self.max_abs_error / scale, sys.float_info.max)

    def exceeds(self, limit: float) -> bool:
        """Is this more than rounding explains, where ``limit`` is a share of the greatest reference value?"""
        return (
            not self.same_shape
            or self.nonfinite_mismatches > 0
            or bool(self.unequal)
            or self.relative_error > limit
        )


class MetricValue(Measured):
    """One number of the user's ``evaluate``, by the side that predicted."""

    name: str
    side: Side
    value: float


class OutputSensitivity(Measured):
    """How much an output varies over the samples: RMS deviation from the mean sample, by RMS of all values.

    Below about 0.1 the output hardly depends on the input, and a good figure means nothing.
    """

    output: str
    value: NonNegativeFloat


class SourceFacts(Measured):
    """What is known of the source before it is converted."""

    kind: Literal["module", "exported-program", "torchscript", "package"]
    parameters: NonNegativeInt
    samples: NonNegativeInt
    random_samples: bool
    """Whether the samples were drawn by us because the configuration names none."""
    untrained_signs: tuple[str, ...] = ()
    """Why the model looks randomly initialised; empty when it looks trained."""
    sensitivity: tuple[OutputSensitivity, ...] = ()


class MissingOperation(Measured):
    """A torch operation for which the converter has no rule."""

    operation: str
    count: NonNegativeInt
    modules: tuple[str, ...]
    """Paths of the modules that call it, the first few."""


class ConversionFacts(Measured):
    """How the conversion went."""

    status: Literal["converted", "failed", "crashed", "timed-out", "out-of-memory", "not-needed"]
    route: Literal["export", "trace", "none"]
    seconds: NonNegativeFloat = 0.0
    cached: bool = False
    missing: tuple[MissingOperation, ...] = ()
    message: str = ""
    """The converter's own words when it failed."""
    hint: str = ""
    notes: tuple[str, ...] = ()
    """What a reader should know of a success: a fallback, an operation that got its converter from us."""
    log_tail: tuple[str, ...] = ()


class FeatureFacts(Measured):
    """One input, output or state of the package's interface."""

    name: str
    kind: Literal["array", "image", "state", "string", "dictionary"]
    dtype: str
    shape: tuple[int, ...] = ()
    """The default shape."""
    flexibility: str = ""
    """The other shapes allowed, written out: ``[1, 1..512]`` or ``(1, 64) | (1, 128)``; empty when fixed."""
    optional: bool = False


class PackageFacts(Measured):
    """What can be read off the package without running it."""

    path: str
    """Relative to the Record's folder."""
    fingerprint: str
    total_bytes: NonNegativeInt
    weight_bytes: NonNegativeInt
    program_bytes: NonNegativeInt
    deployment_target: str
    inputs: tuple[FeatureFacts, ...]
    outputs: tuple[FeatureFacts, ...]
    states: tuple[FeatureFacts, ...] = ()
    operations: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """Operations by type; constants are left out."""


class LiveValue(Measured):
    """One value that is alive at the peak."""

    name: str
    bytes: NonNegativeInt


class OverheadFacts(Measured):
    """What an engine may take on top of weights and activations; a hypothesis, never part of the peak."""

    kind: Literal["dilated-kernel", "attention-scores", "im2col"]
    operation: str
    bytes: NonNegativeInt
    lasting: bool
    """Whether it stays for the model's life, as weights do."""
    text: str


class ShapeMemory(Measured):
    """The peak for other shapes of the inputs."""

    shape: str
    activation_bytes: NonNegativeInt | None = None
    """``None``: it could not be measured, and ``problem`` tells why."""
    peak_operation: str = ""
    problem: str = ""


class MemoryFacts(Measured):
    """Weights, and the peak of live activations by liveness over the program."""

    weight_bytes: NonNegativeInt
    activation_bytes: NonNegativeInt
    peak_operation: str
    live: tuple[LiveValue, ...]
    """The largest values alive at the peak, largest first."""
    shape: str = ""
    """The shapes of the inputs for which this holds, ``ids (1, 128)``; empty when all are fixed."""
    timeline: tuple[NonNegativeInt, ...] = ()
    """Live bytes over the program: the greatest in each of up to 48 stretches of equal length."""
    near_peak: tuple[str, ...] = ()
    """Operations at which at least 95 % of the peak is alive, the first few in order."""
    overheads: tuple[OverheadFacts, ...] = ()
    """The largest of what an engine may take on top, largest first."""
    lasting_overhead_bytes: NonNegativeInt = 0
    """All of it that stays for the model's life."""
    passing_overhead_bytes: NonNegativeInt = 0
    """The largest of what is needed at one operation only."""
    other_shapes: tuple[ShapeMemory, ...] = ()
    """The same peak for the other shapes that the package takes: every enumerated one, or the extremes."""

    @property
    def worst(self) -> ShapeMemory:
        """The shapes with the highest peak; those of the first sample when no others were measured."""
        own = ShapeMemory(
            shape=self.shape, activation_bytes=self.activation_bytes, peak_operation=self.peak_operation
        )
        return max((own, *self.other_shapes), key=lambda each: each.activation_bytes or 0)

    @property
    def total_bytes(self) -> int:
        """Weights, and activations at the worst shape."""
        return self.weight_bytes + (self.worst.activation_bytes or 0)


class ModuleCost(Measured):
    """What one part of the model costs."""

    name: str
    """By the names of its weights, the package knows no modules; empty for what has no name."""
    macs: NonNegativeInt
    bytes: NonNegativeInt
    operations: NonNegativeInt


class CostFacts(Measured):
    """What the program costs, counted; the same on every machine."""

    macs: NonNegativeInt
    """Multiply-accumulates of convolutions, matrix products, attention and recurrent layers."""
    elementwise: NonNegativeInt
    """Elements that other operations compute."""
    bytes: NonNegativeInt
    """Operands, weights as stored and results of every operation, as if nothing were fused."""
    operations: NonNegativeInt
    modules: tuple[ModuleCost, ...] = ()
    """The parts with the most multiply-accumulates, at most 12."""
    shape: str = ""
    """The shapes of the inputs for which this holds; empty when all are fixed."""
    loops: bool = False
    """Whether some of the work is repeated an unknown number of times, and counted once."""


HazardKind = Literal[
    "overflow", "accumulation", "vanishing", "epsilon", "infinite-constant", "cliff", "rounding"
]
HalfMode = Literal["fp16", "fp16-strict"]


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


class Diagnosis(Measured):
    """Where half precision hurts, and the smallest repair."""

    hazards: tuple[Hazard, ...] = ()
    errors: tuple[OperationError, ...] = ()
    """The operations with the greatest own error, per mode."""
    first_nonfinite: str | None = None
    """The first operation of the half run whose result is not finite where the float32 one is."""
    strict: tuple[Comparison, ...] = ()
    """The float32 twin against the same program in fp16-strict mode; empty when it was not asked."""
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


class FirstWrong(Measured):
    """The first operation of the twin whose inputs agree with the source and whose result does not."""

    operation: str = ""
    """Its name; empty when it cannot be told, which ``reason`` explains."""
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
    reason: str = ""
    hint: str = ""
    """The way out, where the fault is a known one."""

    @property
    def compared_share(self) -> float:
        """Share of the operations whose results really were compared."""
        total = sum(self.counts.values())
        return (self.counts.get("matched", 0) + self.counts.get("differs", 0)) / total if total else 0.0


class OtherRoute(Measured):
    """What became of the model along the route that was not taken."""

    route: Literal["export", "trace"]
    agrees: bool | None
    """Whether its package answers like the source; ``None``: it gives none."""


class Variant(Measured):
    """One way in which the samples were changed, on which the source stayed defined and stable."""

    name: str
    comparisons: tuple[Comparison, ...]


class ParityDiagnosis(Measured):
    """Why the float32 package does not answer like its source."""

    asked_by: str
    """``samples``, or the name of the variant on which they differ."""
    sample: NonNegativeInt
    first_wrong: FirstWrong
    other_route: OtherRoute | None = None
    seconds: NonNegativeFloat = 0.0


class LayerCompression(Measured):
    """One layer with a constant weight in a compressed package."""

    operation: str
    shape: tuple[NonNegativeInt, ...]
    compressed: bool
    stored_bytes: NonNegativeInt
    """Everything that the package holds for the weight: indices, tables, scales, masks."""
    sqnr: float | None = None
    """Signal-to-quantisation-noise ratio against the float32 twin, in dB; ``None`` when nothing changed, or
    when it cannot be told."""

    @property
    def elements(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)

    @property
    def bits(self) -> float:
        """Stored bits per weight."""
        return 8 * self.stored_bytes / max(self.elements, 1)


class CompressionFacts(Measured):
    """What compression did to each layer, in the program's order."""

    layers: tuple[LayerCompression, ...]


ComputeUnits = Literal["CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL"]
ComputeDevice = Literal["CPU", "GPU", "NE", "unknown"]


class Machine(Measured):
    """Where Core ML ran: times of two machines that differ in any of this are never compared."""

    chip: str
    model: str
    system: str
    """``macOS 15.5 (24F74)``: version and build."""
    memory_bytes: NonNegativeInt
    virtual: bool | None = None
    """Whether this is a virtual machine; ``None``: the system does not tell."""
    thermal_state: str = "unknown"
    low_power: bool | None = None
    stand_in: str = ""
    """What answered in the place of Core ML; empty when Core ML did."""


class ChildEnding(Measured):
    """How a child process ended before its work was done."""

    how: Literal["failed", "crashed", "timed-out", "out-of-memory"]
    phase: str
    """What it was doing: start, compile, load, predict, time or plan."""
    message: str
    """The signal, the exit code, the deadline, or the error's own words."""
    log_tail: tuple[str, ...] = ()


class CoreMlRun(Measured):
    """What Core ML answered on one choice of hardware."""

    units: ComputeUnits
    ending: ChildEnding | None = None
    """``None`` when everything was done."""
    against_source: tuple[Comparison, ...] = ()
    against_runtime: tuple[Comparison, ...] = ()
    """Our runtime in fp16 mode against Core ML: it tells a fault of the package from one of an engine."""
    against_units: tuple[Comparison, ...] = ()
    """Core ML on the first choice of hardware against Core ML on this one."""
    repeated: tuple[Comparison, ...] = ()
    """The same prediction twice; anything but equality is a lack of determinism."""
    compile_ms: NonNegativeFloat | None = None
    load_ms: NonNegativeFloat | None = None
    first_predict_ms: NonNegativeFloat | None = None
    peak_bytes: NonNegativeInt | None = None
    """Greatest footprint of the process, less what it held before the model was loaded."""


class OffEngine(Measured):
    """One operation that does not run on the Neural Engine."""

    operation: str
    operation_type: str
    device: ComputeDevice
    reason: str = ""
    """Of a prediction: the rule, and where it is documented."""


class Placement(Measured):
    """On which hardware the operations of a package run."""

    origin: Literal["compute plan", "prediction"]
    """A prediction follows documented rules and is no measurement."""
    units: ComputeUnits
    devices: dict[ComputeDevice, NonNegativeInt] = Field(default_factory=dict)
    """Operations by device; ``unknown`` where Core ML does not tell."""
    cost: dict[ComputeDevice, NonNegativeFloat] | None = None
    """Estimated share of the work by device; ``None`` where Core ML gives no estimate for an operation."""
    off_engine: tuple[OffEngine, ...] = ()
    segments: NonNegativeInt | None = None
    """Stretches of operations on one device, in the program's order; ``None`` when a device is unknown.
    Of a prediction: the fewest that the rules allow."""
    note: str = ""
    ending: ChildEnding | None = None


Metric = Literal["predict", "predict-p95", "first-predict", "load", "compile"]


class TimedMetric(Measured):
    """Head against base for one time, by pairs that were measured one right after the other."""

    metric: Metric
    base_ms: NonNegativeFloat
    head_ms: NonNegativeFloat
    """Medians over all pairs."""
    log_ratios: tuple[tuple[float, ...], ...]
    """ln(head / base) of each pair, one group per process, in the order in which they were measured."""
    self_test: tuple[tuple[float, ...], ...] = ()
    """The same of the base against a second copy of itself, from the same rounds."""


class Timing(Measured):
    """How long two packages take, measured in the same processes of the same machine."""

    engine: Literal["core-ml", "mil"]
    units: ComputeUnits
    base_package: str
    head_package: str
    """Fingerprints of the packages."""
    seed: NonNegativeInt
    """Of the order inside of each round and of loading."""
    alpha: float
    """Error of the interval by which measuring was stopped: 0.05 shared among all that was timed."""
    stopped: Literal["decided", "all pairs", "time budget", "process ended"]
    warm_up: tuple[NonNegativeInt, ...] = ()
    """Rounds thrown away in each process."""
    unsettled: NonNegativeInt = 0
    """Processes whose times did not stay at one level before they were measured."""
    dropped: NonNegativeInt = 0
    """Rounds left out because the thermal or power state changed."""
    seconds: NonNegativeFloat = 0.0
    metrics: tuple[TimedMetric, ...] = ()
    ending: ChildEnding | None = None

    def of(self, metric: Metric) -> TimedMetric | None:
        """The metric, or ``None`` when it was not measured."""
        return next((each for each in self.metrics if each.metric == metric), None)


class CoreMlFacts(Measured):
    """What only Core ML can tell, and where it was asked."""

    machine: Machine
    runs: tuple[CoreMlRun, ...] = ()
    runtime_against_source: tuple[Comparison, ...] = ()
    """The source against our runtime in fp16 mode."""
    placement: Placement | None = None
    base_placement: Placement | None = None
    """The base's package, asked on the same machine."""
    timing: Timing | None = None
    untimed: str = ""
    """Why nothing was timed."""


class RulePlace(Measured):
    """One place at which a rule fires."""

    place: str
    """An operation, a feature, a module or a version."""
    text: str
    file: str = ""
    line: int | None = None


class RuleMatch(Measured):
    """A known pitfall that was found."""

    rule: str
    severity: Literal["fatal", "silent", "perf", "info"]
    count: NonNegativeInt
    places: tuple[RulePlace, ...]
    """The first few."""
    fix: str = ""
    """The way out: a sentence, then code."""
    evidence: str = ""
    """Who says so, first of all."""


class ModelRecord(Measured):
    """Everything measured of one model; a part is ``None`` when measuring stopped before it."""

    name: str
    content: str = ""
    """Digest of the source closure, options and versions from which this was measured."""
    source: SourceFacts | None = None
    conversion: ConversionFacts | None = None
    package: PackageFacts | None = None
    memory: MemoryFacts | None = None
    cost: CostFacts | None = None
    outline: tuple[str, ...] = ()
    """The program of the package, one line per operation (``mil/diff.py``): what the structure diff reads."""
    parity: tuple[Comparison, ...] = ()
    """Source against the float32 package in fp32 mode."""
    precision: tuple[Comparison, ...] = ()
    """The float32 package in fp32 mode against the package that ships in fp16 mode."""
    diagnosis: Diagnosis | None = None
    adversarial: tuple[Variant, ...] = ()
    """Source against the float32 package on changed samples."""
    parity_diagnosis: ParityDiagnosis | None = None
    """``None`` when nothing asked for one."""
    metrics: tuple[MetricValue, ...] = ()
    unsupported: tuple[str, ...] = ()
    """Operations that our runtime does not know: numbers of this model cannot be told."""
    rules: tuple[RuleMatch, ...] | None = None
    """The known pitfalls found; ``None``: nobody looked."""
    compression: CompressionFacts | None = None
    """What compression did; ``None`` where nothing is compressed."""
    predicted_placement: Placement | None = None
    """By documented rules, without a Mac."""
    core_ml: CoreMlFacts | None = None
    """``None`` when the run had no Mac."""
    problem: Problem | None = None


class SkippedModel(Measured):
    """A model that was not measured, and why."""

    name: str
    reason: str


class Record(Measured):
    """What one run measured of one commit."""

    schema_version: Literal[1] = SCHEMA_VERSION
    created: str
    """UTC, ISO 8601."""
    commit: str | None
    dirty: bool = False
    """Whether the work tree had uncommitted changes that were measured too."""
    engine: str = "mil"
    """Which engine stood for the device; ``mil`` is our runtime and never Core ML."""
    environment: Environment
    models: tuple[ModelRecord, ...]
    skipped: tuple[SkippedModel, ...] = ()

    def model(self, name: str) -> ModelRecord | None:
        """The model of that name, or ``None``."""
        return next((model for model in self.models if model.name == name), None)


def read_record(path: Path) -> Record:
    """Reads a Record, or says what is wrong with the file (:class:`RecordError`)."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(
            f"record `{path}` cannot be read: {error}.", "name the record.json of an earlier run."
        ) from error
    return parse_record(text, str(path))


def parse_record(text: str, name: str) -> Record:
    """Checks the text of a Record against the schema; ``name`` says in messages where it came from."""
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the top"
        raise RecordError(
            f"record `{name}`: {first['msg']} at `{where}` ({error.error_count()} problem(s) in all).",
            f"this version reads schema version {SCHEMA_VERSION}; measure the baseline again with it.",
        ) from error


def write_record(record: Record, path: Path) -> None:
    """Writes a Record as indented JSON."""
    path.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
