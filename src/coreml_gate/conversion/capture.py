"""Captures a source as a graph for coremltools, by torch.export or by torch.jit.trace."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import coremltools as ct
import numpy as np
import torch
from torch._decomp import decomposition_table
from torch._ops import OpOverload
from torch.distributions import Distribution
from torch.export import ExportedProgram, default_decompositions

from coreml_gate.config import ModelConfig
from coreml_gate.conversion.flat import changed_buffers, flat_module
from coreml_gate.conversion.frozen_values import FreezeWatch
from coreml_gate.conversion.interface import check_flexible, example, export_shapes, flexible_dimensions
from coreml_gate.conversion.missing import lacking
from coreml_gate.conversion.quiet import quiet
from coreml_gate.conversion.shims import IDENTITIES
from coreml_gate.conversion.unread import unread_arguments
from coreml_gate.engines.engine import Sample
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source, restored
from coreml_gate.record import Route
from coreml_gate.wording import listed, names_and_more

_SHOWN_PLACES = 3
_PRIMITIVES: Final = "prims"
"""The namespace of the primitives of torch's reference implementations."""
_PLAIN_FORMS: Final = frozenset({"default", "Tensor", "Scalar"})


@dataclass(frozen=True)
class Captured:
    """A source as a graph, with its inputs in the samples' order."""

    model: ExportedProgram | torch.jit.ScriptModule
    notes: tuple[str, ...] = ()
    states: tuple[ct.StateType, ...] = ()
    """The states of a traced graph; coremltools finds those of an exported program itself."""
    frozen_places: Mapping[str, str] = field(default_factory=dict)
    """The tensor method that turned a value into a constant during tracing, by ``file:line``."""
    filled_states: tuple[str, ...] = ()
    """Buffers that become states but do not start at zero, as every state does."""

    @property
    def program(self) -> ExportedProgram | None:
        """The exported program; ``None`` for a traced graph."""
        return self.model if isinstance(self.model, ExportedProgram) else None


def routes(source: Source, config: ModelConfig) -> tuple[Route, ...]:
    """The routes to try, in order.

    ``auto`` prefers torch.export, which captures in-place writes and control flow that a trace silently
    loses. Recurrent layers are traced first: export unrolls them over the time steps into thousands of
    operations.
    """
    if source.kind == "torchscript" or (source.kind == "module" and config.conversion == "trace"):
        return ("trace",)
    if config.conversion == "decomposed":
        return ("decomposed",)
    exports: tuple[Route, ...] = ("export", "decomposed")
    if source.kind == "exported-program" or config.conversion == "export":
        return exports
    return ("trace", *exports) if _is_recurrent(source) else (*exports, "trace")


def capture(route: Route, source: Source, samples: Samples, config: ModelConfig) -> Captured:
    """Captures the source along one route; torch's errors pass through.

    Two things are disabled during the capture: the fused path of nn.MultiheadAttention and
    nn.TransformerEncoder, which is one operation without a converter, and the checks of torch.distributions,
    which branch on values and compute nothing.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    checked: bool = Distribution._validate_args  # noqa: SLF001  # torch has no public way to read it
    torch.backends.mha.set_fastpath_enabled(value=False)
    Distribution.set_default_validate_args(value=False)
    try:
        return _ROUTES[route](source, samples, config)
    finally:
        torch.backends.mha.set_fastpath_enabled(value=fused)
        Distribution.set_default_validate_args(checked)


def _taken_apart(program: ExportedProgram) -> tuple[ExportedProgram, tuple[str, ...]]:
    """The program in core ATen, and the operations that were decomposed further because they have no
    converter.

    Operations of the exported program that have a converter stay whole, as in a trace.
    """
    table = default_decompositions()
    decomposed = program.run_decompositions(table)
    if not any(_steps(operation) for operation in lacking(decomposed)):
        return decomposed, ()
    whole = {_plain(operation) for operation in lacking(program.run_decompositions({}))}
    taken: dict[OpOverload, None] = {}
    circular: set[str] = set()
    while more := dict(_further(decomposed, whole, _own_steps(taken) | circular)):
        try:
            decomposed = program.run_decompositions({**table, **more})
        except RecursionError:  # a primitive under another name than its operation's: prims::erf_inv
            circular |= {_plain(operation) for operation in more}
        else:
            taken |= dict.fromkeys(more)
            table.update(more)  # type: ignore[no-untyped-call]
    named = dict.fromkeys(_plain(operation) for operation in taken if operation.namespace != _PRIMITIVES)
    return decomposed, tuple(named)


def _further(
    program: ExportedProgram, whole: set[str], taken: set[str]
) -> Iterator[tuple[OpOverload, Callable[..., Any]]]:
    """The steps of each operation without a converter; a primitive that only computes itself has none."""
    for operation in lacking(program):
        steps, name = _steps(operation), _plain(operation)
        if steps and name not in taken and (name in whole or operation.namespace == _PRIMITIVES):
            yield operation, steps


def _own_steps(taken: Iterable[OpOverload]) -> set[str]:
    """The names whose primitive would be decomposed into the same operation again."""
    return {_plain(operation) for operation in taken if operation._overloadname in _PLAIN_FORMS}  # noqa: SLF001


def _steps(operation: OpOverload) -> Callable[..., Any] | None:
    """The decomposition of an operation: torch's own table, or ATen for a primitive."""
    if _plain(operation) in IDENTITIES or torch.Tag.nondeterministic_seeded in operation.tags:
        return None  # the steps of a random operation draw other numbers
    return decomposition_table.get(operation) or getattr(operation, "impl_aten", None)


def _plain(operation: OpOverload) -> str:
    return str(operation._schema.name).partition("::")[2]  # noqa: SLF001  # torch offers no public way


def _export(source: Source, samples: Samples, config: ModelConfig, *, decomposes: bool = False) -> Captured:
    """``run_decompositions({})`` is the documented call (coremltools' guide, "Model Exporting")."""
    program = source.model if isinstance(source.model, ExportedProgram) else _program(source, samples, config)
    apart: tuple[str, ...] = ()
    if decomposes:
        decomposed, apart = _taken_apart(program)
    else:
        decomposed = program.run_decompositions({})
    check_flexible(decomposed, samples.names, flexible_dimensions(config))
    unrolled = ("recurrent layers are unrolled over the time steps",) if _is_recurrent(source) else ()
    buffers = dict(decomposed.named_buffers())
    changed = {name: buffers[name] for name in decomposed.graph_signature.buffers_to_mutate.values()}
    unread = tuple(str(argument) for argument in unread_arguments(decomposed, source.root))
    notes = (*unrolled, *_apart_notes(apart), *_state_notes(changed), *unread)
    return Captured(decomposed, notes, filled_states=_filled(changed))


def _apart_notes(operations: tuple[str, ...]) -> tuple[str, ...]:
    return (f"torch decomposes {listed(operations)} further",) if operations else ()


def _program(source: Source, samples: Samples, config: ModelConfig) -> ExportedProgram:
    """Exports in non-strict mode, which runs the module's own Python, so the export is what runs.

    Strict mode analyses bytecode instead, and rejects more.
    """
    ranges = flexible_dimensions(config)
    sample = example(samples, ranges)
    module = flat_module(source, sample)
    shapes = export_shapes(sample, ranges)
    if shapes is not None and module is not source.runnable:
        shapes = (shapes,)  # type: ignore[assignment]  # its forward takes *inputs, which is one tuple
    args = tuple(value.clone() for value in sample.values())
    with torch.no_grad():
        return torch.export.export(module, args, dynamic_shapes=shapes, strict=False)


def _trace(source: Source, samples: Samples, config: ModelConfig) -> Captured:
    """Traces with one sample; a buffer that the run changes becomes a state, never a constant."""
    sample = example(samples, flexible_dimensions(config))
    module = flat_module(source, sample)
    changed = changed_buffers(module, sample)
    states = tuple(_state(name, buffer) for name, buffer in changed.items())
    if isinstance(module, torch.jit.ScriptModule):
        return Captured(module, _state_notes(changed), states, filled_states=_filled(changed))
    watch = FreezeWatch(source.root, _flexible_sizes(sample, config))
    with quiet(), torch.no_grad(), restored(module), watch:
        args = tuple(value.clone() for value in sample.values())
        traced = torch.jit.trace(module, args, check_trace=False)  # type: ignore[no-untyped-call]
    recurrent = ("recurrent layers are traced, because export unrolls them",) if _is_recurrent(source) else ()
    notes = (*recurrent, *_frozen_notes(tuple(watch.places)), *_state_notes(changed))
    return Captured(traced, notes, states, watch.places, _filled(changed))


_ROUTES: Mapping[Route, Callable[[Source, Samples, ModelConfig], Captured]] = {
    "export": _export,
    "decomposed": partial(_export, decomposes=True),
    "trace": _trace,
}
"""``export`` is what coremltools documents: attention, normalisations and activations stay whole. Where its
converters refuse them, ``decomposed`` reduces the program to core ATen, by torch's own decompositions."""


def _is_recurrent(source: Source) -> bool:
    modules = source.model.modules() if isinstance(source.model, torch.nn.Module) else ()
    return any(isinstance(module, torch.nn.RNNBase) for module in modules)


def _flexible_sizes(sample: Sample, config: ModelConfig) -> frozenset[int]:
    """The sizes, in this sample, of the dimensions configured as flexible."""
    return frozenset(int(sample[name].shape[axis]) for name, axis in flexible_dimensions(config))


def _frozen_notes(places: tuple[str, ...]) -> tuple[str, ...]:
    if not places:
        return ()
    shown = names_and_more(places, _SHOWN_PLACES)
    return (f"tracing froze values of tensors at {shown}: control flow follows sample 0 from there on",)


def _state(name: str, buffer: torch.Tensor) -> ct.StateType:
    return ct.StateType(wrapped_type=ct.TensorType(shape=tuple(buffer.shape), dtype=np.float16), name=name)


def _state_notes(changed: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Notes on buffers that forward changes: they become states, in FP16 and initially zero."""
    notes = [f"buffer `{name}` became a state, which Core ML keeps in float16" for name in changed]
    filled = [f"`{name}`" for name in _filled(changed)]
    if filled:
        notes.append(f"{', '.join(filled)} does not start at zero, as a Core ML state does")
    return tuple(notes)


def _filled(changed: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    return tuple(name for name, buffer in changed.items() if bool(buffer.any()))
