"""The scanner of imports: every form by hand, and the standard library against ``ast``."""

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreml_gate.gate.closure import Import, imports_of

STDLIB = Path(sysconfig.get_path("stdlib"))
PACKAGES = (
    "asyncio",
    "concurrent",
    "email",
    "importlib",
    "json",
    "logging",
    "multiprocessing",
    "unittest",
    "xml",
)


@pytest.mark.parametrize(
    ("text", "imported"),
    [
        ("import a", {(0, "a")}),
        ("import a.b as c, d\n", {(0, "a.b"), (0, "d")}),
        ("from a.b import c as d, e  # from x import y", {(0, "a.b"), (0, "a.b.c"), (0, "a.b.e")}),
        ("from a import *", {(0, "a")}),
        ("from . import b", {(1, ""), (1, "b")}),
        ("from .import b", {(1, ""), (1, "b")}),
        ("from...a import b", {(3, "a"), (3, "a.b")}),
        ("from a import (  # (1)\n    b,  # import z\n    c as d,\n)", {(0, "a"), (0, "a.b"), (0, "a.c")}),
        ("from a import (  # f(\n    b,  # import g)\n    c)\nf(1)", {(0, "a"), (0, "a.b"), (0, "a.c")}),
        ("from a import \\\r\n    (b,\r\n    c)\r\nx = f(1)\n", {(0, "a"), (0, "a.b"), (0, "a.c")}),
        ("from a import(b)", {(0, "a"), (0, "a.b")}),
        ("from a \\\n    import b, \\\n    c", {(0, "a"), (0, "a.b"), (0, "a.c")}),
        ("try:\n\timport a\nexcept ImportError: import b\n", {(0, "a"), (0, "b")}),
        ("x = 1; import a; from b import c", {(0, "a"), (0, "b"), (0, "b.c")}),
        ("\ufeffimport a\r\nfrom b \\\r\n  import c\r\n", {(0, "a"), (0, "b"), (0, "b.c")}),
        ("m = importlib.import_module('a.b')", {(0, "a.b")}),
        ('m = import_module(\n    ".b", __package__)', {(1, "b")}),
        ("__import__('a')", {(0, "a")}),
        ('__import__ ( "a" )\nimport_module(name="a.b")', {(0, "a"), (0, "a.b")}),
        ("x = 1\rimport a\rfrom b import c\r", {(0, "a"), (0, "b"), (0, "b.c")}),
        ("importlib.import_module(f'a.{name}')", set()),
        ("important = 1\nfromage = 2\nraise A from b\n# import c\n>>> import d", set()),
    ],
)  # fmt: skip
def test_forms(text: str, imported: set[tuple[int, str]]) -> None:
    assert {(found.level, found.name) for found in imports_of(text)} == imported


def imports_by_ast(text: str) -> Iterator[Import]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (Import(0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            yield Import(node.level, package)
            for alias in node.names:
                if alias.name != "*":
                    yield Import(node.level, f"{package}.{alias.name}" if package else alias.name)


@pytest.mark.parametrize("package", PACKAGES)
def test_all_that_ast_finds_is_found(package: str) -> None:
    files = sorted((STDLIB / package).rglob("*.py"))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert set(imports_by_ast(text)) - imports_of(text) == set(), file
