"""Finds where the converter stopped, from the frames of its exception: the torch operation, or the pass."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

import torch
from coremltools.converters.mil.frontend.torch.internal_graph import InternalTorchIRNode
from coremltools.converters.mil.mil import Operation

from coreml_gate.conversion.capture import Captured
from coreml_gate.conversion.graph_names import exported_name, frames_of, module_path, readable, short_name
from coreml_gate.conversion.mapping import script_lines
from coreml_gate.conversion.origins import Places
from coreml_gate.engines.places import own_place
from coreml_gate.record import RefusedOperation

_PASSES: Final = "apply_pipeline"
"""The function of coremltools that runs one pass after another."""


def refused_operation(error: BaseException, captured: Captured, root: Path) -> RefusedOperation | None:
    """The operation that the converter was processing; ``None`` if there was none.

    For an optimisation pass, it is the pass with the operation that it was changing; for the writer of a
    program, the line of the operation that it was writing.
    """
    frames = list(_frames(error))
    lines = script_lines(captured.model, root)
    node = next(filter(None, map(_node_of, reversed(frames))), None)
    if node is None:
        return _refused_by_pass(frames, Places(root, "", lines))
    if isinstance(node, torch.fx.Node):
        kind, module = exported_name(node.target), module_path(node)
    else:
        kind, module = node.kind, _module(node)
    place = own_place(frames_of(node), root) if node.meta else _line_of(node, lines)
    return RefusedOperation(operation=short_name(kind), module=module, place=place)


def _refused_by_pass(frames: Sequence[FrameType], places: Places) -> RefusedOperation | None:
    names = [frame.f_locals.get("pass_name") for frame in frames if frame.f_code.co_name == _PASSES]
    operation = next(filter(None, map(_operation_of, reversed(frames))), None)
    place = places.of(getattr(operation, "scopes", {})).place
    if not names and not place:
        return None
    return RefusedOperation(optimisation_pass=str(names[-1]) if names else "", place=place)


def _frames(error: BaseException) -> Iterator[FrameType]:
    """The frames of an exception, outermost first."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _node_of(frame: FrameType) -> Any:  # noqa: ANN401  # coremltools' own types, or torch's
    value = frame.f_locals.get("node")
    is_call = isinstance(value, torch.fx.Node) and value.op == "call_function"
    return value if is_call or isinstance(value, InternalTorchIRNode) else None


def _operation_of(frame: FrameType) -> Operation | None:
    return next((value for value in frame.f_locals.values() if isinstance(value, Operation)), None)


def _module(node: InternalTorchIRNode) -> str:
    if "nn_module_stack" in (node.meta or {}):
        return module_path(node)
    return readable(".".join(node.get_scope_info()[0][:-1]))


def _line_of(node: InternalTorchIRNode, lines: Mapping[str, str]) -> str:
    return next((lines[name] for name in (node.name, *node.outputs) if name in lines), "")
