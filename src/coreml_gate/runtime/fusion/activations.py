"""An activation right behind a packed layer: oneDNN computes it on the result at hand, to the same bits.

In float32 only: in half precision the layer's result is rounded first, by torch. oneDNN's relu turns NaN
into 0, which would hide a hazard; a hard-swish whose operand was cut off below -3 turns -inf into 0, oneDNN's
into NaN. So those are left to oneDNN where no layer can overflow (``bounds``), and else run one by one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

from torch import Tensor

from coreml_gate.runtime.fusion.bounds import Bounds, Guards
from coreml_gate.runtime.fusion.trial import TriedCall
from coreml_gate.runtime.fusion.wires import ACTIVATED_LAYER, RESIDUAL_SUM, Wires
from coreml_gate.runtime.ops.activation import TORCHS_ALPHA, TORCHS_BETA
from coreml_gate.runtime.packed import After, ExtensibleKernel
from coreml_gate.runtime.plan import ExecutionPlan, Step

LEAST_ELEMENTS: Final = 2**17
"""Of the result of a layer, for its relu to be fused: below, oneDNN takes as long for it as a pass does."""
RELU: Final = After("relu")
"""All that torch's door computes behind a sum."""
HARD_SWISH: Final = After("hardswish")
_START_OF_HARD_SWISH: Final = -3.0
_BLIND: Final = frozenset({"conv", "conv_transpose", "linear"})
"""Sums of products: whether a zero among their operands has a sign does not show."""
_HANDS_ON: Final = frozenset(
    {"add", "avg_pool", "concat", "mul", "pad", "reduce_mean", "reshape", RESIDUAL_SUM}
)
"""What hands a zero's sign on, and shows it in no other way."""


class Activation(NamedTuple):
    """What follows on a layer."""

    kernel: ExtensibleKernel
    after: After
    places: tuple[int, ...]
    """Of its steps; the last gives its result."""
    finite: bool
    """Does oneDNN give the same of numbers only?"""


def activated_layers(plan: ExecutionPlan, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps, with every activation that can be left to the layer before it."""
    wires, bounds = Wires(plan, steps), Bounds(plan)
    gone, result = set[int](), list[Step]()
    for place, step in enumerate(steps):
        activation = _activation(step, wires)
        guards = _guards(step, activation, bounds)
        bounds.pass_by(step)
        if activation and guards:
            gone.update(activation.places)
            result += [*guards.steps, _fused(step, activation, guards.flags, wires)]
        elif place not in gone:
            result.append(step)
    return result


def _guards(step: Step, activation: Activation | None, bounds: Bounds) -> Guards | None:
    """What has to hold for the activation to be left to the layer; ``None`` where nothing can."""
    if activation is None or not activation.finite:
        return Guards((), ())
    return bounds.guarded(step, activation.kernel)


def _activation(step: Step, wires: Wires) -> Activation | None:
    """What follows on the step, if it is a layer and nothing else reads its result."""
    kernel = step.kernel
    if not isinstance(kernel, ExtensibleKernel):
        return None
    slot = step.writes[0]
    found = _relu(slot, kernel, wires) or _hard_swish(slot, kernel, (), wires)
    sums = step.operation.type == RESIDUAL_SUM
    return None if sums and found and found.after != RELU else found


def _relu(slot: int, kernel: ExtensibleKernel, wires: Wires) -> Activation | None:
    places, kind = wires.readers(slot), wires.type(slot)
    if len(places) != 1 or kind is None or (kind.elements or 0) < LEAST_ELEMENTS:
        return None
    step = wires.steps[places[0]]
    after = {"relu": RELU, "relu6": After("hardtanh", (0.0, 6.0))}.get(step.operation.type)
    return after and Activation(kernel, after, places, finite=True)


def _hard_swish(
    slot: int, kernel: ExtensibleKernel, before: tuple[int, ...], wires: Wires
) -> Activation | None:
    """``x * sigmoid_hard(x)``, where ``x`` may have been cut off at the place where the factor becomes 0."""
    places = wires.readers(slot)
    kinds = [wires.steps[place].operation.type for place in places]
    if kinds == ["thresholded_relu"] and not before:
        (cut,) = (wires.steps[place] for place in places)
        same = wires.constants(cut.reads[1:]) == (_START_OF_HARD_SWISH,)
        return _hard_swish(cut.writes[0], kernel, places, wires) if same else None
    if kinds != ["sigmoid_hard", "mul"]:
        return None
    factor, product = (wires.steps[place] for place in places)
    exact = wires.constants(factor.reads[1:]) == (TORCHS_ALPHA, TORCHS_BETA)
    own = set(product.reads) == {slot, factor.writes[0]} and wires.readers(factor.writes[0]) == places[1:]
    if not (exact and own) or (before and not _zero_signs_vanish(product.writes[0], wires)):
        return None
    return Activation(kernel, HARD_SWISH, (*before, *places), finite=bool(before))


def _zero_signs_vanish(slot: int, wires: Wires) -> bool:
    """Does no reader show the sign of a zero? Fused, what was cut off to 0 comes out as -0."""
    if wires.is_output(slot):
        return False
    readers = [wires.steps[place] for place in wires.readers(slot)]
    return all(
        step.operation.type in _BLIND
        or (step.operation.type in _HANDS_ON and _zero_signs_vanish(step.writes[0], wires))
        for step in readers
    )


def _fused(layer: Step, activation: Activation, flags: tuple[int, ...], wires: Wires) -> Step:
    """One step in the place of the layer, which gives what the last of the activation's steps does."""
    parts = [wires.steps[place] for place in activation.places]
    sums, kernel = layer.operation.type == RESIDUAL_SUM, activation.kernel
    reads = layer.reads[: 2 if sums else 1]
    compute, serves = (kernel.add_to, kernel.sums) if sums else (kernel.compute, kernel.serves)
    plain = _one_after_the_other((layer, *parts), reads, wires)
    fused = TriedCall(partial(compute, after=activation.after), plain, serves, odd=not activation.finite)
    return replace(
        layer,
        operation=replace(parts[-1].operation, type=RESIDUAL_SUM if sums else ACTIVATED_LAYER),
        call=_where_numbers(fused, plain, len(reads)) if flags else fused,
        reads=(*reads, *flags),
        names=(*layer.names[: len(reads)], *("guard" for _ in flags)),
        writes=parts[-1].writes,
        kernel=None,
    )


def _where_numbers(
    fused: Callable[..., Tensor], plain: Callable[..., Tensor], count: int
) -> Callable[..., Tensor]:
    """The fused call where all guards hold, which stand behind the operands."""

    def call(*given: Tensor) -> Tensor:
        return (fused if all(given[count:]) else plain)(*given[:count])

    return call


def _one_after_the_other(
    steps: Sequence[Step], operands: tuple[int, ...], wires: Wires
) -> Callable[..., Tensor]:
    """The program's own operations: each reads what those before it gave, the first the operands."""
    slots = {slot for step in steps for slot in step.reads}
    constants = dict(zip(slots, wires.constants(tuple(slots)), strict=True))

    def run(*given: Tensor) -> Tensor:
        values = {**constants, **dict(zip(operands, given, strict=True))}
        for step in steps:
            values[step.writes[0]] = step.call(*(values[slot] for slot in step.reads))
        result: Tensor = values[steps[-1].writes[0]]
        return result

    return run
