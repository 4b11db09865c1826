"""A source written into a folder, converted along one route, and the gate's own look for what differs."""

from pathlib import Path

import torch

from coreml_gate.comparing.compare import comparisons
from coreml_gate.config import ModelConfig
from coreml_gate.conversion.mapper import Mapper
from coreml_gate.criteria import failing_error, has_parity
from coreml_gate.diagnose.parity_diagnosis import diagnose_parity
from coreml_gate.diagnose.parity_failure import Failure, Suspect
from coreml_gate.diagnose.perturbed_samples import SourceAndPackage, perturbed_samples
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import load_samples
from coreml_gate.engines.source import load_source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.mil.package import read_package
from coreml_gate.record import ParityDiagnosis, Route

HEADER = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
SAMPLES = """
def samples():
    generator = torch.Generator().manual_seed(1)
    yield torch.randn(2, 3, 4, generator=generator)
"""


def module(expression: str) -> str:
    """A module whose forward is one expression of ``x``, between two layers of others."""
    return f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(4, 4)

    def forward(self, x):
        h = self.first(x) + x
        h = {expression}
        return h * 2
{SAMPLES}"""


def look(root: Path, text: str, route: Route) -> ParityDiagnosis | None:
    """What the gate finds on the samples as they are, then on changed ones; ``None``: no difference."""
    (root / "net.py").write_text(HEADER + text, encoding="utf-8")
    config = ModelConfig(name="net", source="net.py:Net", samples="net.py:samples", conversion=route)
    source = load_source(config.source, root)
    samples = load_samples(config, source, root, 2)
    mapped = Mapper(source, samples, config, root / "out", route).mapped()
    names = tuple(SourceEngine(source).run(samples.samples[0]))
    package = load_mil_engine(read_package(mapped.package), "fp32", names, config)
    sides = SourceAndPackage(SourceEngine(source), package, config, config.limits.parity)
    suspect = _suspect(sides, samples.samples[0])
    return (
        None
        if suspect is None
        else diagnose_parity(Failure(source, samples, config, root / "out", route, suspect))
    )


def _suspect(sides: SourceAndPackage, sample: dict[str, torch.Tensor]) -> Suspect | None:
    answers = sides.source.run(sample), sides.package.run(sample)
    error = failing_error(comparisons(*answers, 0), sides.limits)
    if error > 0:
        return Suspect("samples", sample, 0, error)
    found = perturbed_samples(sides, sample)
    wrong = (
        Suspect(perturbed.name, changed, 0)
        for perturbed, changed in found
        if not has_parity(perturbed.comparisons, sides.limits)
    )
    return next(wrong, None)
