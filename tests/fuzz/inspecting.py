"""Every look at a package that runs nothing: what each command makes of it before anything is predicted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from coreml_gate.diagnose.hazards import suspicions
from coreml_gate.errors import GateError
from coreml_gate.mil.diff import read_outline
from coreml_gate.mil.diff_changes import diff
from coreml_gate.mil.outline import outline
from coreml_gate.mil.package import Package, read_package, read_stages
from coreml_gate.mil.to_float32 import half_operations, widened
from coreml_gate.mil.to_half import HalfConstants, narrowed
from coreml_gate.package_facts.compression import compression_facts
from coreml_gate.package_facts.description import package_facts
from coreml_gate.package_facts.memory_and_cost import footprint
from coreml_gate.package_facts.shapes import shape_cases
from coreml_gate.placement import predict_placement
from coreml_gate.rules.catalogue import look
from tests.builders import model_config

Look = Callable[[Package], object]


def _diff(package: Package) -> object:
    found = outline(package.function())
    again = read_outline(found.lines())
    return [*diff(found, again).lines(), diff(again, found).headline()]


def _half(package: Package) -> object:
    half, wide = frozenset(half_operations(package)), widened(package).function()
    return [*suspicions(wide, half, {}), narrowed(wide, half, HalfConstants())]


def _rules(package: Package) -> object:
    return look(model_config(), package, None, None)


LOOKS: Final[dict[str, Look]] = {
    "facts": lambda package: package_facts(package, str(package.path)),
    "fingerprint": Package.fingerprint,
    "outline and diff": _diff,
    "placement": lambda package: predict_placement(package, "ALL"),
    "rules": _rules,
    "rules of a pair": lambda package: look(model_config(), package, widened(package), None),
    "footprint": footprint,
    "shapes": lambda package: shape_cases(package.interface),
    "compression": lambda package: compression_facts(package, package),
    "half precision": _half,
}


def inspect(path: Path, seen: Callable[[str, GateError], None]) -> dict[str, Any]:
    """What each look gives; a refusal goes to ``seen`` and the next look follows."""
    found: dict[str, Any] = {}
    try:
        read_stages(path)
        package = read_package(path)
    except GateError as error:
        seen("read", error)
        return found
    for name, do in LOOKS.items():
        try:
            found[name] = do(package)
        except GateError as error:
            seen(name, error)
    return found
