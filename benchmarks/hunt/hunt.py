"""Hunts for wrong conversions: small modules, both routes, ordinary and changed samples, all in float32.

``python benchmarks/hunt/hunt.py`` prints one line per difference and writes ``hunt.jsonl``; ``--only TEXT``
takes the cases whose name holds the text.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from cases import Case, Expression, cases

from coreml_gate.config import ModelConfig
from coreml_gate.convert.capture import Route
from coreml_gate.convert.failures import ConversionFailedError
from coreml_gate.convert.pipeline import convert_mapped
from coreml_gate.diagnose.adversarial import Adversary, variants
from coreml_gate.diagnose.parity_diagnosis import Failure, Suspect, comparisons, diagnose_parity
from coreml_gate.engines.engine import Sample
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import GateError
from coreml_gate.mil.ir import Constant, Operation
from coreml_gate.mil.package import Package, read_package
from coreml_gate.record import Comparison

ROOT = Path(__file__).resolve().parents[2]
ROUTES: tuple[Route, ...] = ("export", "trace")
_NAMES = ("x", "y", "z")
_SHOWN_ELEMENTS = 8


@dataclass(frozen=True)
class Sight:
    """One case along one route: what was seen."""

    case: str
    route: Route
    outcome: str
    """``agrees``, ``refused``, ``does not run`` or ``differs``."""
    facts: dict[str, Any]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="take the cases whose name holds this text")
    parser.add_argument("--output", type=Path, default=Path("hunt.jsonl"))
    arguments = parser.parse_args()
    started, outcomes = time.perf_counter(), Counter[str]()
    with arguments.output.open("w", encoding="utf-8") as file:
        for sight in hunt(arguments.only):
            outcomes[sight.outcome] += 1
            file.write(json.dumps(sight.__dict__) + "\n")
            file.flush()
            if sight.outcome in {"differs", "does not run"}:
                print(f"{sight.route:6} {sight.case}: {sight.outcome} {sight.facts}", flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()), end="")
    print(f" in {time.perf_counter() - started:.0f} s")
    return 0


def hunt(only: str = "") -> Iterator[Sight]:
    """Every case along every route."""
    for case in cases():
        if only in case.name:
            for route in ROUTES:
                yield look(case, route)


def look(case: Case, route: Route) -> Sight:
    """One case along one route."""
    with tempfile.TemporaryDirectory() as folder:
        return _look(case, route, Path(folder))


def _look(case: Case, route: Route, folder: Path) -> Sight:
    source = Source("module", case.name, ROOT, Expression(case.function).eval())
    samples = Samples(_NAMES[: len(case.shapes)], tuple(_samples(case)), random=False, fingerprint="")
    config = ModelConfig(name="hunt", source="cases.py:cases", conversion=route)
    try:
        mapped = convert_mapped(source, samples, config, folder, route)
        package = read_package(mapped.package)
        engine = load_mil_engine(package, "fp32", None, config)
        reference = SourceEngine(source).run(samples.samples[0])
    except (ConversionFailedError, GateError) as error:
        return Sight(case.name, route, "refused", {"message": str(error)[:300]})
    adversary = Adversary(SourceEngine(source, engine.output_names), engine, config, _limit(config))
    try:
        own = comparisons(reference, engine.run(samples.samples[0]), 0)
    except GateError as error:
        return Sight(case.name, route, "does not run", {"message": str(error)[:300]})
    suspect, worst = _suspect(own, samples.samples[0], adversary)
    if suspect is None:
        return Sight(case.name, route, "agrees", {})
    diagnosis = diagnose_parity(Failure(source, samples, config, folder, route, suspect))
    found = diagnosis.first_wrong
    return Sight(
        case.name,
        route,
        "differs",
        {
            "with": suspect.asked_by,
            "how": _how(worst),
            "torch": found.torch_operation,
            "place": found.place,
            "operation": found.operation,
            "lost": found.lost,
            "reason": found.reason,
            "other": None if diagnosis.other_route is None else diagnosis.other_route.agrees,
            "mil": list(program_text(package)),
        },
    )


def _samples(case: Case) -> Iterator[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(7)
    yield {
        name: torch.randn(shape, generator=generator)
        for name, shape in zip(_NAMES, case.shapes, strict=False)
    }


def _limit(config: ModelConfig) -> float:
    return config.limits.parity.max_error


def _suspect(
    own: tuple[Comparison, ...], sample: Sample, adversary: Adversary
) -> tuple[Suspect | None, Comparison | None]:
    for comparison in own:
        if comparison.exceeds(adversary.limit):
            return Suspect("samples", sample, 0), comparison
    for variant, changed in variants(adversary, sample):
        for comparison in variant.comparisons:
            if comparison.exceeds(adversary.limit):
                return Suspect(variant.name, changed, 0), comparison
    return None, None


def _how(comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    if not comparison.same_shape:
        return f"shape {comparison.candidate_shape}, torch {comparison.reference_shape}"
    place = comparison.nonfinite_place or comparison.max_abs_place
    if place is None:
        return ""
    return f"{place.candidate} at {place.index}, torch {place.reference}"


def program_text(package: Package) -> Iterator[str]:
    """The program as text, constants written into the operations that read them."""
    operations = package.function().block.operations
    constants = {item.name: item.attributes["val"] for item in operations if item.type == "const"}
    for operation in operations:
        if operation.type != "const":
            yield f"{operation.name} = {operation.type}({_arguments(operation, constants)})"


def _arguments(operation: Operation, constants: dict[str, Constant]) -> str:
    parts = []
    for name, arguments in operation.inputs.items():
        values = [_text(item, constants) for item in arguments]
        parts.append(f"{name}={values[0] if len(values) == 1 else '(' + ', '.join(values) + ')'}")
    return ", ".join(parts)


def _text(argument: str | Constant, constants: dict[str, Constant]) -> str:
    constant = constants.get(argument) if isinstance(argument, str) else argument
    if constant is None:
        return str(argument)
    array = constant.array
    return str(array.tolist()) if array.size <= _SHOWN_ELEMENTS else str(constant.type)


if __name__ == "__main__":
    sys.exit(main())
