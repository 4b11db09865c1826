"""What can be read off a package, as a Record holds it."""

import math
from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt

from coreml_gate.record.base import Measured, Part


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


class PackageFacts(Part):
    """What can be read off the package without running it."""

    FIELD: ClassVar[str] = "package"

    path: str
    """Relative to the Record's folder."""
    fingerprint: str
    total_bytes: NonNegativeInt
    weight_bytes: NonNegativeInt
    program_bytes: NonNegativeInt
    deployment_target: str
    function: str | None = None
    """Which of several functions the rest is about; ``None``: the package has one only."""
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
    """``None``: it could not be measured, and ``problem`` says why."""
    peak_operation: str = ""
    problem: str = ""


class MemoryFacts(Part):
    """Weights, and the peak of live activations by liveness over the program."""

    FIELD: ClassVar[str] = "memory"

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


class CostFacts(Part):
    """What the program costs, counted; the same on every machine."""

    FIELD: ClassVar[str] = "cost"

    macs: NonNegativeInt
    """Multiply-accumulates of convolutions, matrix products, attention and recurrent layers."""
    elementwise: NonNegativeInt
    """Elements that other operations compute."""
    bytes: NonNegativeInt
    """Operands, weights as stored and results of every operation, as if nothing were fused."""
    operations: NonNegativeInt
    weights_read: NonNegativeInt | None = None
    """Bytes of weights that every prediction reads, without tables that are looked up; ``None`` in Records of
    versions that did not count them."""
    modules: tuple[ModuleCost, ...] = ()
    """The parts with the most multiply-accumulates, at most 12."""
    shape: str = ""
    """The shapes of the inputs for which this holds; empty when all are fixed."""
    loops: bool = False
    """Whether some of the work is repeated an unknown number of times, and counted once."""

    @property
    def intensity(self) -> float | None:
        """Multiply-accumulates per byte moved: the higher, the less memory bandwidth matters."""
        return self.macs / self.bytes if self.bytes else None


class LayerCompression(Measured):
    """One layer with a constant weight in a compressed package."""

    operation: str
    shape: tuple[NonNegativeInt, ...]
    compressed: bool
    stored_bytes: NonNegativeInt
    """Everything that the package holds for the weight: indices, tables, scales, masks."""
    sqnr: float | None = None
    """Signal-to-quantisation-noise ratio against the float32 twin, in dB; ``None`` when nothing changed, or
    when it is unknown."""

    @property
    def elements(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)

    @property
    def bits(self) -> float:
        """Stored bits per weight."""
        return 8 * self.stored_bytes / max(self.elements, 1)


class CompressionFacts(Part):
    """What compression did to each layer, in the program's order."""

    FIELD: ClassVar[str] = "compression"

    layers: tuple[LayerCompression, ...]
