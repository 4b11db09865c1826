"""Maps the operations of a package to their torch operations, by the converter's own records.

coremltools marks each operation with scopes while it converts and drops them when it saves: the debug handle
of an exported program's node, or the name of a traced graph's node. Both are read from the program in memory.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import coremltools as ct
import torch
from coremltools.converters.mil.frontend.torch.torchscript_utils import _expand_and_optimize_ir
from torch.export import ExportedProgram

from coreml_gate.engines.places import own_place, traced_frames
from coreml_gate.untyped import CoreMlObject

_HANDLE = "debug_handle"


@dataclass(frozen=True)
class Mapped:
    """A graph, its package, and the key of the torch operation of each operation by name."""

    graph: ExportedProgram | torch.jit.ScriptModule
    package: Path
    keys: Mapping[str, str]


def number_nodes(graph: ExportedProgram | torch.jit.ScriptModule) -> None:
    """Numbers the nodes of an exported program, because the converter keeps such numbers."""
    if isinstance(graph, ExportedProgram):
        for number, node in enumerate(graph.graph.nodes):
            node.meta[_HANDLE] = number


def node_key(node: torch.fx.Node) -> str:
    """The key of an exported program's node."""
    return str(node.meta[_HANDLE])


def script_lines(graph: ExportedProgram | torch.jit.ScriptModule, root: Path) -> dict[str, str]:
    """The lines (``models/net.py:12``) of a traced graph's nodes, by the names in their operations."""
    if isinstance(graph, ExportedProgram):
        return {}
    nodes = _expand_and_optimize_ir(graph)[0].nodes()
    places = ((node, own_place(traced_frames(node.sourceRange()), root)) for node in nodes)
    return {value.debugName(): place for node, place in places if place for value in node.outputs()}


def operation_keys(model: ct.models.MLModel) -> dict[str, str]:
    """The key of each operation of the outermost block, constants included, by its name in the package."""
    program: CoreMlObject = model._mil_program  # noqa: SLF001  # the saved form has no scopes
    found = ((str(operation.outputs[0].name), _key(operation)) for operation in _operations(program))
    return {name: key for name, key in found if key is not None}


def _operations(program: CoreMlObject) -> Iterator[CoreMlObject]:
    function = program.functions[program.default_function_name]
    return (operation for operation in function.operations if operation.outputs)


def _key(operation: CoreMlObject) -> str | None:
    scopes = {source.name: data for source, data in operation.scopes.items()}
    handles = [handle for handle in scopes.get("EXIR_DEBUG_HANDLE", ()) if handle is not None]
    if handles:
        return str(handles[0])
    names = scopes.get("TORCHSCRIPT_MODULE_NAME", ())
    return str(names[-1]) if names else None
