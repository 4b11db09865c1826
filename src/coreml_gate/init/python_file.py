"""Finds models and conversions in the syntax tree of one Python file; nothing is imported."""

import ast
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from coreml_gate.init.found import Builder, Built, CoreMlExport, Handed, Loader, ModuleClass, PythonFile
from coreml_gate.init.scope import (
    Function,
    Scope,
    calls_in,
    last_name,
    names_in,
    positional,
    required_options,
    root_name,
)
from coreml_gate.init.shapes import (
    Helpers,
    called,
    declared_inputs,
    example_of,
    examples_in,
    first_layer,
    keyword,
    text_of,
)

SAMPLES: Final = "samples"
"""A function of this name is used as the configuration's ``samples``."""
_RETURN_THE_MODULE: Final = {"eval", "train", "cpu", "float", "to", "requires_grad_"}
"""Methods of a module that return it."""
_CONVERTERS: Final = {"ct", "coremltools"}
_EXPORT_FORMATS: Final = {"coreml", "mlpackage"}
_CAPTURES: Final = {"trace", "export", "export_for_training"}
_CAPTURING: Final = {"torch", "jit"}
_LOADS: Final = "load_state_dict"


def read_python(text: str, path: str, helpers: Helpers = MappingProxyType({})) -> PythonFile:
    """Read a file's models and conversions; raises ``SyntaxError`` or ``ValueError`` if it does not parse.

    :param helpers: Functions and classes of other files, which may make layers.
    """
    tree = ast.parse(text)
    scopes = (Scope(tree), *(Scope(tree, each) for each in _all_functions(tree)))
    return PythonFile(
        path=path,
        classes=tuple(_classes(tree, {**helpers, **defined_in(tree)})),
        builders=tuple(_builders(tree)),
        constructions=tuple(built for scope in scopes for built in _constructions(scope)),
        handed=tuple(each for scope in scopes for each in _handed(scope)),
        loaders=tuple(_loaders(tree)),
        samples_line=next((each.lineno for each in _functions(tree) if each.name == SAMPLES), None),
        exports=tuple(conversions_in(tree)),
        examples=tuple(each for scope in scopes for each in examples_in(scope)),
        imports=_imports(tree),
        defines=frozenset(defined_in(tree)),
    )


def defined_in(tree: ast.Module) -> dict[str, Function | ast.ClassDef]:
    """The functions and classes at the top of a file."""
    return {each.name: each for each in tree.body if isinstance(each, Function | ast.ClassDef)}


def _imports(tree: ast.Module) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                one = ast.Import([alias]) if isinstance(node, ast.Import) else None
                relative = isinstance(node, ast.ImportFrom) and node.level > 0
                stated = one or ast.ImportFrom(getattr(node, "module", None), [alias], 0)
                found.setdefault(name, "" if relative else ast.unparse(stated))
    return found


def _classes(tree: ast.Module, helpers: Helpers) -> Iterator[ModuleClass]:
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        methods = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
        begin, forward = methods.get("__init__"), methods.get("forward")
        yield ModuleClass(
            name=node.name,
            line=node.lineno,
            required=() if begin is None else required(begin)[1:],
            bases=frozenset(map(last_name, node.bases)),
            parts=frozenset(map(called, calls_in(node))),
            parameters=() if forward is None else required(forward)[1:],
            first_layer=first_layer(node, helpers),
        )


def _builders(tree: ast.Module) -> Iterator[Builder]:
    """Functions that return the result of calling a capitalised name, which is taken for a class."""
    for function in _functions(tree):
        built = _assigned_calls(function)
        for value in map(_module_of, returned(function)):
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


def _constructions(scope: Scope) -> Iterator[Built]:
    """Calls of capitalised names, which are taken for classes, with arguments that are known."""
    for call in scope.calls():
        if called(call)[:1].isupper():
            built = as_built(scope.value(call, call.lineno))
            if built is not None:
                yield built


def _handed(scope: Scope) -> Iterator[Handed]:
    """Calls of functions whose first argument is built from literals: ``to_coreml(Net(10))``."""
    for call in scope.calls():
        given = scope.value(call.args[0], call.lineno) if call.args else None
        built = None if given is None else as_built(given)
        if built is not None:
            yield Handed(called(call), built)


def _loaders(tree: ast.Module) -> Iterator[Loader]:
    for function in _functions(tree):
        built = _assigned_calls(function)
        values = list(returned(function))
        names = {called(value) or built.get(getattr(value, "id", ""), "") for value in values}
        if "DataLoader" in names or last_name(function.returns) == "DataLoader":
            yield Loader(function.name, function.lineno)


def _all_functions(tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Public top-level functions that can be called without an argument."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not required(node) and not node.name.startswith("_"):
            yield node


def _assigned_calls(function: Function) -> dict[str, str]:
    """The constructor of each of the function's variables, as the last name called."""
    return {
        target.id: called(node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def conversions_in(tree: ast.Module) -> Iterator[CoreMlExport]:
    """Each call of ``coremltools.convert``, or of an exporter's ``export(format="coreml")``."""
    functions = [each for each in tree.body if isinstance(each, Function)]
    for scope in _all_scopes(tree):
        for call in scope.calls():
            if _converts(call):
                yield _conversion(call, _caller(scope, functions), scope)
            elif _exports_to_core_ml(call):
                yield CoreMlExport(line=call.lineno, weights=_weights(tree))


def _conversion(call: ast.Call, outer: Scope, scope: Scope) -> CoreMlExport:
    captured = _capture(scope, call) or _capture(outer, call) or _loaded(call, scope)
    module, example, line = captured or (None, None, call.lineno)
    function = outer.function
    parameter = _parameter(module, outer)
    return CoreMlExport(
        line=call.lineno,
        function="" if function is None else function.name,
        required=() if function is None else required(function),
        module=parameter,
        built=None if parameter or module is None else as_built(module),
        computed="" if module is None else ast.unparse(module),
        returns=function is not None and any(_may_be_a_package(each, outer) for each in returned(function)),
        declared=declared_inputs(call, scope),
        traced=None if example is None else example_of(example, outer, line),
        target=last_name(keyword(call, "minimum_deployment_target")),
        saved_as=next(filter(None, map(_saved_as, (scope, outer, *_all_scopes(scope.tree)))), ""),
        options=required_options(scope.tree),
        loads_weights=_loading(outer),
    )


def _caller(scope: Scope, functions: list[Function]) -> Scope:
    """The function that a team calls to convert: that around the call, or the one that returns its result."""
    inner = scope.function
    if inner is None or _capture(scope, None) is not None:
        return scope
    for function in functions:
        if function is not inner and inner.name in map(called, calls_in(function)):
            return Scope(scope.tree, function)
    return scope


def _capture(scope: Scope, before: ast.Call | None) -> tuple[ast.expr, ast.expr | None, int] | None:
    """The module, the example and the line of the last ``torch.jit.trace`` or ``torch.export.export``."""
    found = None
    for call in scope.calls():
        if before is not None and scope.function is None and call.lineno > before.lineno:
            break
        if called(call) in _CAPTURES and _of_torch(call) and call.args:
            example = call.args[1] if len(call.args) > 1 else keyword(call, "example_inputs")
            found = scope.value(call.args[0], call.lineno), example or keyword(call, "args"), call.lineno
    return found


def _loaded(call: ast.Call, scope: Scope) -> tuple[ast.expr, None, int] | None:
    """The file that holds what is converted: ``torch.jit.load("net.pt")``."""
    value = scope.value(call.args[0], call.lineno) if call.args else None
    is_loaded = isinstance(value, ast.Call) and called(value) == "load" and _of_torch(value)
    return (value, None, call.lineno) if value is not None and is_loaded else None


def _of_torch(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and root_name(call.func) in _CAPTURING


def _parameter(module: ast.expr | None, scope: Scope) -> str:
    name = module.id if isinstance(module, ast.Name) else ""
    return name if name in scope.parameters else ""


def as_built(value: ast.expr) -> Built | None:
    """An expression of calls and literals that another file can hold as well; ``None`` for any other."""
    names = names_in(value)
    calls = [*calls_in(value)]
    if names is None or not calls or not isinstance(value, ast.Call | ast.Attribute):
        return None
    first = next((text_of(each) for each in calls[0].args if text_of(each)), "")
    return Built(
        text=ast.unparse(value),
        names=names,
        called=called(calls[0]),
        root=root_name(calls[0].func),
        inner=frozenset(map(called, calls[1:])),
        label=first,
    )


def _may_be_a_package(value: ast.expr, scope: Scope) -> bool:
    """Whether a value may be an ``MLModel`` or a path: not the exit code of a ``main``, and not several."""
    found = scope.value(value)
    if isinstance(found, ast.Constant):
        return isinstance(found.value, str)
    return not isinstance(found, ast.Tuple | ast.List | ast.Dict)


def _loading(scope: Scope) -> int | None:
    return next((call.lineno for call in scope.calls() if called(call) == _LOADS), None)


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
    calls = (call for call in calls_in(tree) if call.args and called(call)[:1].isupper())
    names = (text_of(call.args[0]) for call in calls)
    return next((name for name in names if name.endswith(".pt")), "")


def _saved_as(scope: Scope) -> str:
    """The package that the code saves under a fixed name, or under the default of an option."""
    for call in scope.calls():
        if called(call) == "save" and call.args:
            name = text_of(scope.value(call.args[0], call.lineno))
            if name.endswith(".mlpackage"):
                return name
    return ""


def _all_scopes(tree: ast.Module) -> Iterator[Scope]:
    yield Scope(tree)
    yield from (Scope(tree, each) for each in tree.body if isinstance(each, Function))


def required(function: Function) -> tuple[str, ...]:
    """The parameters of a function without a default."""
    arguments, by_place = function.args, positional(function)
    by_name = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    named = [each for each, value in by_name if not value]
    return tuple(each.arg for each in [*by_place[: len(by_place) - len(arguments.defaults)], *named])


def returned(function: Function) -> Iterator[ast.expr]:
    """The values that a function returns."""
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value
