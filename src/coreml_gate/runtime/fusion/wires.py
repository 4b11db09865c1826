"""Finds the steps that write and read each register of a plan, and the registers that share no memory."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from coreml_gate.mil.ir import TensorType
from coreml_gate.runtime.plan import ExecutionPlan, Step
from coreml_gate.untyped import MilValue

RESIDUAL_SUM: Final = "residual_sum"
"""The type of a step that adds a layer's result to its first operand, whose memory it overwrites."""
ACTIVATED_LAYER: Final = "activated_layer"
"""The type of a step that computes a layer and the activation after it."""
GUARD: Final = "guard"
"""The type of a step that measures a tensor and returns a boolean."""
_FRESH = frozenset(
    {"add", "avg_pool", "batch_norm", "clip", "concat", "conv", "conv_transpose", "elu", "gelu", "layer_norm"}
    | {"leaky_relu", "linear", "matmul", "max_pool", "mul", "prelu", "real_div", "relu", "relu6", "sigmoid"}
    | {"sigmoid_hard", "silu", "softmax", "sub", "tanh", "thresholded_relu", "upsample_bilinear"}
    | {"upsample_nearest_neighbor", "instance_norm", "safe_softmax", ACTIVATED_LAYER, GUARD, RESIDUAL_SUM}
)
"""Operations on floats whose result always has its own memory."""


class Wires:
    """The wiring of one list of steps."""

    def __init__(self, plan: ExecutionPlan, steps: Sequence[Step]) -> None:
        self.steps = steps
        self._registers = plan.registers
        self._outputs = frozenset(plan.outputs)
        self._writers = {slot: place for place, step in enumerate(steps) for slot in step.writes}
        self._readers: dict[int, list[int]] = defaultdict(list)
        for place, step in enumerate(steps):
            for slot in dict.fromkeys(step.reads):
                self._readers[slot].append(place)

    def writer(self, slot: int) -> int | None:
        """The step that writes a register; ``None`` for inputs and constants."""
        return self._writers.get(slot)

    def readers(self, slot: int) -> tuple[int, ...]:
        """The steps that read a register; none if it is also an output of the plan."""
        return () if slot in self._outputs else tuple(self._readers[slot])

    def is_output(self, slot: int) -> bool:
        """Whether the register is an output of the plan."""
        return slot in self._outputs

    def constants(self, slots: Sequence[int]) -> tuple[MilValue, ...]:
        """The values of these registers before a run; ``None`` for computed ones."""
        return tuple(self._registers[slot] for slot in slots)

    def only_reader(self, slot: int, place: int) -> bool:
        """Whether the step is the register's only reader."""
        return self._readers[slot] == [place] and slot not in self._outputs

    def may_overwrite(self, slot: int, place: int) -> bool:
        """Whether the step is the register's last reader, and nothing else shares its memory."""
        writer = self._writers.get(slot)
        if writer is None or slot in self._outputs or self._readers[slot][-1:] != [place]:
            return False
        sharing = (self.steps[writer], *(self.steps[reader] for reader in self._readers[slot]))
        return all(step.operation.type in _FRESH for step in sharing)

    def overwritten(self, slot: int, start: int, stop: int) -> bool:
        """Whether a step between these places writes into the register's memory."""
        between = self.steps[start:stop]
        return any(step.operation.type == RESIDUAL_SUM and step.reads[0] == slot for step in between)

    def type(self, slot: int) -> TensorType | None:
        """The declared type of a computed tensor with a known shape; ``None`` for any other value."""
        writer = self._writers.get(slot)
        if writer is None:
            return None
        step = self.steps[writer]
        kind = step.operation.outputs[step.writes.index(slot)].type
        return kind if isinstance(kind, TensorType) and kind.elements is not None else None


def with_frees(steps: Sequence[Step], plan: ExecutionPlan) -> tuple[Step, ...]:
    """The steps, each of which frees the registers that no later one reads."""
    computed = {*plan.inputs, *(slot for step in steps for slot in step.writes)}
    alive, result = set(plan.outputs), []
    for step in reversed(steps):
        dying = (slot for slot in dict.fromkeys((*step.reads, *step.writes)) if slot in computed - alive)
        result.append(replace(step, frees=tuple(dying)))
        alive.update(step.reads)
    return tuple(reversed(result))
