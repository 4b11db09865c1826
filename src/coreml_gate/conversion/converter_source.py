"""Finds the arguments of a torch operation that the converter reads, from the converter's own source.

A converter function reads its arguments by position (``inputs = _get_inputs(context, node)``), and ATen's
keyword-only ones by name. Whatever cannot be followed counts as read.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY

_DEPTH: Final = 3
"""How far calls that pass the node on are followed."""
_GIVER: Final = "_get_inputs"


@cache
def read_keywords(kind: str) -> frozenset[str] | None:
    """The strings in the converter function of a kind (``aten::sub.Tensor``); ``None`` without a source."""
    function = _TORCH_OPS_REGISTRY.get_func(kind)
    return None if function is None else _strings(function, _DEPTH)


@cache
def unread_positions(kind: str, count: int) -> frozenset[int]:
    """Those of the first ``count`` arguments that the converter never reads."""
    function = _TORCH_OPS_REGISTRY.get_func(kind)
    tree = None if function is None else _tree(function)
    if function is None or tree is None or any(_passed_on(tree, function)):
        return frozenset()
    givers = [node for node in ast.walk(tree) if _is_giver(node)]
    if not givers or any(
        isinstance(node, ast.Attribute) and node.attr == "inputs" for node in ast.walk(tree)
    ):
        return frozenset()
    read = _Positions(tree, count).read
    return frozenset(range(count)) - read


def _tree(function: Callable[..., Any]) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None


@cache
def _strings(function: Callable[..., Any], depth: int) -> frozenset[str] | None:
    tree = _tree(function)
    if tree is None:
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
    """Functions of the same module that receive the node and may read any of its arguments."""
    names = getattr(inspect.unwrap(function), "__globals__", {})
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            callee = names.get(call.func.id)
            given = any(isinstance(item, ast.Name) and item.id == "node" for item in call.args)
            if given and inspect.isfunction(callee) and call.func.id not in {_GIVER, "_get_kwinputs"}:
                yield callee


def _is_giver(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == _GIVER


class _Positions:
    """Follows the list of arguments, and the variables that hold its elements, through one function."""

    def __init__(self, tree: ast.AST, count: int) -> None:
        self.count = count
        self.read: set[int] = set()
        self._lists: set[str] = set()
        self._names: dict[str, set[int]] = {}
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if _is_giver(node):
                self._given(node)
        loads = [
            node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        ]
        for node in loads:
            if node.id in self._lists:
                self._given(node)
        for node in loads:
            if not self._is_handed_back(node):
                self.read |= self._names.get(node.id, set())

    def _given(self, node: ast.AST) -> None:
        """Follow the whole list: into variables, to one of its elements, or somewhere unknown."""
        parent = self._parents[node]
        if isinstance(parent, ast.Assign) and parent.value is node:
            self._assigned(parent.targets[0])
        elif isinstance(parent, ast.Subscript) and isinstance(parent.slice, ast.Constant):
            self._element(parent, int(str(parent.slice.value)))
        elif not (isinstance(parent, ast.Call) and getattr(parent.func, "id", "") == "len"):
            self.read |= set(range(self.count))

    def _assigned(self, target: ast.AST) -> None:
        if isinstance(target, ast.Name):
            self._lists.add(target.id)
        elif isinstance(target, ast.Tuple) and all(isinstance(item, ast.Name) for item in target.elts):
            for position, item in enumerate(target.elts):
                self._names.setdefault(item.id, set()).add(position)  # type: ignore[attr-defined]  # all are names
        else:
            self.read |= set(range(self.count))

    def _element(self, element: ast.AST, position: int) -> None:
        """Follow one element; if it is only assigned to a variable, it is read where the variable is."""
        node, parent = element, self._parents[element]
        while _hands_on(node, parent):
            node, parent = parent, self._parents[parent]
        if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
            self._names.setdefault(parent.targets[0].id, set()).add(position)
        else:
            self.read.add(position)

    def _is_handed_back(self, name: ast.AST) -> bool:
        """Whether it is one of several results of an inner function, which the outer one unpacks."""
        parent = self._parents[name]
        return isinstance(parent, ast.Tuple) and isinstance(self._parents[parent], ast.Return)


def _hands_on(node: ast.AST, parent: ast.AST) -> bool:
    """Whether it is still the element, such as ``inputs[2].val`` or ``inputs[2] if ... else 20``."""
    if isinstance(parent, ast.IfExp):
        return node is not parent.test
    if isinstance(parent, ast.Call):
        return getattr(parent.func, "id", "") in {"float", "int", "bool"}
    return isinstance(parent, ast.Attribute)
