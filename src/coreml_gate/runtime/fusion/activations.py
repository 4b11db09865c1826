"""Lets oneDNN compute an activation directly after a packed layer, with the same bits.

This applies to float32 only: in half precision torch rounds the layer's result first. oneDNN's relu turns NaN
into 0, which would hide a hazard; a hard-swish whose operand was clipped below -3 turns -inf into 0, oneDNN's
into NaN. So oneDNN computes these only if no layer can overflow (``bounds``); otherwise they run one by one.
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
"""Elements of a layer's result from which on its relu is fused; below, a separate pass is as fast."""
RELU: Final = After("relu")
"""The only activation that torch's oneDNN call computes after a sum."""
HARD_SWISH: Final = After("hardswish")
_START_OF_HARD_SWISH: Final = -3.0
_BLIND: Final = frozenset({"conv", "conv_transpose", "linear"})
"""Sums of products, which do not show the sign of a zero among their operands."""
_HANDS_ON: Final = frozenset(
    {"add", "avg_pool", "concat", "mul", "pad", "reduce_mean", "reshape", RESIDUAL_SUM}
)
"""Operations that pass a zero's sign on but do not show it in any other way."""


class Activation(NamedTuple):
    """The activation after a layer."""

    kernel: ExtensibleKernel
    after: After
    places: tuple[int, ...]
    """The places of its steps; the last gives its result."""
    finite: bool
    """Whether oneDNN gives the same result only for finite operands."""


def activated_layers(plan: ExecutionPlan, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps, with activations fused into the preceding layers if possible."""
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
    """The guards under which the layer may compute the activation; ``None`` if it never may."""
    if activation is None or not activation.finite:
        return Guards((), ())
    return bounds.guarded(step, activation.kernel)


def _activation(step: Step, wires: Wires) -> Activation | None:
    """The activation after the step, if the step is a layer and nothing else reads its result."""
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
    """``x * sigmoid_hard(x)``, with ``x`` possibly clipped at the point where the factor becomes 0."""
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
    """Whether no reader shows the sign of a zero; when fused, values clipped to 0 become -0."""
    if wires.is_output(slot):
        return False
    readers = [wires.steps[place] for place in wires.readers(slot)]
    return all(
        step.operation.type in _BLIND
        or (step.operation.type in _HANDS_ON and _zero_signs_vanish(step.writes[0], wires))
        for step in readers
    )


def _fused(layer: Step, activation: Activation, flags: tuple[int, ...], wires: Wires) -> Step:
    """One step in place of the layer, with the result of the activation's last step."""
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
    """The fused call if all guards hold, which are passed after the operands; otherwise the plain call."""

    def call(*given: Tensor) -> Tensor:
        return (fused if all(given[count:]) else plain)(*given[:count])

    return call


def _one_after_the_other(
    steps: Sequence[Step], operands: tuple[int, ...], wires: Wires
) -> Callable[..., Tensor]:
    """The program's own operations in sequence: the first reads the operands, the others earlier results."""
    slots = {slot for step in steps for slot in step.reads}
    constants = dict(zip(slots, wires.constants(tuple(slots)), strict=True))

    def run(*given: Tensor) -> Tensor:
        values = {**constants, **dict(zip(operands, given, strict=True))}
        for step in steps:
            values[step.writes[0]] = step.call(*(values[slot] for slot in step.reads))
        result: Tensor = values[steps[-1].writes[0]]
        return result

    return run
