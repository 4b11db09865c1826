"""The binding table of coremltools' native half, read from its C++: classes, names, parameters, results.

pybind11 keeps no names of parameters where the source gives none, so every parameter is positional and none
has a default. The notation of a signature is pybind11's own, which also stands in the compiled module:
``({%}, {dict}, {%}) -> dict``, where ``%`` is a class of the module.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_CLASS = re.compile(r'py::class_<(\w+)>\(m, "(\w+)"[^)]*\)(.*?);', re.DOTALL)
_ENTRY = re.compile(
    r'\.(def|def_static|def_property_readonly)\((?:"(\w+)", &\w+::(\w+)|py::init<?(.*?)>?\(\))\)'
)
_TYPES: Final = {
    "std::string": "{str}",
    "py::str": "{str}",
    "py::dict": "{dict}",
    "py::list": "{list}",
    "py::bytes": "{bytes}",
    "py::object": "{object}",
    "int": "{int}",
    "int32_t": "{int}",
    "State*": "{%}",
    "State": "{%}",
}


@dataclass(frozen=True)
class Binding:
    """One name of one class."""

    class_name: str
    name: str
    kind: str
    """``method``, ``static`` or ``property``; a constructor is a method of the name ``__init__``."""
    signature: str


def read_bindings(source: str, header: str) -> tuple[tuple[str, ...], tuple[Binding, ...]]:
    """All classes of the module, and all that they offer, in the order of the source."""
    classes = [(match[2], match[1], match[3]) for match in _CLASS.finditer(source)]
    bindings = (each for name, type_, body in classes for each in _of_class(name, type_, body, header))
    return tuple(name for name, _, _ in classes), tuple(bindings)


def _of_class(class_name: str, type_: str, body: str, header: str) -> Iterator[Binding]:
    declared = _declarations(type_, header)
    for entry, name, method, constructor in _ENTRY.findall(body):
        if not name:
            parameters = _parameters(constructor)
            yield Binding(class_name, "__init__", "method", _signature(("{%}", *parameters), "None"))
            continue
        result, parameters = declared[method]
        if entry == "def_static":
            yield Binding(class_name, name, "static", _signature(parameters, result))
        else:
            kind = "method" if entry == "def" else "property"
            yield Binding(class_name, name, kind, _signature(("{%}", *parameters), result))


def _declarations(type_: str, header: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    body = re.search(rf"(?:struct|class) {type_} \{{(.*?)\n        \}};", header, re.DOTALL)
    if body is None:
        raise ValueError(f"the header declares no {type_}")
    found = re.findall(r"(?:static |inline )*([\w:]+) (\w+)\(([^)]*)\)(?: const)?[;\s{]", body[1])
    return {
        name: (_result(result), _parameters(parameters))
        for result, name, parameters in found
        if name != type_
    }


def _result(type_: str) -> str:
    return "None" if type_ == "void" else _TYPES.get(type_, "").strip("{}")


def _parameters(text: str) -> tuple[str, ...]:
    parts = [part for part in text.split(",") if part.strip()]
    return tuple(_type(part) for part in parts)


def _type(parameter: str) -> str:
    bare = re.sub(r"\bconst\b|&|=.*", "", parameter).replace(" *", "* ").split()
    return _TYPES.get(bare[0], f"? {bare[0]}")


def _signature(parameters: tuple[str, ...], result: str) -> str:
    return f"({', '.join(parameters)}) -> {result}"
