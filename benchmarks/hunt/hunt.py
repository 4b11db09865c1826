"""Hunts for wrong conversions: small modules, both routes, ordinary and changed samples, all in float32.

``python benchmarks/hunt/hunt.py`` goes on where ``hunt.jsonl`` ends, prints one line per difference, and at
the end the table of root causes. ``--only TEXT`` takes the cases whose name holds the text, ``--again``
starts over. Nothing is drawn at random, so two hunts with the same toolchain find the same.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from case import Case, Expression
from cases import cases
from causes import Sight, causes_table

from coreml_gate.comparing.compare import comparisons
from coreml_gate.config import ModelConfig
from coreml_gate.conversion.capture import Route
from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.conversion.graph import graph_of
from coreml_gate.conversion.mapper import Mapper
from coreml_gate.conversion.mapping import Mapped
from coreml_gate.criteria import has_parity
from coreml_gate.diagnose.parity_diagnosis import diagnose_parity
from coreml_gate.diagnose.parity_failure import Failure, Suspect
from coreml_gate.diagnose.perturbed_samples import SourceAndPackage, perturbed_samples
from coreml_gate.engines.engine import Sample
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import GateError
from coreml_gate.mil.ir import Constant, Operation
from coreml_gate.mil.package import Package, read_package
from coreml_gate.record import Comparison
from coreml_gate.rules.catalogue import look as look_for_rules

ROOT = Path(__file__).resolve().parents[2]
ROUTES: tuple[Route, ...] = ("export", "trace")
_NAMES = ("x", "y", "z")
_SHOWN_ELEMENTS = 8
_WHOLE = 5
"""The least and the greatest integer of a sample lie so far from zero; indices start at zero."""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="take the cases whose name holds this text")
    parser.add_argument("--again", action="store_true", help="start over")
    parser.add_argument("--output", type=Path, default=Path("hunt.jsonl"))
    arguments = parser.parse_args()
    if arguments.again:
        arguments.output.unlink(missing_ok=True)
    known = _known(arguments.output)
    started = time.perf_counter()
    todo = [
        (case, route)
        for case in cases()
        for route in ROUTES
        if arguments.only in case.name and (case.name, route) not in known
    ]
    with arguments.output.open("a", encoding="utf-8") as file:
        for number, (case, route) in enumerate(todo, start=1):
            sight = look(case, route)
            known[case.name, route] = sight
            file.write(json.dumps(asdict(sight)) + "\n")
            file.flush()
            _tell(sight, f"{number}/{len(todo)}, {time.perf_counter() - started:.0f} s")
    print("\n".join(causes_table(known.values())))
    return 0


def _known(path: Path) -> dict[tuple[str, str], Sight]:
    """What an earlier hunt saw; a line that was cut off is seen again."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    sights = (Sight(**json.loads(line)) for line in lines if line.endswith("\n"))
    return {(sight.case, sight.route): sight for sight in sights}


def _tell(sight: Sight, progress: str) -> None:
    if sight.outcome in {"differs", "does not run"}:
        print(f"[{progress}] {sight.route} {sight.case}: {sight.how}, with {sight.found_on}", flush=True)


def look(case: Case, route: Route) -> Sight:
    """One case along one route."""
    with tempfile.TemporaryDirectory() as folder:
        return _look(case, route, Path(folder))


def _look(case: Case, route: Route, folder: Path) -> Sight:
    source = Source("module", case.name, ROOT, Expression(case.function).eval())
    samples = Samples(_NAMES[: len(case.shapes)], tuple(_samples(case)), random=False, fingerprint="")
    config = ModelConfig(name="hunt", source="cases.py:cases", conversion=route)
    try:
        mapped = Mapper(source, samples, config, folder, route).mapped()
        package = read_package(mapped.package)
        engine = load_mil_engine(package, "fp32", None, config)
        reference = SourceEngine(source).run(samples.samples[0])
    except (ConversionFailedError, GateError) as error:
        return Sight(case.name, route, "refused", how=str(error)[:300])
    sides = SourceAndPackage(SourceEngine(source, engine.output_names), engine, config, config.limits.parity)
    try:
        own = comparisons(reference, engine.run(samples.samples[0]), 0)
    except GateError as error:
        return Sight(case.name, route, "does not run", how=str(error)[:300])
    suspect, worst = _suspect(own, samples.samples[0], sides)
    rules = _rules(config, package, mapped)
    if suspect is None:
        return Sight(case.name, route, "agrees", rules=rules)
    diagnosis = diagnose_parity(Failure(source, samples, config, folder, route, suspect))
    found = diagnosis.first_wrong
    return Sight(
        case.name,
        route,
        "differs",
        found_on=suspect.found_on,
        how=_how(worst),
        torch_operation=found.torch_operation,
        operation=found.operation,
        operation_type=found.operation_type,
        lost=found.lost,
        reason=found.reason,
        other_route=None if diagnosis.other_route is None else diagnosis.other_route.agrees,
        error=_error(worst),
        rules=rules,
        mil=tuple(program_text(package)),
    )


def _rules(config: ModelConfig, package: Package, mapped: Mapped) -> tuple[str, ...]:
    """The static rules that call the conversion wrong."""
    matches = look_for_rules(config, package, package, graph_of(mapped.graph, ROOT))
    return tuple(match.rule for match in matches if match.severity in {"silent", "fatal"})


def _samples(case: Case) -> Iterator[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(7)
    dtypes = (*case.dtypes, *(torch.float32,) * len(case.shapes))
    yield {
        name: _numbers(case, shape, dtype, generator)
        for name, shape, dtype in zip(_NAMES, case.shapes, dtypes, strict=False)
    }


def _numbers(
    case: Case, shape: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
) -> torch.Tensor:
    if dtype is torch.bool:
        return torch.rand(shape, generator=generator) > 1 / 2
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator)
    least = 0 if case.name.startswith("ids") else -_WHOLE
    return torch.randint(least, _WHOLE, shape, generator=generator).to(dtype)


def _suspect(
    own: tuple[Comparison, ...], sample: Sample, sides: SourceAndPackage
) -> tuple[Suspect | None, Comparison | None]:
    for comparison in own:
        if not has_parity((comparison,), sides.limits):
            return Suspect("samples", sample, 0), comparison
    for perturbed, changed in perturbed_samples(sides, sample):
        for comparison in perturbed.comparisons:
            if not has_parity((comparison,), sides.limits):
                return Suspect(perturbed.name, changed, 0), comparison
    return None, None


def _error(comparison: Comparison | None) -> float | None:
    """As a share of the greatest value; nothing where the shape or the non-finite pattern differs."""
    if comparison is None or not comparison.same_shape or comparison.nonfinite_mismatches:
        return None
    return comparison.relative_error


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
