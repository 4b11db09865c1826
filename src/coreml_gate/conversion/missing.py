"""All torch operations that have no converter, at once.

The converter itself stops at the first.
"""

from collections.abc import Iterator, Sequence

import coremltools as ct
import torch
from coremltools.converters.mil.frontend.torch.converter import TorchConverter
from coremltools.converters.mil.frontend.torch.utils import sanitize_op_kind
from torch._ops import OpOverload
from torch.export import ExportedProgram

from coreml_gate.conversion.graph_names import exported_name, module_path, readable
from coreml_gate.conversion.support import is_convertible
from coreml_gate.record import MissingOperation
from coreml_gate.wording import counted

_SHOWN_MODULES = 3


def missing_operations(
    model: ExportedProgram | torch.jit.ScriptModule, inputs: Sequence[ct.TensorType] = ()
) -> tuple[MissingOperation, ...]:
    """The operations without a working converter, with their counts and modules.

    A registered converter that calls a MIL operation that does not exist counts as missing. The names are
    coremltools' own, after its sanitising. Empty if nothing is missing or if it is unknown. A TorchScript
    graph is only readable with its ``inputs``.
    """
    found = _missing_in_program(model) if isinstance(model, ExportedProgram) else _missing_in(model, inputs)
    places: dict[str, list[str]] = {}
    for operation, module in found:
        places.setdefault(operation, []).append(module)
    return tuple(
        MissingOperation(
            operation=operation,
            count=len(modules),
            modules=tuple(dict.fromkeys(module for module in modules if module))[:_SHOWN_MODULES],
        )
        for operation, modules in places.items()
    )


def missing_message(missing: Sequence[MissingOperation]) -> str:
    """One line per operation: its name, how often it occurs, and where."""
    lines = [f"coremltools {ct.__version__} has no converter for {counted(len(missing), 'torch operation')}:"]
    for item in missing:
        where = f" in {', '.join(f'`{module}`' for module in item.modules)}" if item.modules else ""
        lines.append(f"`{item.operation}`, {counted(item.count, 'time')}{where}")
    return "\n".join(lines)


def lacking(program: ExportedProgram) -> Iterator[OpOverload]:
    """The operations of torch in a program that have no working converter."""
    for node in _lacking_nodes(program):
        if isinstance(node.target, OpOverload):
            yield node.target


def _lacking_nodes(program: ExportedProgram) -> Iterator[torch.fx.Node]:
    for node in program.graph.nodes:
        if node.op == "call_function" and not is_convertible(sanitize_op_kind(exported_name(node.target))):
            yield node


def _missing_in_program(program: ExportedProgram) -> Iterator[tuple[str, str]]:
    for node in _lacking_nodes(program):
        yield sanitize_op_kind(exported_name(node.target)), module_path(node)


def _missing_in(script: torch.jit.ScriptModule, inputs: Sequence[ct.TensorType]) -> Iterator[tuple[str, str]]:
    try:
        graph = TorchConverter(script, list(inputs), opset_version=ct.target.iOS18).graph
    except Exception:  # noqa: BLE001 - the converter itself will report what is wrong with the graph
        return
    yield from _missing_in_block(graph)


def _missing_in_block(block: object) -> Iterator[tuple[str, str]]:
    for node in getattr(block, "nodes", ()):
        if not is_convertible(node.kind):
            names = node.get_scope_info()[0][:-1]
            yield node.kind, readable(".".join(names))
        for inner in node.blocks:
            yield from _missing_in_block(inner)
