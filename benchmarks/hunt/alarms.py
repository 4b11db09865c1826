"""How often does the search for wrong conversions cry wolf? On models whose conversions are sound.

``python benchmarks/hunt/alarms.py FOLDER [MODEL ...]`` takes the models of a coreml-gate.toml, the zoo's or
one of your own, and prints the changes of sample 0 on which the float32 package differs, and the rules that
call the conversion wrong. Whatever it prints has to be judged by hand: it may be right.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from coreml_gate.config import ModelConfig
from coreml_gate.config.load import load_config, select_models
from coreml_gate.conversion.capture import routes
from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.conversion.graph import graph_of
from coreml_gate.conversion.mapper import Mapper
from coreml_gate.conversion.mapping import Mapped
from coreml_gate.criteria import has_parity
from coreml_gate.diagnose.perturbed_samples import SourceAndPackage, perturbed_samples
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import Samples, load_samples
from coreml_gate.engines.source import Source, load_source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.mil.package import read_package
from coreml_gate.package_facts.shapes import shape_cases
from coreml_gate.rules.catalogue import look


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*")
    arguments = parser.parse_args()
    root = arguments.folder.resolve()
    config = load_config(root)
    chosen = select_models(config, arguments.models) if arguments.models else config
    asked = alarms = ruled = 0
    for model in chosen.model:
        tried, wrong, rules = examine(model, root)
        asked, alarms, ruled = asked + tried, alarms + len(wrong), ruled + len(rules)
    print(f"{len(chosen.model)} models, {asked} changed samples: {alarms} differ, {ruled} rules fire")
    return 0


def examine(model: ModelConfig, root: Path) -> tuple[int, list[str], list[str]]:
    """Changed samples that were tried, those that differ, and the rules that fire."""
    started = time.perf_counter()
    source = load_source(model.source, root)
    samples = load_samples(model, source, root, 1)
    with tempfile.TemporaryDirectory() as folder:
        mapped = _converted(source, samples, model, Path(folder))
        package = read_package(mapped.package)
        engine = load_mil_engine(package, "fp32", None, model)
        limits = model.limits.parity
        side = SourceEngine(source, engine.output_names)
        sides = SourceAndPackage(side, engine, model, limits, shape_cases(engine.model.interface))
        found = [perturbed for perturbed, _ in perturbed_samples(sides, samples.samples[0])]
        matches = look(model, package, package, graph_of(mapped.graph, root))
    wrong = [item for item in found if not has_parity(item.comparisons, limits)]
    rules = [match.rule for match in matches if match.severity in {"silent", "fatal"}]
    print(
        f"{model.name:20} {len(found):3} changed samples, {time.perf_counter() - started:5.1f} s; "
        f"differ: {', '.join(item.name for item in wrong) or 'none'}; rules: {', '.join(rules) or 'none'}",
        flush=True,
    )
    for item in wrong:
        worst = max(item.comparisons, key=lambda each: each.relative_error)
        print(f"    {item.name}: {worst.relative_error:.2g} of max, {worst.nonfinite_mismatches} not finite")
    return len(found), [item.name for item in wrong], rules


def _converted(source: Source, samples: Samples, model: ModelConfig, folder: Path) -> Mapped:
    """By the first route that succeeds, as the gate does it."""
    first, *others = routes(source, model)
    try:
        return Mapper(source, samples, model, folder, first).mapped()
    except ConversionFailedError:
        if not others:
            raise
        return Mapper(source, samples, model, folder, others[0]).mapped()


if __name__ == "__main__":
    sys.exit(main())
