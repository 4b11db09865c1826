"""Where did the converter stop? Read off the frames of its exception: the torch operation, or the pass."""

from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import torch
from coremltools.converters.mil.frontend.torch.internal_graph import InternalTorchIRNode
from coremltools.converters.mil.mil import Operation

from coreml_gate.conversion.capture import Captured
from coreml_gate.conversion.graph_names import exported_name, module_path, readable
from coreml_gate.conversion.mapping import script_lines
from coreml_gate.conversion.origins import Places
from coreml_gate.engines.places import exported_frames, own_place
from coreml_gate.record import RefusedOperation

_PASSES: Final = "apply_pipeline"
"""The function of coremltools that runs one pass after another."""


def refused_operation(error: BaseException, captured: Captured, root: Path) -> RefusedOperation | None:
    """The operation that the converter was at; ``None`` where it was at none.

    An optimisation pass is named with the operation that it was changing, and the writer of a program by the
    line of the operation that it was writing.
    """
    frames = list(_frames(error))
    node = next(filter(None, map(_node_of, reversed(frames))), None)
    lines = script_lines(captured.model, root)
    if isinstance(node, torch.fx.Node):
        kind = exported_name(node.target)
        place = own_place(exported_frames(node.meta.get("stack_trace", "")), root)
        return RefusedOperation(operation=_plain(kind), module=module_path(node), place=place)
    if isinstance(node, InternalTorchIRNode):
        return RefusedOperation(
            operation=_plain(node.kind), module=_module(node), place=_place(node, lines, root)
        )
    names = [frame.f_locals.get("pass_name") for frame in frames if frame.f_code.co_name == _PASSES]
    operation = next(filter(None, map(_operation_of, reversed(frames))), None)
    place = Places(root, "", lines).of(getattr(operation, "scopes", {})).place
    return (
        RefusedOperation(optimisation_pass=str(names[-1]) if names else "", place=place)
        if names or place
        else None
    )


def _frames(error: BaseException) -> Iterator[FrameType]:
    """Outermost first."""
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


def _plain(kind: str) -> str:
    """``cumsum`` for ``aten::cumsum`` and ``conv_transpose2d`` for ``conv_transpose2d.input``."""
    return kind.rpartition("::")[2].partition(".")[0]


def _module(node: InternalTorchIRNode) -> str:
    meta = node.meta or {}
    if "nn_module_stack" in meta:
        paths = [str(entry[0]) for entry in meta["nn_module_stack"].values()]
        return readable(paths[-1]) if paths else ""
    return readable(".".join(node.get_scope_info()[0][:-1]))


def _place(node: InternalTorchIRNode, lines: dict[str, str], root: Path) -> str:
    if node.meta:
        return own_place(exported_frames(node.meta.get("stack_trace", "")), root)
    return next((lines[name] for name in (node.name, *node.outputs) if name in lines), "")
