"""Everything that can be read off a package, as stored in a Record."""

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
    """The other allowed shapes: ``[1, 1..512]`` or ``(1, 64) | (1, 128)``; empty if fixed."""
    optional: bool = False


class PackageFacts(Part):
    """Everything that can be read off the package without running it."""

    FIELD: ClassVar[str] = "package"

    path: str
    """Relative to the Record's folder."""
    fingerprint: str
    total_bytes: NonNegativeInt
    weight_bytes: NonNegativeInt
    program_bytes: NonNegativeInt
    deployment_target: str
    function: str | None = None
    """The function that the rest is about; ``None`` if the package has only one."""
    other_functions: tuple[str, ...] = ()
    """The package's other functions, which were not measured."""
    inputs: tuple[FeatureFacts, ...]
    outputs: tuple[FeatureFacts, ...]
    states: tuple[FeatureFacts, ...] = ()
    operations: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """Number of operations by type, without constants."""


class LiveValue(Measured):
    """One value alive at the peak."""

    name: str
    bytes: NonNegativeInt


class OverheadFacts(Measured):
    """Memory that an engine may need besides weights and activations; a hypothesis, not part of the peak."""

    kind: Literal["dilated-kernel", "attention-scores", "im2col"]
    operation: str
    bytes: NonNegativeInt
    lasting: bool
    """Whether it stays as long as the model, like weights."""
    text: str


class ShapeMemory(Measured):
    """The peak for other shapes of the inputs."""

    shape: str
    activation_bytes: NonNegativeInt | None = None
    """``None`` if it could not be measured, for the reason in ``problem``."""
    peak_operation: str = ""
    problem: str = ""


class MemoryFacts(Part):
    """Weights, and the peak of live activations over the program."""

    FIELD: ClassVar[str] = "memory"

    weight_bytes: NonNegativeInt
    activation_bytes: NonNegativeInt
    peak_operation: str
    live: tuple[LiveValue, ...]
    """The largest values alive at the peak, largest first."""
    shape: str = ""
    """The input shapes that this applies to, such as ``ids (1, 128)``; empty if all are fixed."""
    timeline: tuple[NonNegativeInt, ...] = ()
    """Live bytes over the program: the maximum of each of up to 48 sections of equal length."""
    near_peak: tuple[str, ...] = ()
    """The first few operations at which at least 95 % of the peak is alive, in order."""
    overheads: tuple[OverheadFacts, ...] = ()
    """The largest overheads that an engine may have, largest first."""
    lasting_overhead_bytes: NonNegativeInt = 0
    """Sum of the overheads that stay as long as the model."""
    passing_overhead_bytes: NonNegativeInt = 0
    """The largest overhead that only one operation needs."""
    other_shapes: tuple[ShapeMemory, ...] = ()
    """The peak for the other shapes that the package takes: every enumerated one, or the extremes."""

    @property
    def worst(self) -> ShapeMemory:
        """The shapes with the highest peak; those of the first sample if no others were measured."""
        own = ShapeMemory(
            shape=self.shape, activation_bytes=self.activation_bytes, peak_operation=self.peak_operation
        )
        return max((own, *self.other_shapes), key=lambda each: each.activation_bytes or 0)

    @property
    def total_bytes(self) -> int:
        """Weights plus activations at the worst shape."""
        return self.weight_bytes + (self.worst.activation_bytes or 0)


class ModuleCost(Measured):
    """The cost of one part of the model."""

    name: str
    """Derived from the names of weights, because packages have no modules; empty if there is no name."""
    macs: NonNegativeInt
    bytes: NonNegativeInt
    operations: NonNegativeInt


class CostFacts(Part):
    """The counted cost of the program, the same on every machine."""

    FIELD: ClassVar[str] = "cost"

    macs: NonNegativeInt
    """Multiply-accumulates of convolutions, matrix products, attention and recurrent layers."""
    elementwise: NonNegativeInt
    """Elements computed by all other operations."""
    bytes: NonNegativeInt
    """Operands, stored weights and results of every operation, as if nothing were fused."""
    operations: NonNegativeInt
    weights_read: NonNegativeInt | None = None
    """Bytes of weights that every prediction reads, without tables that are looked up; ``None`` in Records of
    versions that did not count them."""
    modules: tuple[ModuleCost, ...] = ()
    """The parts with the most multiply-accumulates, at most 12."""
    shape: str = ""
    """The input shapes that this applies to; empty if all are fixed."""
    loops: bool = False
    """Whether some work is repeated an unknown number of times; it is counted once."""

    @property
    def intensity(self) -> float | None:
        """Multiply-accumulates per byte moved; the higher, the less memory bandwidth matters."""
        return self.macs / self.bytes if self.bytes else None


class LayerCompression(Measured):
    """One layer with a constant weight in a compressed package."""

    operation: str
    shape: tuple[NonNegativeInt, ...]
    compressed: bool
    stored_bytes: NonNegativeInt
    """All bytes stored for the weight: indices, tables, scales, masks."""
    sqnr: float | None = None
    """Signal-to-quantisation-noise ratio against the float32 twin, in dB; ``None`` if nothing changed or it
    is unknown."""

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

    @property
    def bits(self) -> float:
        """Stored bits per weight of all layers, with scales and tables."""
        elements = sum(layer.elements for layer in self.layers)
        return 8 * sum(layer.stored_bytes for layer in self.layers) / max(elements, 1)
