"""Turns a captured graph into frozen values, for code that must not import torch."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch
from torch.export import ExportedProgram

from coreml_gate.conversion.graph_names import exported_name, frames_of, module_path, script_module
from coreml_gate.conversion.support import support_of
from coreml_gate.conversion.unread import Call, exported_call, script_call
from coreml_gate.engines.places import own_lines, traced_frames
from coreml_gate.torch_graph import Constant, Scalar, TorchCall, TorchGraph
from coreml_gate.untyped import TorchObject

_SCRIPT_TENSOR: TorchObject = torch._C.TensorType  # noqa: SLF001 - torch names them nowhere else
_SCRIPT_VALUE: TorchObject = torch._C.Value  # noqa: SLF001 - as above
_LIST = "prim::ListConstruct"
_SCALARS = (bool, int, float, str)
_MOST_LISTED = 16
_NOWHERE: Final = ("", None)


def graph_of(
    model: ExportedProgram | torch.jit.ScriptModule,
    root: Path,
    missing: Iterable[str] = (),
    frozen_places: Mapping[str, str] = MappingProxyType({}),
    filled_states: Iterable[str] = (),
) -> TorchGraph:
    """All operations of a graph, with the lines below ``root`` that call them.

    ``missing`` are the kinds that coremltools cannot convert, from ``missing_operations``, because a traced
    graph is rewritten before it is converted.
    """
    kinds = frozenset(missing)
    if isinstance(model, ExportedProgram):
        calls, outputs = tuple(_exported_calls(model, root, kinds)), tuple(_exported_outputs(model))
    else:
        graph = model.inlined_graph
        calls = tuple(_script_calls(graph, root, kinds))
        outputs = tuple(value.debugName() for value in graph.outputs())
    return TorchGraph(
        route="export" if isinstance(model, ExportedProgram) else "trace",
        calls=calls,
        outputs=outputs,
        frozen_places=dict(frozen_places),
        filled_states=tuple(filled_states),
    )


def _exported_calls(program: ExportedProgram, root: Path, missing: frozenset[str]) -> Iterator[TorchCall]:
    for node in program.graph.nodes:
        if node.op == "call_function":
            yield _exported_call(node, root, missing)


def _exported_call(node: torch.fx.Node, root: Path, missing: frozenset[str]) -> TorchCall:
    target = exported_name(node.target)
    operation, _, overload = target.partition(".")
    file, line = next(own_lines(frames_of(node), root), _NOWHERE)
    value = node.meta.get("val")
    arguments = dict(_named_arguments(node))
    return TorchCall(
        name=node.name,
        operation=operation,
        overload=overload,
        inputs={name: item.name for name, item in arguments.items() if isinstance(item, torch.fx.Node)},
        parameters=tuple(arguments),
        constants=_constants(arguments),
        dtype=_dtype(getattr(value, "dtype", None)),
        shape=_shape(getattr(value, "shape", None)),
        module=module_path(node),
        file=file,
        line=line,
        support=support_of(target, missing),
        unread=_unread(exported_call(node)),
    )


def _exported_outputs(program: ExportedProgram) -> list[str]:
    return [name for name in program.graph_signature.user_outputs if isinstance(name, str)]


def _named_arguments(node: torch.fx.Node) -> Iterator[tuple[str, TorchObject]]:
    schema = getattr(node.target, "_schema", None)
    names = [argument.name for argument in schema.arguments] if schema is not None else []
    for position, value in enumerate(node.args):
        yield (names[position] if position < len(names) else str(position)), value
    yield from node.kwargs.items()


def _script_calls(graph: TorchObject, root: Path, missing: frozenset[str]) -> Iterator[TorchCall]:
    for node in graph.nodes():
        if not node.kind().startswith("prim::") or support_of(node.kind(), missing) == "missing":
            yield _script_call(node, root, missing)
        for block in node.blocks():
            yield from _script_calls(block, root, missing)


def _script_call(node: TorchObject, root: Path, missing: frozenset[str]) -> TorchCall:
    arguments = dict(_script_arguments(node))
    output = next(iter(node.outputs()), None)
    kind: TorchObject = None if output is None else output.type()
    is_tensor = isinstance(kind, _SCRIPT_TENSOR)
    file, line = next(own_lines(traced_frames(node.sourceRange()), root), _NOWHERE)
    return TorchCall(
        name="" if output is None else output.debugName(),
        operation=node.kind(),
        inputs={key: item.debugName() for key, item in arguments.items() if isinstance(item, _SCRIPT_VALUE)},
        parameters=tuple(arguments),
        constants=_constants(arguments),
        dtype=_dtype(kind.dtype()) if is_tensor else "",
        shape=_shape(kind.sizes()) if is_tensor else None,
        module=script_module(node),
        file=file,
        line=line,
        support=support_of(node.kind(), missing),
        unread=_unread(script_call(node)),
    )


def _script_arguments(node: TorchObject) -> Iterator[tuple[str, TorchObject]]:
    schema = node.schema()
    parameters = schema.partition("(")[2].rpartition(") ->")[0].split(", ") if "(" in schema else []
    names = [text.partition("=")[0].rpartition(" ")[2] for text in parameters if text != "*"]
    for position, value in enumerate(node.inputs()):
        name = names[position] if position < len(names) else str(position)
        source = value.node()
        if source.kind() == "prim::Constant":
            yield name, value.toIValue()
        elif source.kind() == _LIST:
            yield name, [item.toIValue() for item in source.inputs()]
        else:
            yield name, value


def _unread(call: Call | None) -> dict[str, str]:
    return {} if call is None else {name: str(value) for name, value in call.unread()}


def _constants(arguments: Mapping[str, TorchObject]) -> dict[str, Constant]:
    found = ((name, _constant(value)) for name, value in arguments.items())
    return {name: value for name, value in found if value is not None}


def _constant(value: object) -> Constant:
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, list | tuple) and len(value) <= _MOST_LISTED:
        scalars: list[Scalar] = [item for item in value if isinstance(item, _SCALARS)]
        return tuple(scalars) if scalars and len(scalars) == len(value) else None
    return None


def _dtype(dtype: object) -> str:
    return "" if dtype is None else str(dtype).removeprefix("torch.")


def _shape(sizes: Iterable[TorchObject] | None) -> tuple[int, ...] | None:
    """The shape, or unknown if any size is open."""
    known = None if sizes is None else list(sizes)
    if known is None or not all(isinstance(size, int) for size in known):
        return None
    return tuple(known)
