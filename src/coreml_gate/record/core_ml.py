"""What Core ML itself answered on a Mac, as a Record holds it."""

from typing import ClassVar, Final, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from coreml_gate.record.base import Measured, Part
from coreml_gate.record.comparison import Comparison

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
    """Whether this is a virtual machine; ``None``: the system does not report it."""
    thermal_state: str = "unknown"
    low_power: bool | None = None
    stand_in: str = ""
    """What answered in the place of Core ML; empty when Core ML did."""

    @property
    def engine(self) -> str:
        """Who answered, in the words of a report."""
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
    """What it was doing: start, compile, load, predict, time or plan."""
    message: str
    """The signal, the exit code, the deadline, or the error's own words."""
    log_tail: tuple[str, ...] = ()

    def clause(self, subject: str = "the child process", when: str = "") -> str:
        """What happened, in words; ``when`` says what it was doing where the phase's name does not."""
        return f"{subject} {_WORDS[self.how]} {when or f'in phase {self.phase}'} ({self.message})"


class CoreMlRun(Part):
    """What Core ML answered on one compute unit."""

    FIELD: ClassVar[str] = "run"

    units: ComputeUnits
    ending: ChildEnding | None = None
    """``None`` when everything was done."""
    against_source: tuple[Comparison, ...] = ()
    against_runtime: tuple[Comparison, ...] = ()
    """Our runtime in fp16 mode against Core ML: it separates a fault of the package from one of an engine."""
    against_units: tuple[Comparison, ...] = ()
    """Core ML on the first compute unit against Core ML on this one."""
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


class Placement(Part):
    """On which hardware the operations of a package run."""

    FIELD: ClassVar[str] = "placement"

    origin: Literal["compute plan", "prediction"]
    """A prediction follows documented rules and is not a measurement."""
    units: ComputeUnits
    devices: dict[ComputeDevice, NonNegativeInt] = Field(default_factory=dict)
    """Operations by device; ``unknown`` where Core ML reports none."""
    cost: dict[ComputeDevice, NonNegativeFloat] | None = None
    """Estimated share of the work by device; ``None`` where Core ML gives no estimate for an operation."""
    off_engine: tuple[OffEngine, ...] = ()
    segments: NonNegativeInt | None = None
    """Stretches of operations on one device, in the program's order; ``None`` when a device is unknown.
    Of a prediction: the fewest that the rules allow."""
    note: str = ""
    ending: ChildEnding | None = None


Metric = Literal["predict", "predict-p95", "first-predict", "load", "cold-load", "compile"]
"""``load`` is of a compiled model that this machine has loaded before, ``cold-load`` of one that it has not:
the Neural Engine's compiler alone can take minutes then."""


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
    base_wall_ms: NonNegativeFloat | None = None
    head_wall_ms: NonNegativeFloat | None = None
    """The medians by the clock on the wall, with what Python does around Core ML; ``None``: there is no
    other clock, and the times above are already those."""


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


class Footprints(Measured):
    """Greatest footprints of fresh processes that predict with one package each, taken in turns."""

    units: ComputeUnits
    base_bytes: tuple[NonNegativeInt, ...]
    head_bytes: tuple[NonNegativeInt, ...]
    ending: ChildEnding | None = None
    """Of the process that ended early, after which no other was started."""


class CoreMlFacts(Measured):
    """What only Core ML can measure, and on which machine."""

    machine: Machine
    runs: tuple[CoreMlRun, ...] = ()
    runtime_against_source: tuple[Comparison, ...] = ()
    """The source against our runtime in fp16 mode."""
    placement: Placement | None = None
    base_placement: Placement | None = None
    """The base's package, run on the same machine."""
    timing: Timing | None = None
    footprints: Footprints | None = None
    """``None`` where no limit needs them, or there is no base to hold them against."""
    untimed: str = ""
    """Why nothing was timed."""
