"""Names of the parts of a captured graph, and their places in the source."""

import torch

from coreml_gate.engines.places import Frame, exported_frames
from coreml_gate.untyped import TorchObject


def exported_name(target: object) -> str:
    """The name that coremltools looks up: ``aten::add.Tensor``, or a Python function's."""
    if isinstance(target, torch._ops.OpOverload):  # noqa: SLF001 - torch names its type nowhere else
        return str(target.name())  # type: ignore[no-untyped-call]
    return str(getattr(target, "__name__", target))


def short_name(kind: str) -> str:
    """``sub`` for ``aten::sub.Tensor``, ``conv_transpose2d`` for ``conv_transpose2d.input``."""
    return kind.rpartition("::")[2].partition(".")[0]


def frames_of(node: TorchObject) -> list[Frame]:
    """The calls around a node of an exported program, innermost first."""
    return exported_frames((node.meta or {}).get("stack_trace", ""))


def module_path(node: torch.fx.Node) -> str:
    """The innermost module of a node, such as ``layers.0.attn``; empty for the model itself."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [str(entry[0]) for entry in stack.values()]
    return readable(paths[-1]) if paths else ""


def script_module(node: TorchObject) -> str:
    """The same for a node of a traced graph."""
    return readable(node.scopeName().rpartition("/")[2].removeprefix("__module.").removeprefix("__module"))


def readable(path: str) -> str:
    """A module's path without the prefixes of torch.export and our wrapper."""
    path = path.removeprefix("L['self'].").removeprefix("L['self']")
    return path.removeprefix("wrapped.").removesuffix("wrapped")
