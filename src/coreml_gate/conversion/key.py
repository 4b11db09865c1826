"""A digest of everything that a conversion reads: equal digests give the same package.

The digest covers the captured program with every constant, the place of each operation in the source
(``keep-fp32`` goes by modules), the samples' form, the outputs' names, the options and the installed
versions. If a part of a program cannot be read as a value, there is no digest, and nothing is cached.
"""

import functools
import hashlib
import json
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

import torch
from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY
from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY
from torch.export import ExportedProgram

from coreml_gate.config.inherit import OWN_CONVERSION
from coreml_gate.conversion.capture import Captured
from coreml_gate.conversion.conversion import Task
from coreml_gate.conversion.graph_names import exported_name
from coreml_gate.engines.places import own_lines, traced_frames
from coreml_gate.untyped import TorchObject

CONVERSION_OPTIONS: Final = {
    "precision",
    "keep_fp32",
    "deployment_target",
    "conversion",
    "compute_units",
    "compress",
    "converter",
    "input",
    "output",
    *OWN_CONVERSION,
}
"""The options that a conversion depends on; limits and names do not change a package."""
_DISTRIBUTIONS: Final = ("coremltools", "torch", "numpy", "protobuf", "scikit-learn")
_CONVERTING: Final = ("conversion", "engines")
"""Our folders whose code decides what a package contains."""
_OF_THE_PROCESS: Final = re.compile(r"coreml_gate_user_[0-9a-f]{12}|___torch_mangle_\d+\.")
"""Parts of names that differ among processes: ``engines/python.py`` names the files that it imports by their
absolute paths, and torch numbers types of one name."""
_CALLS: Final = frozenset({"prim::CallMethod", "prim::CallFunction"})
"""Calls that torch did not inline, whose operations are not in the graph."""


class _UnreadableError(Exception):
    """A part of a program cannot be read as a value."""


def conversion_key(captured: Captured, task: Task, closure: str) -> str | None:
    """The digest; ``None`` if foreign code takes part in the conversion, or a constant cannot be read.

    ``closure`` is the digest of the source's own files. Paths are relative to the measured tree, so the same
    model in another worktree has the same digest.
    """
    if _foreign_code():
        return None
    digest = hashlib.sha256()
    try:
        for part in _parts(captured, task, closure):
            data = _portable(part, task.source.root) if isinstance(part, str) else part
            digest.update(len(data).to_bytes(8, "little"))
            digest.update(data)
    except _UnreadableError:
        return None
    return digest.hexdigest()


def _parts(captured: Captured, task: Task, closure: str) -> Iterator[str | memoryview]:
    yield closure
    yield _toolchain()
    yield task.config.model_dump_json(include=CONVERSION_OPTIONS)
    yield json.dumps(
        [[[n, str(v.dtype), list(v.shape)] for n, v in each.items()] for each in task.samples.samples]
    )
    yield json.dumps([[name, str(value.dtype)] for name, value in task.outputs.items()])
    yield f"{type(task.source.model).__name__} {captured.notes} {captured.filled_states}"
    yield " ".join(f"{state.name} {state.wrapped_type.shape}" for state in captured.states)
    if isinstance(captured.model, ExportedProgram):
        yield from _exported(captured.model)
    else:
        yield from _script_block(captured.model.inlined_graph, {}, captured.model, task.source.root)


def _exported(program: ExportedProgram) -> Iterator[str | memoryview]:
    yield f"{program.graph_signature} {program.range_constraints} {program.call_spec}"
    for name, value in {**program.state_dict, **program.constants}.items():
        yield name
        yield from _value(value)
    yield from _graph_module(program.graph_module)


def _graph_module(module: torch.fx.GraphModule) -> Iterator[str | memoryview]:
    """Every node with its arguments, the form of its value and its place, including nested graphs."""
    for node in module.graph.nodes:
        yield f"{node.op} {node.name} {_target(node.target)} {node.args!r} {node.kwargs!r} {_form(node)}"
        yield f"{node.meta.get('stack_trace')} {node.meta.get('nn_module_stack')}"
        if node.op == "get_attr":
            value = functools.reduce(getattr, str(node.target).split("."), module)
            yield from _graph_module(value) if isinstance(value, torch.fx.GraphModule) else _value(value)


def _target(target: object) -> str:
    return f"{getattr(target, '__module__', '')} {exported_name(target)}"


def _form(node: torch.fx.Node) -> str:
    """Element type and shape of a node's value, with symbols for open dimensions."""
    values = torch.utils._pytree.tree_leaves(node.meta.get("val"))  # noqa: SLF001  # torch's own way to walk them
    return " ".join(
        f"{value.dtype}{list(value.shape)}" if isinstance(value, torch.Tensor) else str(value)
        for value in values
    )


def _script_block(
    block: TorchObject,
    modules: dict[str, object],
    model: torch.jit.ScriptModule,
    root: Path,
) -> Iterator[str | memoryview]:
    """Every node with its place, its constants and the attributes that it reads."""
    yield " ".join(f"{value.debugName()}: {value.type()}" for value in block.inputs())
    if not modules:
        modules[next(iter(block.inputs())).debugName()] = model
    for node in block.nodes():
        yield f"{node} {node.scopeName()} {list(own_lines(traced_frames(node.sourceRange()), root))}"
        if node.kind() in _CALLS:
            raise _UnreadableError(node.kind())
        if node.kind() == "prim::Constant":
            yield from _value(node.output().toIValue())
        elif node.kind() == "prim::GetAttr":
            yield from _attribute(node, modules)
        for inner in node.blocks():
            yield from _script_block(inner, modules, model, root)
    yield " ".join(value.debugName() for value in block.outputs())


def _attribute(node: TorchObject, modules: dict[str, object]) -> Iterator[str | memoryview]:
    """Remember a submodule by the name of its value, and read any other attribute."""
    owner = modules.get(node.input().debugName())
    value = getattr(owner, node.s("name")) if owner is not None else owner
    if isinstance(value, torch.nn.Module):
        modules[node.output().debugName()] = value
        yield f"training: {value.training}"
    else:
        yield from _value(value)


def _value(value: object) -> Iterator[str | memoryview]:
    if isinstance(value, torch.Tensor):
        yield f"{value.dtype} {list(value.shape)}"
        yield _bytes(value)
    elif isinstance(value, list | tuple):
        yield f"{type(value).__name__} of {len(value)}"
        for item in value:
            yield from _value(item)
    elif isinstance(value, dict):
        yield from _value([item for pair in value.items() for item in pair])
    elif value is None or isinstance(value, bool | int | float | complex | str | torch.dtype | torch.device):
        yield f"{type(value).__name__} {value!r}"
    else:
        raise _UnreadableError(type(value).__name__)


def _bytes(value: torch.Tensor) -> memoryview:
    if value.is_quantized or value.layout is not torch.strided:
        raise _UnreadableError(str(value.dtype))
    try:
        return value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
    except (RuntimeError, NotImplementedError, TypeError) as error:  # a tensor without storage
        raise _UnreadableError(str(value.dtype)) from error


def _portable(text: str, root: Path) -> bytes:
    return _OF_THE_PROCESS.sub("", text.replace(str(root.resolve()), "")).encode("utf-8", "surrogateescape")


def _foreign_code() -> bool:
    """Whether a foreign converter or pass takes part, whose code the digest cannot include."""
    registered = (*_TORCH_OPS_REGISTRY.name_to_func_mapping.values(), *PASS_REGISTRY.passes.values())
    return any(not str(item.__module__).startswith("coremltools.") for item in registered)


@functools.cache
def _toolchain() -> str:
    return " ".join([*map(_installed, _DISTRIBUTIONS), _own_code()])


def _installed(name: str) -> str:
    """Version and list of files with their digests, in which two builds of one version differ."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return f"no {name}"
    return f"{name} {found.version} {hashlib.sha256((found.read_text('RECORD') or '').encode()).hexdigest()}"


def _own_code() -> str:
    """A digest of the gate's own code, because several commits have the same version."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in _CONVERTING for path in _HERE.joinpath(folder).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_HERE: Final = Path(__file__).resolve().parents[1]
