"""One example along one route: converted and compared as a run of the gate does it."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.comparing.compare import comparisons
from coreml_gate.config import ModelConfig
from coreml_gate.config.limits import ParityLimits
from coreml_gate.conversion.mapper import Mapper
from coreml_gate.criteria import has_parity
from coreml_gate.diagnose.parity_diagnosis import diagnose_parity
from coreml_gate.diagnose.parity_failure import Failure, Suspect
from coreml_gate.diagnose.perturbed_samples import SourceAndPackage, perturbed_samples
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.mil.package import read_package
from coreml_gate.package_facts.shapes import shape_cases
from coreml_gate.record import ParityDiagnosis, Route
from tests.run_folder import new_folder

LIMITS = ParityLimits()


class Example(torch.nn.Module):
    """The body of a forward(x, y)."""

    def __init__(self, body: str) -> None:
        super().__init__()
        space: dict[str, Any] = {"torch": torch, "F": functional}
        exec(f"def function(x, y):\n{textwrap.indent(body, '    ')}", space)
        self.function: Any = space["function"]

    def forward(self, x: Tensor, y: Tensor) -> Any:
        return self.function(x, y)


@dataclass(frozen=True)
class Found:
    """What the numbers say of one example."""

    on_samples: bool
    """Whether the sample as it is differs."""
    on_changes: tuple[str, ...]
    """Changes of the sample that differ."""
    failure: Failure | None = None

    def diagnosis(self) -> ParityDiagnosis:
        """The search for the first wrong operation."""
        assert self.failure is not None
        return diagnose_parity(self.failure)


def measured(body: str, route: Route, folder: Path | None = None) -> Found:
    """Converts and compares; nothing here knows of any bug."""
    folder = new_folder() if folder is None else folder
    generator = torch.Generator().manual_seed(7)
    sample = {name: torch.randn(2, 3, 4, generator=generator) for name in ("x", "y")}
    source = Source("module", "net.py:net", Path(__file__).parent, Example(body).eval())
    samples = Samples(("x", "y"), (sample,), random=False, fingerprint="")
    config = ModelConfig(name="net", source="net.py:net", conversion=route)
    mapped = Mapper(source, samples, config, folder, route).mapped()
    package = load_mil_engine(read_package(mapped.package), "fp32", None, config)
    engine = SourceEngine(source, package.output_names)
    own = comparisons(engine.run(sample), package.run(sample), 0)
    if not has_parity(own, LIMITS):
        failure = Failure(source, samples, config, folder, route, Suspect("samples", sample, 0))
        return Found(on_samples=True, on_changes=(), failure=failure)
    sides = SourceAndPackage(engine, package, config, LIMITS, shape_cases(package.model.interface))
    wrong = [
        (perturbed.name, given)
        for perturbed, given in perturbed_samples(sides, sample)
        if not has_parity(perturbed.comparisons, LIMITS)
    ]
    suspect = Suspect(wrong[0][0], wrong[0][1], 0) if wrong else None
    failure = None if suspect is None else Failure(source, samples, config, folder, route, suspect)
    return Found(on_samples=False, on_changes=tuple(name for name, _ in wrong), failure=failure)
