"""All torch operations that have no converter, at once: the converter itself stops at the first."""

from collections.abc import Iterator, Sequence

import coremltools as ct
import torch
from coremltools.converters.mil.frontend.torch.converter import TorchConverter
from coremltools.converters.mil.frontend.torch.utils import sanitize_op_kind
from torch.export import ExportedProgram

from coreml_gate.conversion.graph_names import exported_name, module_path, readable
from coreml_gate.conversion.replacements import REPLACEMENTS
from coreml_gate.conversion.support import is_convertible
from coreml_gate.record import MissingOperation
from coreml_gate.wording import counted

_SHOWN_MODULES = 3

_OTHER_WAYS_OUT = {
    "upsample_bicubic2d": (
        "the coremltools release after 9.0 has it (apple/coremltools#2818); until then resize bilinearly"
    ),
    "linalg_solve": "multiply by the inverse, made in `__init__` or written out for a small matrix",
}


def missing_operations(
    model: ExportedProgram | torch.jit.ScriptModule, inputs: Sequence[ct.TensorType] = ()
) -> tuple[MissingOperation, ...]:
    """Which operations does coremltools have no working converter for, how often, and in which modules?

    One that is registered and calls a MIL operation that does not exist counts as well. The names are
    coremltools' own, after its sanitising. Empty when nothing is missing, and also when it is unknown. A
    TorchScript graph is only readable with its ``inputs``.
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


def missing_hint(missing: Sequence[MissingOperation]) -> str:
    """The ways out: what is known for the operation, then what works for every one."""
    ways = {item.operation: _way_out(item.operation) for item in missing}
    known = [f"`{operation}`: {way}" for operation, way in ways.items() if way]
    general = (
        "write the operation with others, or register a converter with "
        "`coremltools.converters.mil.register_torch_op` in the source's file"
    )
    return "; ".join([*known, general]) + "."


def _way_out(operation: str) -> str:
    """Also of one with an overload's suffix, as ``median.dim``; empty where none is known."""
    names = (operation, operation.partition(".")[0])
    code = next((REPLACEMENTS[name] for name in names if name in REPLACEMENTS), None)
    if code is not None:
        return f"write `{code}`"
    return next((_OTHER_WAYS_OUT[name] for name in names if name in _OTHER_WAYS_OUT), "")


def _missing_in_program(program: ExportedProgram) -> Iterator[tuple[str, str]]:
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        kind = sanitize_op_kind(exported_name(node.target))
        if not is_convertible(kind):
            yield kind, module_path(node)


def _missing_in(script: torch.jit.ScriptModule, inputs: Sequence[ct.TensorType]) -> Iterator[tuple[str, str]]:
    try:
        graph = TorchConverter(script, list(inputs), opset_version=ct.target.iOS18).graph
    except Exception:  # noqa: BLE001 - the converter itself will say what is wrong with the graph
        return
    yield from _missing_in_block(graph)


def _missing_in_block(block: object) -> Iterator[tuple[str, str]]:
    for node in getattr(block, "nodes", ()):
        if not is_convertible(node.kind):
            names = node.get_scope_info()[0][:-1]
            yield node.kind, readable(".".join(names))
        for inner in node.blocks:
            yield from _missing_in_block(inner)
