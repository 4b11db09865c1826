"""Writes the functions that a repository's own files lack as callables, as the text of one module."""

import ast
from pathlib import PurePosixPath
from typing import Final

from coreml_gate.init.found import Built, FoundRepository, PythonFile

MODULE: Final = "coreml_gate_models"
FILE: Final = f"{MODULE}.py"
_HEAD: Final = (
    '"""What coreml-gate builds and feeds: written once by `coreml-gate init`, yours from then on."""\n'
)


def module_name(file: PythonFile) -> str | None:
    """The file's module name, imported from the root or from ``src``; ``None`` if it is not a valid one."""
    parts = PurePosixPath(file.path).with_suffix("").parts
    inside = parts[1:] if parts[0] == "src" else parts
    return ".".join(inside) if inside and all(part.isidentifier() for part in inside) else None


def reference(file: PythonFile, name: str, found: FoundRepository) -> str:
    """``file.py:name``, or ``package.module:name`` for a file of a package, whose imports may be relative."""
    folder = PurePosixPath(file.path).parent
    is_of_package = any(each.path == f"{folder}/__init__.py" for each in found.files)
    module = module_name(file)
    return f"{module}:{name}" if is_of_package and module else f"{file.path}:{name}"


def imports_of(built: Built, file: PythonFile, found: FoundRepository) -> tuple[str, ...] | None:
    """The statements that import what an expression of a file needs; ``None`` if one is not known."""
    statements = [_import_of(name, file, found) for name in sorted(built.names)]
    return None if None in statements else tuple(filter(None, statements))


def _import_of(name: str, file: PythonFile, found: FoundRepository) -> str | None:
    """From where the repository defines the name, or else as the file itself imports it."""
    defining = [each for each in (file, *found.files) if name in each.defines]
    is_seen = name in file.defines or name in file.imports
    if is_seen and defining:
        module = module_name(defining[0])
        return None if module is None else f"from {module} import {name}"
    return file.imports.get(name) or None


def function(name: str, what: str, imports: tuple[str, ...], body: str) -> str:
    """A function without parameters that imports what it needs."""
    lines = "".join(f"    {line}\n" for line in imports)
    return f'def {name}() -> object:\n    """{what}"""\n{lines}\n    {body}\n'


def module_text(functions: tuple[str, ...]) -> str:
    """The whole module; its functions import late, so that one model's errors do not affect another."""
    text = "\n\n".join([_HEAD, *functions])
    needs_itertools = "itertools." in text
    text = text.replace(_HEAD, f"{_HEAD}\nimport itertools\n", 1) if needs_itertools else text
    ast.parse(text)
    return text
