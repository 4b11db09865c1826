"""The house's order: who may import whom, and who may import what is slow."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "coreml_gate"
LAYERS = (
    "errors",
    "surroundings",
    "devices",
    "config",
    "mil",
    "runtime",
    "stand_in",
    "record",
    "torch_graph",
    "verdict",
    "timing",
    "placement",
    "engines",
    "convert",
    "measure",
    "diagnose",
    "rules",
    "worker",
    "support",
    "checks",
    "gate",
    "report",
    "variants",
    "github",
    "doctor",
    "cli",
)
"""From the ground up: a module imports from its own layer and from those before it."""
SLOW = {"torch", "coremltools", "scipy"}
MAY_BE_SLOW = {"mil", "runtime", "stand_in", "engines", "convert", "measure", "diagnose", "worker"}
FILES = sorted(SOURCE.rglob("*.py"))


def module_of(file: Path) -> str:
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in FILES}


def layer_of(module: str) -> str:
    return [*module.split("."), ""][1]


@cache
def imports_of(file: Path) -> frozenset[str]:
    """Dotted names that a file imports; a name imported from a package counts as the module that it is."""
    return frozenset(_imports_of(ast.parse(file.read_text(encoding="utf-8"))))


def _imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else str(node.module) for name in inner)


def own_imports(file: Path) -> frozenset[str]:
    return frozenset(name for name in imports_of(file) if name in MODULES)


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_module_imports_from_its_own_layer_or_from_one_below(file: Path) -> None:
    layer = layer_of(module_of(file))
    if not layer or layer == "__main__":
        return
    allowed = {"", *LAYERS[: LAYERS.index(layer) + 1]}
    assert {name for name in own_imports(file) if layer_of(name) not in allowed} == set()


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {module: own_imports(file) - {module} for module, file in MODULES.items()}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_slow_libraries_stay_in_their_layers(file: Path) -> None:
    imported = {name.partition(".")[0] for name in imports_of(file)}
    assert not imported & SLOW or layer_of(module_of(file)) in MAY_BE_SLOW


@pytest.mark.parametrize("module", ["coreml_gate.gate.plan", "coreml_gate.gate.formats"])
def test_planning_loads_nothing_slow(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({SLOW!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
