"""What does one Python file hold? Its syntax tree is read; nothing is imported."""

import ast
from collections.abc import Iterator
from typing import Final

from coreml_gate.init.found import (
    Builder,
    Construction,
    CoreMlExport,
    Example,
    Loader,
    ModuleClass,
    PythonFile,
)
from coreml_gate.init.literals import called, examples_in, first_layer, keyword, tensor_inputs, text_of

_MODULE_BASES: Final = {"Module", "LightningModule", "ScriptModule"}
_CONVERTERS: Final = {"ct", "coremltools"}
SAMPLES: Final = "samples"
"""A function of this name is taken for what the configuration calls so."""
_RETURN_THE_MODULE: Final = {"eval", "train", "cpu", "float", "to", "requires_grad_"}
"""Methods of a module that return it."""
_EXPORT_FORMATS: Final = {"coreml", "mlpackage"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_python(text: str, path: str) -> PythonFile:
    """Everything of interest in one file; ``SyntaxError`` or ``ValueError`` where it does not parse."""
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
        examples=tuple(examples_in(tree)),
        imports=frozenset(
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ),
        runs_when_imported=any(not export.function and not export.guarded for export in exports),
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
    """Functions that return what a call of a capitalised name gave: classes are capitalised."""
    for function in _functions(tree):
        built = _assigned_calls(function)
        for value in map(_module_of, _returned(function)):
            name = called(value) or (built.get(value.id, "") if isinstance(value, ast.Name) else "")
            if name[:1].isupper():
                yield Builder(function.name, function.lineno, name)
                break


def _module_of(value: ast.expr) -> ast.expr:
    """What ``Net().eval()`` and ``model.to("cpu").eval()`` return: the module before those calls."""
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
    around = _surroundings_of(tree)
    saved = next(_saved_packages(tree), "")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not (_converts(node) or _exports_to_core_ml(node)):
            continue
        function, guarded = around.get(node, (None, False))
        inputs = tensor_inputs(node)
        yield CoreMlExport(
            line=node.lineno,
            function="" if function is None else function.name,
            takes=0 if function is None else len(_required(function)),
            returns=function is not None and any(True for _ in _returned(function)),
            guarded=guarded,
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


def _surroundings_of(tree: ast.Module) -> dict[ast.AST, tuple[_Function | None, bool]]:
    """For every node the top-level function around it, and whether it runs only as ``__main__``."""
    around: dict[ast.AST, tuple[_Function | None, bool]] = {}
    for statement in tree.body:
        function = statement if isinstance(statement, _Function) else None
        guarded = isinstance(statement, ast.If) and "__main__" in ast.unparse(statement.test)
        around |= dict.fromkeys(ast.walk(statement), (function, guarded))
    return around


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
    """What the function's variables were built by, as the last name called."""
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
