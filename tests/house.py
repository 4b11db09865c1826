"""The house as data: its layers, its modules, and what each of them imports.

``python -m tests.house`` writes ARCHITECTURE.md's table of layers anew.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "src" / "coreml_gate"
PAGE: Final = ROOT / "ARCHITECTURE.md"
LAYERS: Final = (
    "version",
    "tested_versions",
    "errors",
    "credentials",
    "frozen",
    "untyped",
    "described",
    "arguments",
    "arrays",
    "floats",
    "interruption",
    "reading",
    "writing",
    "streams",
    "starting",
    "surroundings",
    "wording",
    "figures",
    "foreign",
    "devices",
    "config",
    "mil",
    "runtime",
    "record_file",
    "record",
    "torch_graph",
    "verdict",
    "criteria",
    "timing",
    "package_facts",
    "placement",
    "stand_in",
    "engines",
    "conversion",
    "comparing",
    "diagnose",
    "rules",
    "children",
    "measurements",
    "worker",
    "support",
    "checks",
    "gate",
    "report",
    "history",
    "explain",
    "variants",
    "github",
    "doctor",
    "selftest",
    "init",
    "api",
    "pytest_plugin",
    "commands",
    "cli",
)
"""From the ground up: a module imports from its own layer and from those before it."""
FILES: Final = sorted(SOURCE.rglob("*.py"))
_BEGIN: Final = "<!-- layers, by `python -m tests.house` -->"
_END: Final = "<!-- end of layers -->"


def module_of(file: Path) -> str:
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES: Final = {module_of(file): file for file in FILES}


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def layer_of(module: str) -> str:
    return [*module.split("."), ""][1]


@cache
def imports_of(module: str) -> frozenset[str]:
    """Dotted names that a module imports; a name imported from a package counts as the module that it is."""
    return frozenset(_imports_of(tree_of(MODULES[module])))


def own_imports(module: str) -> frozenset[str]:
    """The project's own modules that a module imports."""
    return frozenset(name for name in imports_of(module) if name in MODULES and name != module)


def _imports_of(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else str(node.module) for name in inner)


def layer_table() -> str:
    """One row per layer: its name, and the first sentence of its docstring."""
    rows = [f"| `{_name(layer)}` | {_sentence(layer)} |" for layer in LAYERS]
    return "\n".join(["| layer | what it answers |", "|---|---|", *rows])


def with_table(page: str) -> str:
    """The page with the table as it is now."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    return f"{before}{begin}\n{layer_table()}\n{end}{after}"


def _name(layer: str) -> str:
    return f"{layer}.py" if (SOURCE / f"{layer}.py").is_file() else f"{layer}/"


def _sentence(layer: str) -> str:
    text = ast.get_docstring(tree_of(MODULES[f"coreml_gate.{layer}"]))
    assert text, f"{layer} has no docstring"
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
