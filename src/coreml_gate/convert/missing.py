"""All torch operations that have no converter, at once: the converter itself stops at the first."""

from collections.abc import Iterator, Sequence

import coremltools as ct
import torch
from coremltools.converters.mil.frontend.torch.converter import TorchConverter
from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY
from coremltools.converters.mil.frontend.torch.utils import sanitize_op_kind
from torch.export import ExportedProgram

from coreml_gate.record import MissingOperation

_SHOWN_MODULES = 3

_WAYS_OUT = {
    "upsample_bicubic2d": (
        "the coremltools release after 9.0 has it (apple/coremltools#2818); until then resize bilinearly"
    ),
    "diff": "write `x[..., 1:] - x[..., :-1]`",
    "fmod": "write `torch.remainder(x, y)` where x and y have the same sign",
    "new_ones": "write `torch.ones(...)`",
    "lstm.input": 'use `conversion = "trace"`, which keeps the layer whole',
    "gru.input": 'use `conversion = "trace"`, which keeps the layer whole',
}


def missing_operations(
    model: ExportedProgram | torch.jit.ScriptModule, inputs: Sequence[ct.TensorType] = ()
) -> tuple[MissingOperation, ...]:
    """Which operations does coremltools have no converter for, how often, and in which modules?

    The names are coremltools' own, after its sanitising. Empty when nothing is missing, and also when it
    cannot be told. A TorchScript graph is only readable with its ``inputs``.
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
    lines = [f"coremltools {ct.__version__} has no converter for {len(missing)} torch operation(s):"]
    for item in missing:
        where = f" in {', '.join(f'`{module}`' for module in item.modules)}" if item.modules else ""
        lines.append(f"`{item.operation}`, {item.count} time(s){where}")
    return "\n".join(lines)


def missing_hint(missing: Sequence[MissingOperation]) -> str:
    """The ways out: what is known for the operation, then what works for every one."""
    ways = {item.operation: _WAYS_OUT.get(_without_suffix(item.operation)) for item in missing}
    known = [f"`{operation}`: {way}" for operation, way in ways.items() if way is not None]
    general = (
        'write the operation with others, take the other route (`conversion = "export"` or `"trace"`), or '
        "register a converter with `coremltools.converters.mil.register_torch_op` in the source's file"
    )
    return "; ".join([*known, general]) + "."


def _without_suffix(operation: str) -> str:
    return operation if operation in _WAYS_OUT else operation.partition(".")[0]


def _missing_in_program(program: ExportedProgram) -> Iterator[tuple[str, str]]:
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        kind = sanitize_op_kind(_target_name(node.target))
        if kind not in _TORCH_OPS_REGISTRY.name_to_func_mapping:
            yield kind, _module_path(node)


def _target_name(target: object) -> str:
    """The name that coremltools looks up: ``aten::add.Tensor``, or a Python function's."""
    if isinstance(target, torch._ops.OpOverload):  # noqa: SLF001 - torch names its type nowhere else
        return str(target.name())  # type: ignore[no-untyped-call]
    return str(getattr(target, "__name__", target))


def _module_path(node: torch.fx.Node) -> str:
    """The innermost module that the node comes from, as ``layers.0.attn``; empty for the model itself."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [str(entry[0]) for entry in stack.values()]
    return _readable(paths[-1]) if paths else ""


def _readable(path: str) -> str:
    path = path.removeprefix("L['self'].").removeprefix("L['self']")
    return path.removeprefix("wrapped.").removesuffix("wrapped")


def _missing_in(script: torch.jit.ScriptModule, inputs: Sequence[ct.TensorType]) -> Iterator[tuple[str, str]]:
    try:
        graph = TorchConverter(script, list(inputs), opset_version=ct.target.iOS18).graph
    except Exception:  # noqa: BLE001 - the converter itself will say what is wrong with the graph
        return
    yield from _missing_in_block(graph)


def _missing_in_block(block: object) -> Iterator[tuple[str, str]]:
    for node in getattr(block, "nodes", ()):
        if _TORCH_OPS_REGISTRY.get_func(node.kind) is None:
            names = node.get_scope_info()[0][:-1]
            yield node.kind, _readable(".".join(names))
        for inner in node.blocks:
            yield from _missing_in_block(inner)
