"""The house's order: who may import whom, who may import what is slow, and does the map say so."""

import subprocess
import sys
from graphlib import TopologicalSorter

from tests.house import LAYERS, MODULES, PAGE, imports_of, layer_of, own_imports, with_table

SLOW = {"torch", "coremltools", "scipy"}
MAY_BE_SLOW = {
    "api",
    "mil",
    "runtime",
    "stand_in",
    "engines",
    "conversion",
    "comparing",
    "diagnose",
    "measurements",
}


def test_an_import_points_to_the_own_layer_or_to_one_below_and_never_in_a_circle() -> None:
    rank = {layer: place for place, layer in enumerate(LAYERS)}
    upward = {
        f"{module} imports {name}"
        for module in MODULES
        if layer_of(module) not in {"", "__main__"}
        for name in own_imports(module)
        if layer_of(name) and rank[layer_of(name)] > rank[layer_of(module)]
    }
    assert upward == set()
    assert list(TopologicalSorter({module: own_imports(module) for module in MODULES}).static_order())


def test_slow_libraries_stay_in_their_layers() -> None:
    slow = {
        module
        for module in MODULES
        if {name.partition(".")[0] for name in imports_of(module)} & SLOW
        and layer_of(module) not in MAY_BE_SLOW
    }
    assert slow == set()


def test_the_map_lists_the_layers_in_their_order() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page)


def test_planning_loads_nothing_slow() -> None:
    modules = "coreml_gate.gate.plan, coreml_gate.gate.plan_output, coreml_gate.worker.models"
    code = f"import sys, {modules}; print(*sorted({SLOW!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
