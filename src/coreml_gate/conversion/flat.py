"""A module with one tensor per input and a tuple of tensors as output, the form that converters require."""

from collections.abc import Sequence

import torch

from coreml_gate.engines.engine import Sample
from coreml_gate.engines.outputs import flatten_outputs
from coreml_gate.engines.source import Source, restored


class FlatModule(torch.nn.Module):
    """Passes its inputs to a source by the samples' names, and returns the source's tensors in order.

    Keyword arguments, dicts, dataclasses and ``None`` among the outputs have no counterpart in Core ML.
    """

    def __init__(self, source: Source, names: Sequence[str]) -> None:
        super().__init__()
        self.wrapped = source.runnable
        self._source = source
        self._names = tuple(names)

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Call the source like the reference run."""
        returned = self._source.call(dict(zip(self._names, inputs, strict=True)))
        return tuple(flatten_outputs(returned, self._source.reference).values())


def flat_module(source: Source, sample: Sample) -> torch.nn.Module:
    """The source's module if it is flat already (which keeps names short), else wrapped."""
    if _takes_by_position(source, tuple(sample)) and _gives_tensors(source, sample):
        return source.runnable
    return FlatModule(source, tuple(sample))


def _takes_by_position(source: Source, names: tuple[str, ...]) -> bool:
    return names == source.input_names[: len(names)] or not set(names) & set(source.input_names)


def _gives_tensors(source: Source, sample: Sample) -> bool:
    with torch.no_grad(), restored(source.runnable):
        returned = source.call({name: value.clone() for name, value in sample.items()})
    elements = returned if type(returned) is tuple else (returned,)
    return all(isinstance(element, torch.Tensor) for element in elements)


def changed_buffers(module: torch.nn.Module, sample: Sample) -> dict[str, torch.Tensor]:
    """The buffers that a run changes, with their values before it."""
    with torch.no_grad(), restored(module) as before:
        module(*(value.clone() for value in sample.values()))
        after = [buffer.clone() for buffer in module.buffers()]
    names = [name for name, _ in module.named_buffers()]
    return {
        name: old for name, old, new in zip(names, before, after, strict=True) if not torch.equal(old, new)
    }
