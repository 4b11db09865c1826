"""Measures the cost of a float16 input, which rounds the app's values before the package reads them.

Ids beyond 2048 become other ids in halves. The cost is measured on the source, so that no other error of
the package is part of it.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from coreml_gate.comparing.compare import compare, number_of
from coreml_gate.engines.engine import Outputs, Sample
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import SourceError
from coreml_gate.mil.ir import Feature
from coreml_gate.record import Comparison, ElementIndex, InputRounding, RoundedInput


def input_rounding(
    engine: SourceEngine,
    samples: Sequence[Sample],
    outputs: Sequence[Outputs],
    interface: Sequence[Feature],
) -> InputRounding | None:
    """What the float16 inputs of an interface change; ``None`` if they change no sample.

    :param outputs: The source's outputs for each original sample.
    """
    rounded = [rounded_sample(sample, interface) for sample in samples]
    inputs = tuple(
        item for name in samples[0] if (item := _rounded_input(name, samples, rounded)) is not None
    )
    if not inputs:
        return None
    try:
        return InputRounding(inputs=inputs, comparisons=tuple(_compared(engine, rounded, outputs)))
    except SourceError as error:
        return InputRounding(inputs=inputs, refused=error.message)


def rounded_sample(sample: Sample, interface: Sequence[Feature]) -> dict[str, torch.Tensor]:
    """The sample rounded by float16 inputs, still in float32.

    A team's package may name its inputs differently; they are then matched by position.
    """
    halves = {each.name: each.kind != "image" and each.dtype == "fp16" for each in interface}
    if len(halves) == len(sample) and halves.keys().isdisjoint(sample):
        halves = dict(zip(sample, halves.values(), strict=True))
    return {name: value.half().float() if halves.get(name) else value for name, value in sample.items()}


def _compared(
    engine: SourceEngine, rounded: Sequence[Sample], outputs: Sequence[Outputs]
) -> Iterator[Comparison]:
    for index, (sample, expected) in enumerate(zip(rounded, outputs, strict=True)):
        of_rounded = engine.run(sample, index)
        for name, array in expected.items():
            yield compare(name, index, array, of_rounded[name], ("source", "rounded-inputs"))


def _rounded_input(name: str, samples: Sequence[Sample], rounded: Sequence[Sample]) -> RoundedInput | None:
    """The value of all samples that rounding changes most, infinities first."""
    pairs = [(sample[name], half[name]) for sample, half in zip(samples, rounded, strict=True)]
    moved = [_distance(value, half) for value, half in pairs]
    if not any(moved):
        return None
    worst = max(range(len(moved)), key=moved.__getitem__)
    value, half = pairs[worst]
    whole = bool((value == value.round()).all())
    return RoundedInput(input=name, sample=worst, place=_place(value, half), whole=whole)


def _distance(value: torch.Tensor, half: torch.Tensor) -> float:
    return 0.0 if half is value or not value.numel() else float((half - value).abs().max())


def _place(value: torch.Tensor, half: torch.Tensor) -> ElementIndex:
    furthest = int((half - value).abs().argmax())
    index = tuple(int(each) for each in np.unravel_index(furthest, value.shape))
    return ElementIndex(index=index, reference=float(value[index]), candidate=number_of(half[index]))
