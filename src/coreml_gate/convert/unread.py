"""Keyword arguments of an exported graph that the converter never reads, by the converter's own source.

An exported node carries what ATen calls keyword-only (``alpha``, ``rounding_mode``, ``dtype``, ...) apart
from its inputs, and coremltools hands it to a converter function that may or may not ask for it.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY
from torch.export import ExportedProgram

from coreml_gate.convert.graph import exported_name, module_path
from coreml_gate.engines.python import relative_to_tree

_FRAME: Final = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_NO_MATTER: Final = frozenset(
    {"layout", "device", "pin_memory", "memory_format", "non_blocking", "generator", "requires_grad"}
)
"""Arguments about storage, which a package has no say in."""
_DEPTH: Final = 3
"""How far calls that pass the node on are followed."""


@dataclass(frozen=True)
class Unread:
    """One argument that decides the result and that the converter does not look at."""

    operation: str
    keyword: str
    value: str
    module: str
    place: str

    @property
    def cause(self) -> str:
        """What is wrong, without the place."""
        return f"the converter never reads `{self.keyword}` = {self.value} of `{self.operation}`"

    def __str__(self) -> str:
        where = ", ".join(filter(None, (f"module `{self.module}`" if self.module else "", self.place)))
        return self.cause + (f" ({where})" if where else "")


def unread_arguments(program: ExportedProgram, root: Path) -> Iterator[Unread]:
    """All of them, in the order of the graph; those left at their default do not count."""
    for node in program.graph.nodes:
        if node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload):  # noqa: SLF001  # named nowhere else
            kind = exported_name(node.target)
            read = read_keywords(kind)
            for keyword, value in node.kwargs.items():
                if read is not None and keyword not in read and _matters(node, keyword, value):
                    operation = kind.rpartition("::")[2].partition(".")[0]
                    yield Unread(operation, keyword, str(value), module_path(node), _place(node, root))


@cache
def read_keywords(kind: str) -> frozenset[str] | None:
    """The strings that the converter of ``aten::sub.Tensor`` mentions; ``None`` where it has no source."""
    function = _TORCH_OPS_REGISTRY.get_func(kind)
    return None if function is None else _strings(function, _DEPTH)


@cache
def _strings(function: Callable[..., Any], depth: int) -> frozenset[str] | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    found = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for callee in _passed_on(tree, function) if depth else ():
        found |= _strings(callee, depth - 1) or frozenset()
    return frozenset(found)


def _passed_on(tree: ast.AST, function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Functions of the same module that are given the node."""
    names = getattr(inspect.unwrap(function), "__globals__", {})
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            callee = names.get(call.func.id)
            given = any(isinstance(item, ast.Name) and item.id == "node" for item in call.args)
            if given and inspect.isfunction(callee):
                yield callee


def _matters(node: torch.fx.Node, keyword: str, value: object) -> bool:
    """Would the result be another without it?"""
    target: Any = node.target
    parameters = target._schema.arguments  # noqa: SLF001  # as above
    defaults = {item.name: item.default_value for item in parameters if item.has_default_value()}
    if keyword in _NO_MATTER or (keyword in defaults and defaults[keyword] == value):
        return False
    return _changes_kind(node, value) if isinstance(value, torch.dtype) else True


def _changes_kind(node: torch.fx.Node, dtype: torch.dtype) -> bool:
    """Does it make integers of fractions, or fractions of integers? Widths do not matter in float32."""
    tensors = [item.meta.get("val") for item in node.all_input_nodes]
    kinds = [item.is_floating_point() for item in tensors if isinstance(item, torch.Tensor)]
    if kinds:
        return kinds[0] != dtype.is_floating_point
    fractions = [item for item in node.args if isinstance(item, float) and not item.is_integer()]
    return bool(fractions) and not dtype.is_floating_point


def _place(node: torch.fx.Node, root: Path) -> str:
    frames = list(_FRAME.finditer(str(node.meta.get("stack_trace", ""))))[::-1]
    own = ((relative_to_tree(frame["file"], root), frame["line"]) for frame in frames)
    return next((f"{file}:{line}" for file, line in own if file is not None), "")
