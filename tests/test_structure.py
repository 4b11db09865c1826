"""The house's measures: what one module may know, one class per name, and how much goes untyped."""

import ast
from collections import Counter, defaultdict
from itertools import pairwise

from tests.house import MODULES, layer_of, own_imports, tree_of

MOST_IMPORTS = 15
"""Of the project's own modules: what imports more than that does more than one thing."""
TABLES = {
    "coreml_gate.checks",
    "coreml_gate.measurements",
    "coreml_gate.rules.catalogue",
    "coreml_gate.runtime.ops",
}
"""Each lists the members of its own family, which do not count: that is what a table is for."""
FAMILIES = {
    *TABLES,
    "coreml_gate",
    "coreml_gate.conversion.ways_out",
    "coreml_gate.criteria",
    "coreml_gate.diagnose.known_bugs",
    "coreml_gate.doctor.command",
    "coreml_gate.explain.table",
    "coreml_gate.github.publishing.status.optional",
    "coreml_gate.github.steps",
    "coreml_gate.report",
    "coreml_gate.runtime.fusion",
    "coreml_gate.runtime.packed",
    "coreml_gate.runtime.recurrent",
}
MOST_WITH_A_SINGLE_IMPORTER = 74
"""Modules outside of families that serve one other: where both are one idea, they read better as one."""
MOST_ANY_PER_THOUSAND_LINES = 4.0


def test_no_module_knows_more_than_fifteen_others() -> None:
    known = {module: len(_counted(module)) for module in MODULES}
    assert {module: count for module, count in known.items() if count > MOST_IMPORTS} == {}


def test_a_class_name_is_one_class() -> None:
    names = Counter(
        node.name
        for file in MODULES.values()
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_a_string_explains_the_name_above_it() -> None:
    loose = [
        f"{file}:{string.lineno}"
        for file in MODULES.values()
        for scope in ast.walk(tree_of(file))
        if isinstance(scope, ast.Module | ast.ClassDef)
        for above, string in pairwise(scope.body)
        if isinstance(string, ast.Expr) and isinstance(string.value, ast.Constant)
        if not isinstance(above, ast.Assign | ast.AnnAssign)
    ]
    assert loose == []


def test_little_goes_untyped() -> None:
    lines = sum(file.read_text(encoding="utf-8").count("\n") for file in MODULES.values())
    nodes = (node for file in MODULES.values() for node in ast.walk(tree_of(file)))
    untyped = sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes)
    assert 1000 * untyped / lines <= MOST_ANY_PER_THOUSAND_LINES


def test_few_modules_serve_only_one_other() -> None:
    importers: dict[str, set[str]] = defaultdict(set)
    for module in MODULES:
        for name in own_imports(module):
            importers[name].add(module)
    single = sorted(name for name, users in importers.items() if len(users) == 1 and not users & FAMILIES)
    assert len(single) <= MOST_WITH_A_SINGLE_IMPORTER, single


def _counted(module: str) -> frozenset[str]:
    imported = own_imports(module)
    if module not in TABLES:
        return imported
    return frozenset(name for name in imported if layer_of(name) != layer_of(module))
