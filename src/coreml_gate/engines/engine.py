"""The protocol of everything that runs a model."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import numpy as np
import torch

from coreml_gate.record import Side

SEED: Final = 0
"""Seed of all generators before a source is built and before every run, so that both sides draw the same."""
Sample = Mapping[str, torch.Tensor]
"""One set of inputs, by input name."""
Outputs = dict[str, np.ndarray]
"""The outputs of one sample, by output name, in the source's order."""
NARROWED: Final[Mapping[torch.dtype, torch.dtype]] = {
    torch.float64: torch.float32,
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
    torch.uint8: torch.int32,
    torch.int8: torch.int32,
    torch.int16: torch.int32,
}
"""The dtype that replaces an input's dtype for source and package if Core ML does not support it."""


def as_input(value: object) -> torch.Tensor:
    """A tensor or an array as a tensor of the dtype that all engines read."""
    tensor = torch.as_tensor(value).detach().cpu()
    return tensor.to(NARROWED.get(tensor.dtype, tensor.dtype))


def as_array(value: object) -> np.ndarray:
    """Any output as an array: a classifier's label as text, its scores in the order of the labels.

    Core ML returns a classifier's scores as a dictionary, whose order is arbitrary.
    """
    if isinstance(value, Mapping):
        return np.asarray([value[label] for label in sorted(value, key=str)])
    return np.asarray([value]) if isinstance(value, str) else np.asarray(value)


class OverdueCallError(BaseException):
    """Raised inside a call that takes too long; handlers of the user's own errors do not catch it."""


class Engine(Protocol):
    """Runs one model on one sample after another."""

    @property
    def side(self) -> Side:
        """The engine's name in Records."""
        ...

    def run(self, sample: Sample) -> Outputs:
        """Compute the outputs of one sample; all engines of one model use the same names."""
        ...


Predict = Callable[..., Outputs]


def predict_function(engine: Engine, input_names: tuple[str, ...]) -> Predict:
    """The ``predict`` function for a user's ``evaluate``.

    It takes one sample in any form that ``samples`` may yield: tensors or arrays by position, a single dict
    by name, or keyword arguments.
    """

    def predict(*args: object, **kwargs: object) -> Outputs:
        if len(args) == 1 and isinstance(args[0], Mapping):
            named = dict(args[0])
        else:
            values = args[0] if len(args) == 1 and isinstance(args[0], tuple | list) else args
            named = dict(zip(input_names, values, strict=False)) | kwargs
        return engine.run({name: as_input(value) for name, value in named.items()})

    return predict
