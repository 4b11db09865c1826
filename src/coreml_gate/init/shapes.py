"""Which inputs does the code of a model or a script show? Only what is written there; nothing is made up."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from coreml_gate.init.found import Dtype, Example, Image, InputShape
from coreml_gate.init.scope import Function, Scope, calls_in, last_name, positional

_DRAWN: Final = {"rand", "randn", "zeros", "ones", "randint", "full", "empty"}
_INTEGERS: Final = {"int", "int32", "int64", "long"}
_COLORS: Final = {"RGB", "BGR", "GRAYSCALE"}
_IMAGE: Final = "ImageType"
_GUESSED_LENGTH: Final = 16
_GUESSED_SIDE: Final = 224
_CONVOLUTION_AXES: Final = {"Conv1d": 1, "Conv2d": 2, "Conv3d": 3}
_SEQUENCE_LAYERS: Final = {"LSTM", "GRU", "RNN"}
_DEEPEST: Final = 6


def called(node: ast.AST) -> str:
    """The last name of a called object: ``Conv2d`` of ``torch.nn.Conv2d(3, 8)``; empty for other nodes."""
    return last_name(node.func) if isinstance(node, ast.Call) else ""


def text_of(node: ast.expr | None) -> str:
    """A literal string, or the empty string."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument."""
    return next((each.value for each in call.keywords if each.arg == name), None)


def declared_inputs(call: ast.Call, scope: Scope) -> tuple[InputShape, ...]:
    """The inputs of a ``coremltools.convert`` call; an unknown shape is empty."""
    given = keyword(call, "inputs")
    value = None if given is None else scope.value(given, call.lineno)
    items = value.elts if isinstance(value, ast.List | ast.Tuple) else []
    declared = (scope.value(item, call.lineno) for item in items)
    return tuple(_tensor_type(item, scope) for item in declared if isinstance(item, ast.Call))


def example_of(node: ast.expr, scope: Scope, line: int) -> Example | None:
    """Random tensors, alone, in a tuple or in a dict; ``None`` if the shape of one is unknown."""
    value = scope.value(node, line)
    if isinstance(value, ast.Dict):
        names = [text_of(key) for key in value.keys]
        parts = [_drawn(scope.value(each, line), scope) for each in value.values]
    else:
        items = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
        names, parts = [""] * len(items), [_drawn(each, scope) for each in items]
    if not parts or None in parts:
        return None
    known = [each for each in parts if each is not None]
    inputs = tuple(InputShape(each.shape, each.dtype, name) for each, name in zip(known, names, strict=True))
    return Example(inputs, line)


def examples_in(scope: Scope) -> Iterator[Example]:
    """Example inputs: random tensors with a name, such as ``example = torch.randn(1, 3, 32, 32)``."""
    for node in scope.nodes:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        found = None if value is None else example_of(value, scope, value.lineno)
        if found is not None:
            yield found


def _drawn(node: ast.expr, scope: Scope) -> InputShape | None:
    """The shape of ``torch.randn(1, 3, 32, 32)`` and similar calls; ``None`` if it is unknown."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_method(node.func):
        node = node.func.value
    if not isinstance(node, ast.Call) or called(node) not in _DRAWN:
        return None
    is_integer = called(node) == "randint" or _is_integer(keyword(node, "dtype"))
    arguments = [*node.args, *filter(None, [keyword(node, "size")])]
    tuples = [each for each in arguments if isinstance(each, ast.Tuple | ast.List)]
    shape = _numbers(tuples[0].elts if tuples else arguments, scope)
    return InputShape(shape, "int32" if is_integer else "float32") if shape else None


def _is_method(function: ast.Attribute) -> bool:
    return isinstance(function.value, ast.Call) and function.attr not in _DRAWN


def _tensor_type(call: ast.Call, scope: Scope) -> InputShape:
    shape = keyword(call, "shape") or next(iter(call.args), None)
    value = None if shape is None else scope.value(shape, call.lineno)
    if isinstance(value, ast.Attribute) and value.attr == "shape":
        example = example_of(value.value, scope, call.lineno)
        numbers = example.inputs[0].shape if example is not None else ()
    else:
        numbers = _numbers(value.elts if isinstance(value, ast.Tuple | ast.List) else [], scope)
    dtype: Dtype = "int32" if _is_integer(keyword(call, "dtype")) else "float32"
    image = _image(call, scope) if called(call) == _IMAGE else None
    return InputShape(numbers, dtype, text_of(keyword(call, "name")), image)


def _image(call: ast.Call, scope: Scope) -> Image:
    """How the package turns pixels into what the source takes; what is unknown is left out."""
    scale, bias = keyword(call, "scale"), keyword(call, "bias")
    color = last_name(keyword(call, "color_layout")) or "RGB"
    value = None if bias is None else scope.value(bias, call.lineno)
    items = value.elts if isinstance(value, ast.List | ast.Tuple) else [] if value is None else [value]
    numbers = [scope.number(each) for each in items]
    return Image(
        color=color if color in _COLORS else "",
        scale=1.0 if scale is None else scope.number(scale),
        bias=None if None in numbers else tuple(each for each in numbers if each is not None) or (0.0,),
    )


def _is_integer(dtype: ast.expr | None) -> bool:
    return last_name(dtype) in _INTEGERS


def _numbers(items: list[ast.expr], scope: Scope) -> tuple[int, ...]:
    """The items as positive integers; empty if one of them is unknown, or no positive integer."""
    numbers = [scope.number(item) for item in items]
    known = tuple(int(each) for each in numbers if each is not None and each == int(each) and each > 0)
    return known if len(known) == len(items) else ()


Helpers = Mapping[str, Function | ast.ClassDef]
"""The functions and classes of a file by their names."""


def first_layer(module: ast.ClassDef, helpers: Helpers) -> Example | None:
    """The shape that the layer takes to which ``forward`` gives its only input as it came.

    The layer's channels are known, its sides are a guess, which a run confirms or refutes. ``None`` where
    ``forward`` does something else first, or the layer's channels are computed.
    """
    methods = {each.name: each for each in module.body if isinstance(each, ast.FunctionDef)}
    begin, forward = methods.get("__init__"), methods.get("forward")
    if begin is None or forward is None or len(forward.args.args) < 2:  # noqa: PLR2004 - self and the input
        return None
    attribute = _first_taker(forward, forward.args.args[1].arg)
    made = next(_assigned_to(begin, attribute), None) if attribute else None
    return None if made is None else _taken_by(made, _Layers(helpers, begin, {}), 0)


def _first_taker(forward: ast.FunctionDef, name: str) -> str:
    """``stem`` of ``self.stem(x)``, if nothing else is done with the input; empty otherwise."""
    uses = [node for node in ast.walk(forward) if isinstance(node, ast.Name) and node.id == name]
    loads = sorted((use.lineno, use.col_offset) for use in uses if isinstance(use.ctx, ast.Load))
    for call in calls_in(forward):
        if isinstance(call.func, ast.Attribute) and call.args:
            given = call.args[0]
            is_own = isinstance(call.func.value, ast.Name) and call.func.value.id == "self"
            is_first = bool(loads) and (given.lineno, given.col_offset) == loads[0]
            if is_own and is_first and isinstance(given, ast.Name):
                return call.func.attr
    return ""


def _assigned_to(begin: ast.FunctionDef, attribute: str) -> Iterator[ast.Call]:
    for node in ast.walk(begin):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            names = [each.attr for each in node.targets if isinstance(each, ast.Attribute)]
            if attribute in names:
                yield node.value


@dataclass(frozen=True)
class _Layers:
    """The functions and classes that make layers, and the numbers that are known where they are called."""

    helpers: Helpers
    function: Function
    given: Mapping[str, int]

    def size(self, node: ast.expr) -> int | None:
        """A number of channels: a literal, a default, or what the caller gave."""
        if isinstance(node, ast.Name) and node.id in self.given:
            return self.given[node.id]
        found = Scope(ast.Module([], []), self.function).number(node)
        return int(found) if found is not None and found > 0 else None


def _taken_by(call: ast.Call, layers: _Layers, depth: int) -> Example | None:
    """What a layer takes: one of torch, the first of a sequence, or what a helper of the file makes."""
    name = called(call)
    if depth > _DEEPEST:
        return None
    if name == "Sequential":
        first = next(iter(call.args), None)
        return _taken_by(first, layers, depth + 1) if isinstance(first, ast.Call) else None
    helper = layers.helpers.get(name)
    if helper is not None:
        return _of_helper(helper, call, layers, depth)
    size = layers.size(call.args[0]) if call.args else None
    size = size if size is not None or not call.keywords else _named_size(call, layers)
    shape = None if size is None else _of_torch(name, size)
    axis = 1 if name in _CONVOLUTION_AXES else None if name == "Embedding" else -1
    return None if shape is None else Example((shape,), call.lineno, axis)


def _named_size(call: ast.Call, layers: _Layers) -> int | None:
    names = ("in_channels", "in_features", "input_size", "num_embeddings")
    value = next((found for name in names if (found := keyword(call, name)) is not None), None)
    return None if value is None else layers.size(value)


def _of_helper(
    helper: Function | ast.ClassDef, call: ast.Call, layers: _Layers, depth: int
) -> Example | None:
    """What a function returns, or the first layer of a class, with the arguments of the call."""
    body = [] if isinstance(helper, Function) else helper.body
    methods = [each for each in body if isinstance(each, ast.FunctionDef)]
    begin = next((each for each in methods if each.name == "__init__"), None)
    function = helper if isinstance(helper, Function) else begin
    if function is None:
        return None
    names = [each.arg for each in positional(function)]
    names = names if isinstance(helper, Function) else names[1:]
    pairs = [*zip(names, call.args, strict=False), *((each.arg or "", each.value) for each in call.keywords)]
    given = {name: size for name, node in pairs if (size := layers.size(node)) is not None}
    inside = _Layers(layers.helpers, function, given)
    made = _made_by(helper, function, methods)
    found = None if made is None else _taken_by(made, inside, depth + 1)
    return None if found is None else replace(found, line=call.lineno)


def _made_by(
    helper: Function | ast.ClassDef, function: Function, methods: list[ast.FunctionDef]
) -> ast.Call | None:
    if isinstance(helper, Function):
        values = [node.value for node in ast.walk(helper) if isinstance(node, ast.Return)]
        scope = Scope(ast.Module([], []), helper)
        value = scope.value(values[0]) if values and values[0] is not None else None
        return value if isinstance(value, ast.Call) else None
    forward = next((each for each in methods if each.name == "forward"), None)
    if forward is None:  # as a subclass of Sequential, whose layers its own constructor gets
        supers = (each for each in calls_in(function) if called(each) == "__init__")
        first = next((each.args[0] for each in supers if each.args), None)
        return first if isinstance(first, ast.Call) else None
    attribute = _first_taker(forward, forward.args.args[1].arg) if len(forward.args.args) > 1 else ""
    return next(_assigned_to(function, attribute), None) if attribute else None  # type: ignore[arg-type]


def _of_torch(layer: str, size: int) -> InputShape | None:
    if layer in _CONVOLUTION_AXES:
        return InputShape((1, size, *([_GUESSED_SIDE] * _CONVOLUTION_AXES[layer])))
    if layer in _SEQUENCE_LAYERS:
        return InputShape((1, _GUESSED_LENGTH, size))
    if layer == "Linear":
        return InputShape((1, size))
    return InputShape((1, _GUESSED_LENGTH), "int32") if layer == "Embedding" else None
