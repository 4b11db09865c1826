"""The source in float64, which shows how much of a difference is the source's own rounding."""

import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import embedding, linear
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from coreml_gate.engines.engine import Outputs, Sample
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import SourceError
from coreml_gate.untyped import TorchObject

_WAY_OUT = "differences are judged by the limits alone."
_AT_ONCE: Final = 2**18
"""Elements of a weight that are in float64 at a time: 2 MiB."""
_MASK: Final = 1e4
"""Masks are -1e4, -1e9 or minus infinity: a softmax removes them, so they reach no output."""


def in_double(engine: SourceEngine) -> SourceEngine:
    """The same source in float64: buffers are copied, parameters are widened only while a function reads
    them.

    A copy of all parameters in float64 would take twice the memory of the source. Raises :class:`SourceError`
    if there is no module to copy, because a captured program has fixed types.
    """
    model = engine.source.model
    if not isinstance(model, torch.nn.Module) or isinstance(model, torch.jit.ScriptModule):
        raise SourceError("a captured program computes in the types it was captured with.", _WAY_OUT)
    try:
        wide = copy.deepcopy(model).double() if _is_partly_scripted(model) else _widened(model)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"the module cannot be copied: {error}.", _WAY_OUT) from error
    return replace(engine, source=replace(engine.source, model=wide))


def _is_partly_scripted(model: torch.nn.Module) -> bool:
    """Whether a part is TorchScript, whose reads of parameters Python cannot intercept."""
    return any(isinstance(module, torch.jit.ScriptModule) for module in model.modules())


def _widened(model: torch.nn.Module) -> torch.nn.Module:
    """A copy that shares the parameters, and whose forward widens them one by one."""
    wide = copy.deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})
    for module in wide.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.is_floating_point():
                setattr(module, name, buffer.double())
    forward = wide.forward

    @functools.wraps(forward)
    def in_float64(*args: object, **kwargs: object) -> object:
        with _WideParameters(wide.parameters()):
            return forward(*args, **kwargs)

    wide.forward = in_float64
    return wide


class _WideParameters(TorchFunctionMode):
    """Passes every function a float64 copy in place of a parameter."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        super().__init__()
        self._known = {id(each): each for each in parameters if each.is_floating_point()}

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        apart = args[1] if func in _IN_PARTS and len(args) > 1 and id(args[1]) in self._known else None
        given, named = pytree.tree_map(
            lambda value: value if value is apart else self._wide(value), (args, dict(kwargs or {}))
        )
        return (func if apart is None else _IN_PARTS[func])(*given, **named)

    def _wide(self, value: object) -> object:
        known = self._known.get(id(value))
        return value if known is None else known.double()


def _product_by_rows(value: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A linear layer of which as many rows are in float64 at a time as the processor's cache holds."""
    if weight.dim() == 1 or weight.numel() <= _AT_ONCE:
        return linear(value, weight.double(), bias)
    parts = torch.split(weight, max(1, _AT_ONCE // weight.shape[1]))
    product = torch.cat([linear(value, part.double()) for part in parts], dim=-1)
    return product if bias is None else product + bias


def _rows_read(
    indices: Tensor, weight: Tensor, *, max_norm: float | None = None, **named: TorchObject
) -> Tensor:
    """Only the rows that an embedding reads in float64; where norms are limited, the numbers change."""
    if max_norm is not None:
        return embedding(indices, weight.double(), max_norm=max_norm, **named)
    return embedding(indices, weight, **named).double()


_IN_PARTS: Final[dict[Callable[..., object], Callable[..., Tensor]]] = {
    linear: _product_by_rows,
    embedding: _rows_read,
}
"""Functions of a value and a weight that need no copy of the whole weight."""


def sample_in_double(sample: Sample) -> Sample:
    """The same numbers in float64; integers and booleans are unchanged."""
    return {name: value.double() if value.is_floating_point() else value for name, value in sample.items()}


def greatest_given(engine: SourceEngine, sample: Sample) -> float:
    """The greatest magnitude among a sample's inputs and the module's weights, without masks."""
    model = engine.source.model
    state = model.state_dict().values() if isinstance(model, torch.nn.Module) else ()
    weights = (
        value for value in state if isinstance(value, Tensor)
    )  # quantized layers have packed parameters
    return max(_magnitudes((*sample.values(), *weights)), default=0.0)


def _magnitudes(values: Iterable[Tensor]) -> Iterator[float]:
    """The greatest magnitude of each floating-point tensor, without masks."""
    for value in values:
        if value.is_floating_point() and value.numel():
            least, most = (float(each) for each in torch.aminmax(value))
            greatest = max(-least, most)
            yield greatest if greatest < _MASK else _without_masks(value)


def _without_masks(value: Tensor) -> float:
    """The same for a tensor with masks, infinities or NaN, which needs a copy."""
    magnitudes = value.abs()
    kept = magnitudes[magnitudes < _MASK]
    return float(kept.max()) if kept.numel() else 0.0


def outputs_in_double(engine: SourceEngine, sample: Sample) -> Outputs:
    """The outputs of the source in float64 for one sample; raises :class:`SourceError` if it fails."""
    return in_double(engine).run(sample_in_double(sample))
