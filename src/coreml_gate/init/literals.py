"""Shapes and names that code writes down as literals: what an example input looks like without running it."""

import ast
from collections.abc import Iterator
from typing import Final

from coreml_gate.init.found import Dtype, Example, InputShape

_DRAWN: Final = {"rand", "randn", "zeros", "ones", "randint", "full", "empty"}
_INTEGERS: Final = {"int", "int32", "int64", "long"}
_GUESSED_LENGTH: Final = 16
_GUESSED_SIDE: Final = 224
_CONVOLUTION_AXES: Final = {"Conv1d": 1, "Conv2d": 2, "Conv3d": 3}
_SEQUENCE_LAYERS: Final = {"LSTM", "GRU", "RNN"}


def called(node: ast.expr) -> str:
    """The last name of what a call calls: ``Conv2d`` of ``torch.nn.Conv2d(3, 8)``; empty for other nodes."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def text_of(node: ast.expr | None) -> str:
    """A literal text, or nothing."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument."""
    return next((each.value for each in call.keywords if each.arg == name), None)


def tensor_inputs(call: ast.Call) -> tuple[InputShape, ...]:
    """The inputs of a ``coremltools.convert`` call whose shapes are literals; none where one is computed."""
    given = keyword(call, "inputs")
    items = given.elts if isinstance(given, ast.List | ast.Tuple) else []
    inputs = [_tensor_type(item) for item in items if isinstance(item, ast.Call)]
    known = tuple(each for each in inputs if each is not None)
    return known if len(known) == len(items) else ()


def drawn_example(node: ast.expr) -> InputShape | None:
    """The shape of ``torch.randn(1, 3, 32, 32)`` and its like; ``None`` where it is computed."""
    if not isinstance(node, ast.Call) or called(node) not in _DRAWN:
        return None
    is_integer = called(node) == "randint" or _is_integer(keyword(node, "dtype"))
    arguments = [*node.args, *filter(None, [keyword(node, "size")])]
    tuples = [each for each in arguments if isinstance(each, ast.Tuple | ast.List)]
    shape = _numbers(tuples[0].elts if tuples else arguments)
    return InputShape(shape, "int32" if is_integer else "float32") if shape else None


def examples_in(tree: ast.AST) -> Iterator[Example]:
    """Example inputs: drawn tensors that have a name, as ``example = torch.randn(1, 3, 32, 32)``."""
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        items = value.elts if isinstance(value, ast.Tuple) else [value] if value is not None else []
        inputs = tuple(each for item in items if (each := drawn_example(item)) is not None)
        if value is not None and inputs and len(inputs) == len(items):
            yield Example(inputs, value.lineno)


def first_layer(body: ast.AST) -> Example | None:
    """A shape that the first layer with literal sizes takes: a guess, which a run proves or refuses."""
    calls = [node for node in ast.walk(body) if isinstance(node, ast.Call) and node.args]
    for call in sorted(calls, key=lambda node: node.lineno):
        sizes = _numbers(call.args[:1])
        if sizes and (guess := _taken_by(called(call), sizes[0])) is not None:
            return Example((guess,), call.lineno)
    return None


def _taken_by(layer: str, size: int) -> InputShape | None:
    if layer in _CONVOLUTION_AXES:
        return InputShape((1, size, *([_GUESSED_SIDE] * _CONVOLUTION_AXES[layer])))
    if layer in _SEQUENCE_LAYERS:
        return InputShape((1, _GUESSED_LENGTH, size))
    if layer == "Linear":
        return InputShape((1, size))
    return InputShape((1, _GUESSED_LENGTH), "int32") if layer == "Embedding" else None


def _tensor_type(call: ast.Call) -> InputShape | None:
    shape = keyword(call, "shape") or next(iter(call.args), None)
    if isinstance(shape, ast.Call):
        return None
    items = shape.elts if isinstance(shape, ast.Tuple | ast.List) else []
    numbers = _numbers(items)
    dtype: Dtype = "int32" if _is_integer(keyword(call, "dtype")) else "float32"
    return InputShape(numbers, dtype, text_of(keyword(call, "name"))) if numbers else None


def _is_integer(dtype: ast.expr | None) -> bool:
    name = dtype.attr if isinstance(dtype, ast.Attribute) else getattr(dtype, "id", "")
    return name in _INTEGERS


def _numbers(items: list[ast.expr]) -> tuple[int, ...]:
    """The items as positive integers, or nothing where one of them is not a literal one."""
    numbers = tuple(
        item.value
        for item in items
        if isinstance(item, ast.Constant) and type(item.value) is int and item.value > 0
    )
    return numbers if len(numbers) == len(items) else ()
