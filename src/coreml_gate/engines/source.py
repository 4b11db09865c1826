"""The PyTorch source: loading it, its inputs, and running it as the reference of every comparison."""

import inspect
import random
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from coreml_gate.engines.engine import SEED, Outputs, Sample
from coreml_gate.engines.large_files import pointer_in
from coreml_gate.engines.outputs import flatten_outputs
from coreml_gate.engines.overdue import within
from coreml_gate.engines.python import load_callable, other_case, user_code
from coreml_gate.errors import SourceError
from coreml_gate.reading import copy_tree

Kind = Literal["module", "exported-program", "torchscript", "package"]
_FILES = {
    ".pt2": "exported-program",
    ".pt": "torchscript",
    ".pth": "torchscript",
    ".ts": "torchscript",
    ".jit": "torchscript",
    ".mlpackage": "package",
}


@dataclass(frozen=True)
class Source:
    """A model of the repository: on the CPU, in eval mode, in float32, without gradients."""

    kind: Kind
    reference: str
    """Its name in the configuration."""
    root: Path
    """The tree that paths in messages are relative to."""
    model: torch.nn.Module | ExportedProgram | None = None
    """A module (a ``ScriptModule`` for the kind torchscript) or a program; ``None`` for a package."""
    path: Path | None = None
    """Path of the package; ``None`` for the other kinds."""
    notes: tuple[str, ...] = ()
    """Notes for the reader, such as parameters converted to float32."""

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs in the source's order; empty if it takes any number (``*args``)."""
        return tuple(self.parameters)

    @cached_property
    def parameters(self) -> dict[str, bool]:
        """The inputs by name, and whether each is required."""
        if isinstance(self.model, ExportedProgram):
            return dict.fromkeys(self.model.graph_signature.user_inputs, True)
        if isinstance(self.model, torch.jit.ScriptModule):
            return _script_parameters(self.model)
        return _signature(self.model) if self.model is not None else {}

    @cached_property
    def runnable(self) -> torch.nn.Module:
        """The module to run; an exported program is turned into one."""
        if isinstance(self.model, ExportedProgram):
            return self.model.module()
        if self.model is None:
            raise SourceError(
                f"source `{self.reference}` is a package: PyTorch cannot run it.",
                "name the PyTorch source to compare the package with it.",
            )
        return self.model

    def call(self, sample: Sample) -> object:
        """Call the source with one sample: by name if it knows all names, else by position."""
        if isinstance(self.model, ExportedProgram):
            args, kwargs = _program_arguments(self.model, sample)
            return self.runnable(*args, **kwargs)
        if self.parameters.keys() >= sample.keys():
            return self.runnable(**sample)
        return self.runnable(*sample.values())


def load_source(reference: str, root: Path) -> Source:
    """Loads ``file.py:callable``, ``package.module:callable``, or a ``.pt2``, TorchScript or ``.mlpackage``.

    A callable returns a module, an exported program or a ``ScriptModule``. Raises :class:`SourceError` with
    the user's line.
    """
    seed()
    suffix = Path(reference).suffix
    if suffix in _FILES:
        return _load_file(reference, root, _FILES[suffix])
    build = load_callable(reference, root, SourceError)
    with user_code(f"source {reference}", root, SourceError):
        built = build()
    return as_source(reference, root, built)


def run_source(
    source: Source, sample: Sample, index: int = 0, drawn: int = SEED, most_seconds: float | None = None
) -> Outputs:
    """Runs one sample and returns the outputs by name, in pytree order and without those that are ``None``.

    Buffers that the forward pass changes are restored, so every sample starts from the same state; the
    outputs are copies, because a module may return a buffer, or overwrite what it returned before. ``drawn``
    seeds Python's and NumPy's generators; torch's generator gets the same seed in every run. Raises
    :class:`SourceError` with the sample's number, the input shapes and the user's line, and
    :class:`OverdueCallError` if the call takes more than ``most_seconds`` of this thread's own time.
    """
    seed(drawn)
    with restored(source.runnable):
        outputs = flatten_outputs(_run(source, sample, index, most_seconds), source.reference)
        return {name: _array(name, value) for name, value in outputs.items()}


def _run(source: Source, sample: Sample, index: int, most_seconds: float | None) -> object:
    given = {name: value.clone() for name, value in sample.items()}
    shapes = ", ".join(f"{name}: {_dtype(value)} {list(value.shape)}" for name, value in sample.items())
    what = f"source {source.reference} on sample {index} ({shapes})"
    with user_code(what, source.root, SourceError), torch.no_grad():
        return (
            source.call(given) if most_seconds is None else within(most_seconds, lambda: source.call(given))
        )


@contextmanager
def restored(model: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """Restore the buffers, which ``forward`` may change or replace; yields copies of them in order."""
    kept = list(model.buffers())
    before = [buffer.clone() for buffer in kept]
    tables = [(module, dict(module.named_buffers(recurse=False))) for module in model.modules()]
    try:
        yield before
    finally:
        for buffer, value in zip(kept, before, strict=True):
            buffer.copy_(value)
        for module, buffers in tables:
            for name, buffer in buffers.items():
                if getattr(module, name, None) is not buffer:
                    setattr(module, name, buffer)


def _array(name: str, value: torch.Tensor) -> np.ndarray:
    if value.is_complex():
        raise SourceError(
            f"output `{name}` is complex: Core ML has no complex numbers.",
            "return the real and the imaginary part as two outputs.",
        )
    try:
        if value.is_floating_point():
            value = value.float()
        return value.detach().cpu().clone(memory_format=torch.contiguous_format).numpy()
    except (RuntimeError, TypeError) as error:  # sparse, quantised, nested, without data
        raise SourceError(
            f"output `{name}` holds no plain numbers: {str(error).splitlines()[0]}.",
            "return dense tensors of floats, integers or booleans: `x.to_dense()`, `x.dequantize()`.",
        ) from error


def _dtype(value: torch.Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def seed(drawn: int = SEED, by_torch: int = SEED) -> None:
    """Seed the random generators that user code may draw from: Python's, NumPy's and torch's."""
    random.seed(drawn)
    np.random.seed(drawn)  # noqa: NPY002 - seeds the generator that user code draws from
    torch.manual_seed(by_torch)


def _load_file(reference: str, root: Path, kind: str) -> Source:
    path = root / reference
    if not path.exists():
        raise SourceError(
            f"source `{reference}` does not exist in the repository.",
            other_case(reference, root)
            or "paths are relative to the repository's root; is it made by a command that did not run?",
        )
    pointer = pointer_in(path)
    if pointer is not None:
        raise SourceError(*pointer.explained(reference))
    if kind == "package":
        return _package(reference, root)
    if not path.is_file():
        raise SourceError(f"source `{reference}` is not a regular file.", "name a file that holds the model.")
    load = torch.export.load if kind == "exported-program" else torch.jit.load
    try:
        loaded = load(str(path))
    except Exception as error:  # torch documents no errors: a wrong file raises many types
        raise SourceError(f"source `{reference}`: {_unreadable(kind, error)}", _WAY_OUT[kind]) from error
    return as_source(reference, root, loaded)


_WAY_OUT = {
    "exported-program": "save it again with `torch.export.save` of the installed torch version.",
    "torchscript": (
        "save a program instead (`torch.export.save(torch.export.export(...), 'model.pt2')`), or name a "
        "`file.py:callable` that builds the module and loads this state_dict into it."
    ),
}


def _unreadable(kind: str, error: Exception) -> str:
    if kind == "torchscript":
        return "is not TorchScript: a pickled module or a state_dict is never unpickled here."
    return f"cannot be read as an exported program ({type(error).__name__}: {str(error).strip()[:200]})."


def _package(reference: str, root: Path) -> Source:
    path = root / reference
    if not (path / "Manifest.json").is_file():
        raise SourceError(
            f"source `{reference}` is not a package: it has no Manifest.json.",
            "name the folder that `MLModel.save` wrote.",
        )
    return Source("package", reference, root, path=path)


def copied_package(path: Path, target: Path) -> Path:
    """A package of the repository, copied to ``target`` (:class:`SourceError`)."""
    pointer = pointer_in(path)
    if pointer is not None:
        raise SourceError(*pointer.explained(path.name))
    shutil.rmtree(target, ignore_errors=True)
    try:
        return copy_tree(path, target)
    except OSError as error:
        raise SourceError(
            f"package `{path.name}` cannot be copied: {error}.", "leave only files and folders in it."
        ) from error


def as_source(reference: str, root: Path, built: object) -> Source:
    """Make a source of a built model by moving it to the CPU, to eval mode and to float32, in place.

    Raises :class:`SourceError` for anything but a module, an exported program or a ``ScriptModule``.
    """
    if isinstance(built, ExportedProgram):
        return _prepared_program(reference, root, built)
    if not isinstance(built, torch.nn.Module):
        raise SourceError(
            f"source `{reference}` returned a `{type(built).__name__}`.",
            "return a torch.nn.Module, a torch.export.ExportedProgram or a torch.jit.ScriptModule.",
        )
    model = getattr(built, "_orig_mod", built)
    _refuse_meta(reference, model.named_parameters())
    _refuse_sparse(reference, (*model.named_parameters(), *model.named_buffers()))
    kind: Kind = "torchscript" if isinstance(model, torch.jit.ScriptModule) else "module"
    model = model.cpu().eval()
    for parameter in model.parameters():
        parameter.requires_grad = False
    notes = _float_notes((*model.parameters(), *model.buffers()))
    return Source(kind, reference, root, model.float() if notes else model, notes=notes)


def _prepared_program(reference: str, root: Path, program: ExportedProgram) -> Source:
    if notes := _float_notes(program.state_dict.values()):
        raise SourceError(
            f"source `{reference}` is an exported program in another precision: {notes[0]}.",
            "export the module in float32; the gate makes the float16 package itself.",
        )
    return Source("exported-program", reference, root, program)


def _refuse_meta(reference: str, parameters: Iterable[tuple[str, torch.Tensor]]) -> None:
    for name, parameter in parameters:
        if parameter.is_meta:
            raise SourceError(
                f"source `{reference}`: parameter `{name}` is on the meta device and has no values.",
                "load or initialise the weights before returning the module.",
            )


def _refuse_sparse(reference: str, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    for name, tensor in tensors:
        if tensor.layout is not torch.strided:
            raise SourceError(
                f"source `{reference}`: `{name}` is {tensor.layout}, and Core ML has no sparse tensors.",
                f"keep it dense, as `{name}.to_dense()`, or gather and `scatter_add` along its indices.",
            )


def _float_notes(tensors: Iterable[torch.Tensor]) -> tuple[str, ...]:
    """A note on the source's other floating-point types, because the reference is computed in float32.

    Core ML has no float64 or bfloat16, and half precision is what the package is compared for.
    """
    dtypes = sorted({_dtype(tensor) for tensor in tensors if tensor.is_floating_point()} - {"float32"})
    if not dtypes:
        return ()
    return (f"the source holds {', '.join(dtypes)} values, its reference computes in float32",)


def _signature(model: torch.nn.Module) -> dict[str, bool]:
    parameters = inspect.signature(model.forward).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return {}
    return {
        parameter.name: parameter.default is inspect.Parameter.empty
        for parameter in parameters
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }


def _script_parameters(model: torch.jit.ScriptModule) -> dict[str, bool]:
    forward: Any = model.forward
    arguments = forward.schema.arguments[1:]
    return {argument.name: not argument.has_default_value() for argument in arguments}


def _program_arguments(program: ExportedProgram, sample: Sample) -> tuple[tuple[object], dict[str, object]]:
    """The arguments in the nesting of the export."""
    order = program.graph_signature.user_inputs
    flat = [sample[name] for name in order] if set(order) == sample.keys() else list(sample.values())
    args, kwargs = pytree.tree_unflatten(flat, program.call_spec.in_spec)
    return args, kwargs
