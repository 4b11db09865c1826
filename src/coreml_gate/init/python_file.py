"""Finds models and conversions in the syntax tree of one Python file; nothing is imported."""

import ast
from collections.abc import Iterator
from typing import Final

from coreml_gate.init.found import (
    Builder,
    Construction,
    CoreMlExport,
    Dtype,
    Example,
    InputShape,
    Loader,
    ModuleClass,
    PythonFile,
)

_MODULE_BASES: Final = {"Module", "LightningModule", "ScriptModule"}
_CONVERTERS: Final = {"ct", "coremltools"}
SAMPLES: Final = "samples"
"""A function of this name is used as the configuration's ``samples``."""
_RETURN_THE_MODULE: Final = {"eval", "train", "cpu", "float", "to", "requires_grad_"}
"""Methods of a module that return it."""
_EXPORT_FORMATS: Final = {"coreml", "mlpackage"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_DRAWN: Final = {"rand", "randn", "zeros", "ones", "randint", "full", "empty"}
_INTEGERS: Final = {"int", "int32", "int64", "long"}
_GUESSED_LENGTH: Final = 16
_GUESSED_SIDE: Final = 224
_CONVOLUTION_AXES: Final = {"Conv1d": 1, "Conv2d": 2, "Conv3d": 3}
_SEQUENCE_LAYERS: Final = {"LSTM", "GRU", "RNN"}


def read_python(text: str, path: str) -> PythonFile:
    """Read a file's models and conversions; raises ``SyntaxError`` or ``ValueError`` if it does not parse."""
    tree = ast.parse(text)
    classes = tuple(_classes(tree))
    exports = tuple(_exports(tree))
    return PythonFile(
        path=path,
        classes=classes,
        builders=tuple(_builders(tree)),
        constructions=tuple(_constructions(tree)),
        loaders=tuple(_loaders(tree)),
        samples_line=next((each.lineno for each in _functions(tree) if each.name == SAMPLES), None),
        exports=exports,
        examples=tuple(_examples_in(tree)),
        imports=frozenset(
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ),
    )


def _classes(tree: ast.Module) -> Iterator[ModuleClass]:
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or not _MODULE_BASES & set(map(_last_name, node.bases)):
            continue
        methods = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
        begin, forward = methods.get("__init__"), methods.get("forward")
        yield ModuleClass(
            name=node.name,
            line=node.lineno,
            required=() if begin is None else _required(begin)[1:],
            parts=frozenset(called(each) for each in ast.walk(node) if isinstance(each, ast.Call)),
            parameters=() if forward is None else _required(forward)[1:],
            first_layer=None if begin is None else first_layer(begin),
        )


def _builders(tree: ast.Module) -> Iterator[Builder]:
    """Functions that return the result of calling a capitalised name, which is taken for a class."""
    for function in _functions(tree):
        built = _assigned_calls(function)
        for value in map(_module_of, _returned(function)):
            name = called(value) or (built.get(value.id, "") if isinstance(value, ast.Name) else "")
            if name[:1].isupper():
                yield Builder(function.name, function.lineno, name)
                break


def _module_of(value: ast.expr) -> ast.expr:
    """The module before calls that return it: ``Net()`` of ``Net().eval()``."""
    while isinstance(value, ast.Call) and called(value) in _RETURN_THE_MODULE:
        if not isinstance(value.func, ast.Attribute):
            break
        value = value.func.value
    return value


def _constructions(tree: ast.Module) -> Iterator[Construction]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node)[:1].isupper() and _is_literal(node):
            arguments = [ast.unparse(each) for each in node.args]
            arguments += [f"{each.arg}={ast.unparse(each.value)}" for each in node.keywords]
            yield Construction(called(node), ", ".join(arguments))


def _loaders(tree: ast.Module) -> Iterator[Loader]:
    for function in _functions(tree):
        built = _assigned_calls(function)
        values = list(_returned(function))
        names = {called(value) or built.get(getattr(value, "id", ""), "") for value in values}
        if "DataLoader" in names or _last_name(function.returns) == "DataLoader":
            yield Loader(function.name, function.lineno)


def _exports(tree: ast.Module) -> Iterator[CoreMlExport]:
    functions = [each for each in tree.body if isinstance(each, _Function)]
    around = {node: function for function in functions for node in ast.walk(function)}
    saved = next(_saved_packages(tree), "")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not (_converts(node) or _exports_to_core_ml(node)):
            continue
        function = around.get(node)
        inputs = _tensor_inputs(node)
        yield CoreMlExport(
            line=node.lineno,
            function="" if function is None else function.name,
            takes=0 if function is None else len(_required(function)),
            returns=function is not None and any(True for _ in _returned(function)),
            example=Example(inputs, node.lineno) if inputs else None,
            target=_last_name(keyword(node, "minimum_deployment_target")),
            saved_as=saved,
            weights=_weights(tree) if _exports_to_core_ml(node) else "",
        )


def _converts(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "convert"
        and isinstance(function.value, ast.Name)
        and function.value.id in _CONVERTERS
    )


def _exports_to_core_ml(call: ast.Call) -> bool:
    return called(call) == "export" and text_of(keyword(call, "format")) in _EXPORT_FORMATS


def _weights(tree: ast.Module) -> str:
    """The file that an ultralytics-style model is built from: ``YOLO("yolov8n.pt")``."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args)
    names = (text_of(call.args[0]) for call in calls if called(call)[:1].isupper())
    return next((name for name in names if name.endswith(".pt")), "")


def _saved_packages(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) == "save" and node.args:
            name = text_of(node.args[0])
            if name.endswith(".mlpackage"):
                yield name


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Public top-level functions that can be called without an argument."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not _required(node) and not node.name.startswith("_"):
            yield node


def _required(function: _Function) -> tuple[str, ...]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = len(arguments.defaults)
    named = [
        each for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if not value
    ]
    return tuple(each.arg for each in [*positional[: len(positional) - with_default], *named])


def _returned(function: _Function) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value


def _assigned_calls(function: _Function) -> dict[str, str]:
    """The constructor of each of the function's variables, as the last name called."""
    return {
        target.id: called(node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _is_literal(call: ast.Call) -> bool:
    values = [*call.args, *(each.value for each in call.keywords)]
    named = all(each.arg is not None for each in call.keywords)
    return named and all(isinstance(value, ast.Constant) for value in values)


def _last_name(node: ast.expr | None) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def called(node: ast.expr) -> str:
    """The last name of a called object: ``Conv2d`` of ``torch.nn.Conv2d(3, 8)``; empty for other nodes."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def text_of(node: ast.expr | None) -> str:
    """A literal string, or the empty string."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument."""
    return next((each.value for each in call.keywords if each.arg == name), None)


def _tensor_inputs(call: ast.Call) -> tuple[InputShape, ...]:
    """The inputs of a ``coremltools.convert`` call with literal shapes; none if one is computed."""
    given = keyword(call, "inputs")
    items = given.elts if isinstance(given, ast.List | ast.Tuple) else []
    inputs = [_tensor_type(item) for item in items if isinstance(item, ast.Call)]
    known = tuple(each for each in inputs if each is not None)
    return known if len(known) == len(items) else ()


def _drawn_example(node: ast.expr) -> InputShape | None:
    """The shape of ``torch.randn(1, 3, 32, 32)`` and similar calls; ``None`` if it is computed."""
    if not isinstance(node, ast.Call) or called(node) not in _DRAWN:
        return None
    is_integer = called(node) == "randint" or _is_integer(keyword(node, "dtype"))
    arguments = [*node.args, *filter(None, [keyword(node, "size")])]
    tuples = [each for each in arguments if isinstance(each, ast.Tuple | ast.List)]
    shape = _numbers(tuples[0].elts if tuples else arguments)
    return InputShape(shape, "int32" if is_integer else "float32") if shape else None


def _examples_in(tree: ast.AST) -> Iterator[Example]:
    """Example inputs: random tensors with a name, such as ``example = torch.randn(1, 3, 32, 32)``."""
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        items = value.elts if isinstance(value, ast.Tuple) else [value] if value is not None else []
        inputs = tuple(each for item in items if (each := _drawn_example(item)) is not None)
        if value is not None and inputs and len(inputs) == len(items):
            yield Example(inputs, value.lineno)


def first_layer(body: ast.AST) -> Example | None:
    """A shape that the first layer with literal sizes takes: a guess, which a run confirms or refutes."""
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
    """The items as positive integers; empty if one of them is not a literal positive integer."""
    numbers = tuple(
        item.value
        for item in items
        if isinstance(item, ast.Constant) and type(item.value) is int and item.value > 0
    )
    return numbers if len(numbers) == len(items) else ()
