"""Core ML's own results on a Mac, as stored in a Record."""

from typing import ClassVar, Final, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from coreml_gate.record.base import Measured, Part
from coreml_gate.record.comparison import Comparison

ComputeUnits = Literal["CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL"]
NEURAL_ENGINE_UNITS: Final[tuple[ComputeUnits, ...]] = ("CPU_AND_NE", "ALL")
ComputeDevice = Literal["CPU", "GPU", "NE", "unknown"]


class Machine(Measured):
    """The machine that Core ML ran on; times of machines that differ in any of this are never compared."""

    chip: str
    model: str
    system: str
    """``macOS 15.5 (24F74)``: version and build."""
    memory_bytes: NonNegativeInt
    virtual: bool | None = None
    """Whether it is a virtual machine; ``None`` if the system does not say."""
    thermal_state: str = "unknown"
    low_power: bool | None = None
    stand_in: str = ""
    """What ran in place of Core ML; empty if Core ML itself ran."""

    @property
    def engine(self) -> str:
        """The engine's name in reports."""
        return "stand-in" if self.stand_in else "Core ML"


_WORDS: Final = {
    "failed": "failed",
    "crashed": "crashed",
    "timed-out": "timed out and was killed",
    "out-of-memory": "ran out of memory",
}


class ChildEnding(Measured):
    """How a child process ended before its work was done."""

    how: Literal["failed", "crashed", "timed-out", "out-of-memory"]
    phase: str
    """The phase it was in: start, compile, load, predict, time or plan."""
    message: str
    """The signal, exit code, deadline, or the error's own words."""
    log_tail: tuple[str, ...] = ()

    def clause(self, subject: str = "the child process", when: str = "") -> str:
        """What happened, in words; ``when`` says what it was doing where the phase's name does not."""
        return f"{subject} {_WORDS[self.how]} {when or f'in phase {self.phase}'} ({self.message})"


class CoreMlRun(Part):
    """Core ML's results on one compute unit."""

    FIELD: ClassVar[str] = "run"

    units: ComputeUnits
    ending: ChildEnding | None = None
    """``None`` if it ended normally."""
    engine_refused: bool = False
    """Whether the Neural Engine's compiler refused the program, so that Core ML ran it elsewhere."""
    against_source: tuple[Comparison, ...] = ()
    against_runtime: tuple[Comparison, ...] = ()
    """Our runtime in fp16 mode against Core ML: separates faults of the package from those of Core ML."""
    against_units: tuple[Comparison, ...] = ()
    """Core ML on the first compute unit against this one."""
    repeated: tuple[Comparison, ...] = ()
    """The same prediction twice; any difference is a lack of determinism."""
    compile_ms: NonNegativeFloat | None = None
    load_ms: NonNegativeFloat | None = None
    first_predict_ms: NonNegativeFloat | None = None
    peak_bytes: NonNegativeInt | None = None
    """Peak footprint of the process, minus the footprint before the model was loaded."""


class OffEngine(Measured):
    """One operation that does not run on the Neural Engine."""

    operation: str
    operation_type: str
    device: ComputeDevice
    reason: str = ""
    """For a prediction: the rule, and where it is documented."""


class Placement(Part):
    """The compute units on which the operations of a package run."""

    FIELD: ClassVar[str] = "placement"

    origin: Literal["compute plan", "prediction"]
    """Whether Core ML reported it, or documented rules predict it."""
    units: ComputeUnits
    devices: dict[ComputeDevice, NonNegativeInt] = Field(default_factory=dict)
    """Number of operations by device; ``unknown`` if Core ML reports none."""
    cost: dict[ComputeDevice, NonNegativeFloat] | None = None
    """Estimated share of the work by device; ``None`` if Core ML has no estimate for some operation."""
    off_engine: tuple[OffEngine, ...] = ()
    segments: NonNegativeInt | None = None
    """Stretches of operations on one device, in the program's order; ``None`` when a device is unknown.
    Of a prediction: the fewest that the rules allow."""
    note: str = ""
    ending: ChildEnding | None = None


Metric = Literal["predict", "predict-p95", "first-predict", "load", "cold-load", "compile"]
"""``load`` is for a compiled model that this machine has loaded before, ``cold-load`` for a new one, for
which the Neural Engine's compiler can take minutes."""


class TimedMetric(Measured):
    """One metric of head and base, from pairs measured one right after the other."""

    metric: Metric
    base_ms: NonNegativeFloat
    head_ms: NonNegativeFloat
    """Medians over all pairs."""
    log_ratios: tuple[tuple[float, ...], ...]
    """ln(head / base) of each pair, one group per process, in order of measurement."""
    self_test: tuple[tuple[float, ...], ...] = ()
    """The same for the base against a second copy of itself, from the same rounds."""
    base_wall_ms: NonNegativeFloat | None = None
    head_wall_ms: NonNegativeFloat | None = None
    """The medians by the clock on the wall, with what Python does around Core ML; ``None``: there is no
    other clock, and the times above are already those."""


class Timing(Measured):
    """The times of two packages, measured in the same processes of the same machine."""

    engine: Literal["core-ml", "mil"]
    units: ComputeUnits
    base_package: str
    head_package: str
    """Fingerprints of the packages."""
    seed: NonNegativeInt
    """Seed of the order within each round, and of loading."""
    alpha: float
    """Error rate of the interval that stopped the measurement: 0.05 shared among all comparisons."""
    stopped: Literal["decided", "all pairs", "time budget", "process ended"]
    warm_up: tuple[NonNegativeInt, ...] = ()
    """Rounds discarded at the start of each process."""
    unsettled: NonNegativeInt = 0
    """Processes whose times never settled at one level."""
    dropped: NonNegativeInt = 0
    """Rounds discarded because the thermal or power state changed."""
    seconds: NonNegativeFloat = 0.0
    metrics: tuple[TimedMetric, ...] = ()
    ending: ChildEnding | None = None

    def of(self, metric: Metric) -> TimedMetric | None:
        """The metric, or ``None`` if it was not measured."""
        return next((each for each in self.metrics if each.metric == metric), None)


class Footprints(Measured):
    """Peak footprints of fresh processes, which predict with head and base in turn."""

    units: ComputeUnits
    base_bytes: tuple[NonNegativeInt, ...]
    head_bytes: tuple[NonNegativeInt, ...]
    ending: ChildEnding | None = None
    """The ending of a process that ended early, after which no other was started."""


class CoreMlFacts(Measured):
    """Everything that only Core ML can measure, with its machine."""

    machine: Machine
    runs: tuple[CoreMlRun, ...] = ()
    runtime_against_source: tuple[Comparison, ...] = ()
    """The source against our runtime in fp16 mode."""
    placement: Placement | None = None
    base_placement: Placement | None = None
    """Placement of the base's package on the same machine."""
    timing: Timing | None = None
    footprints: Footprints | None = None
    """``None`` if no limit needs them or there is no base."""
    untimed: str = ""
    """Why nothing was timed."""
