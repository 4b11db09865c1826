"""What a variable of a script holds: its value as an expression that can be written down elsewhere."""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

Function = ast.FunctionDef | ast.AsyncFunctionDef
_RETURN_THE_MODULE: Final = {"eval", "train", "cpu", "float", "to", "requires_grad_", "cuda", "half"}
"""Methods of a module that return it."""
_HOLD_THE_MODULE: Final = {"script", "compile"}
_DEEPEST: Final = 12
_PARSER: Final = "add_argument"


@dataclass(frozen=True)
class Scope:
    """A function of a file, or the code at its top."""

    tree: ast.Module
    function: Function | None = None

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Everything that runs in it, in the order of lines."""
        if self.function is not None:
            return tuple(ast.walk(self.function))
        return tuple(_outside_functions(self.tree))

    def calls(self) -> Iterator[ast.Call]:
        """Its calls, in the order of lines."""
        calls = (node for node in self.nodes if isinstance(node, ast.Call))
        return iter(sorted(calls, key=lambda call: (call.lineno, call.col_offset)))

    @property
    def parameters(self) -> tuple[str, ...]:
        """All parameters of the function."""
        function = self.function
        if function is None:
            return ()
        return tuple(each.arg for each in (*positional(function), *function.args.kwonlyargs))

    def value(self, node: ast.expr, line: int = 10**9, depth: int = 0) -> ast.expr:
        """The expression with its variables replaced by what was last assigned to them before ``line``."""
        if depth > _DEEPEST:
            return node
        if isinstance(node, ast.Name):
            found = self._assigned(node.id, line)
            return node if found is None else self.value(found.value, found.lineno, depth + 1)  # type: ignore[arg-type]
        if isinstance(node, ast.Attribute) and (default := self._default(node)) is not None:
            return default
        if isinstance(node, ast.Call):
            return self._of_call(node, line, depth)
        if isinstance(node, ast.Tuple | ast.List):
            return type(node)([self.value(each, line, depth + 1) for each in node.elts], ast.Load())
        return node

    def _of_call(self, node: ast.Call, line: int, depth: int) -> ast.expr:
        if isinstance(node.func, ast.Attribute) and node.func.attr in _RETURN_THE_MODULE:
            return self.value(node.func.value, line, depth + 1)
        if last_name(node.func) in _HOLD_THE_MODULE and node.args:
            return self.value(node.args[0], line, depth + 1)
        args = [self.value(each, line, depth + 1) for each in node.args]
        keywords = [ast.keyword(each.arg, self.value(each.value, line, depth + 1)) for each in node.keywords]
        return ast.copy_location(ast.Call(node.func, args, keywords), node)

    def _assigned(self, name: str, line: int) -> ast.Assign | ast.AnnAssign | None:
        """The last assignment before the line, in the function or else at the top of the file."""
        own = [each for each in _assignments(self.nodes, name) if each.lineno < line]
        if own:
            return max(own, key=lambda each: each.lineno)
        if name in self.parameters or self.function is None:
            return None
        return next(iter(_assignments(Scope(self.tree).nodes, name)), None)

    def number(self, node: ast.expr | None) -> float | None:
        """The number that an expression of literals, constants and defaults has; ``None`` if unknown."""
        if node is None:
            return None
        value = self.value(node)
        if isinstance(value, ast.Name):
            value = _default_of(self.function, value.id) or value
        if isinstance(value, ast.Constant) and type(value.value) in {int, float}:
            return value.value  # type: ignore[return-value]
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
            inner = self.number(value.operand)
            return None if inner is None else -inner
        if isinstance(value, ast.BinOp):
            return _computed(value.op, self.number(value.left), self.number(value.right))
        return None

    def _default(self, node: ast.Attribute) -> ast.expr | None:
        """The default of ``args.size``, if a parser of the file has one."""
        for call in _parser_calls(self.tree):
            if option_name(call) == node.attr and isinstance(node.value, ast.Name):
                return next((each.value for each in call.keywords if each.arg == "default"), None)
        return None


def required_options(tree: ast.Module) -> tuple[str, ...]:
    """The options and arguments without which the file's parser of a command line ends."""
    return tuple(
        option_name(call) for call in _parser_calls(tree) if _is_positional(call) or _has(call, "required")
    )


def option_name(call: ast.Call) -> str:
    """``size`` of ``add_argument("--size")``."""
    names = [str(each.value) for each in call.args if isinstance(each, ast.Constant)]
    name = next((each for each in names if each.startswith("--")), names[0] if names else "")
    return name.lstrip("-").replace("-", "_")


def _is_positional(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    named = isinstance(first, ast.Constant) and str(first.value).startswith("-")
    return not named and not _has(call, "default") and not _has(call, "nargs")


def _has(call: ast.Call, keyword: str) -> bool:
    return any(
        each.arg == keyword and not (isinstance(each.value, ast.Constant) and each.value.value is False)
        for each in call.keywords
    )


def _parser_calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (call for call in calls_in(tree) if last_name(call.func) == _PARSER)


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function | ast.ClassDef | ast.Lambda):
            yield child
            yield from _outside_functions(child)


def _assignments(nodes: tuple[ast.AST, ...], name: str) -> Iterator[ast.Assign | ast.AnnAssign]:
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        is_one = isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        if is_one and any(isinstance(each, ast.Name) and each.id == name for each in targets):
            yield node  # type: ignore[misc]


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    """The calls in a tree, those of its functions included, outer ones first."""
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def positional(function: Function) -> list[ast.arg]:
    """The parameters that a call can give by their place."""
    return [*function.args.posonlyargs, *function.args.args]


def _default_of(function: Function | None, name: str) -> ast.expr | None:
    if function is None:
        return None
    named, defaults = positional(function), function.args.defaults
    pairs = [*zip(named[len(named) - len(defaults) :], defaults, strict=True)]
    pairs += [
        (each, value)
        for each, value in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if value is not None
    ]
    return next((value for each, value in pairs if each.arg == name), None)


_OPERATORS: Final[Mapping[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


def _computed(sign: ast.operator, left: float | None, right: float | None) -> float | None:
    compute = _OPERATORS.get(type(sign))
    if compute is None or left is None or right is None:
        return None
    try:
        return compute(left, right)
    except (ArithmeticError, ValueError):
        return None


def last_name(node: ast.expr | None) -> str:
    """``Conv2d`` of ``torch.nn.Conv2d``; empty for other nodes than names."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def root_name(node: ast.expr) -> str:
    """``torch`` of ``torch.nn.Conv2d``; empty for other nodes than names."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def names_in(node: ast.expr) -> frozenset[str] | None:
    """The names that an expression of calls and literals needs; ``None`` for any other expression."""
    if isinstance(node, ast.Constant):
        return frozenset()
    if isinstance(node, ast.Name):
        return frozenset({node.id})
    parts: list[ast.expr] = []
    if isinstance(node, ast.Call):
        if any(each.arg is None for each in node.keywords):
            return None
        parts = [node.func, *node.args, *(each.value for each in node.keywords)]
    elif isinstance(node, ast.Attribute):
        parts = [node.value]
    elif isinstance(node, ast.Tuple | ast.List):
        parts = node.elts
    elif isinstance(node, ast.UnaryOp):
        parts = [node.operand]
    elif isinstance(node, ast.BinOp):
        parts = [node.left, node.right]
    else:
        return None
    found = [names_in(each) for each in parts]
    return None if None in found else frozenset().union(*(each for each in found if each is not None))
