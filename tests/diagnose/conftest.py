"""Small sources converted for real: the float32 twin, the shipped package, origins of operations."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.config import ModelConfig
from coreml_gate.conversion import convert
from coreml_gate.conversion.origins import read_origins
from coreml_gate.conversion.shipped import convert_shipped
from coreml_gate.diagnose.ranges import Range, Ranges
from coreml_gate.diagnose.repair import HalfPrecisionCase
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import Samples, load_samples
from coreml_gate.engines.source import Source, load_source
from coreml_gate.frozen import changed
from coreml_gate.mil.package import read_package

HEADER = "import torch\nfrom torch import nn\n"


@dataclass(frozen=True)
class Bench:
    case: HalfPrecisionCase
    ranges: dict[str, Range]
    source: Source
    samples: Samples
    config: ModelConfig
    folder: Path

    def convert_again(self, patterns: tuple[str, ...]) -> Path:
        kept = changed(self.config, keep_fp32=patterns)
        route = "trace" if self.config.conversion == "trace" else "export"
        return convert_shipped(self.source, self.samples, kept, self.folder / "again", route)[0]


class MakeBench:
    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, text: str, **options: Any) -> Bench:
        (self.root / "net.py").write_text(HEADER + text, encoding="utf-8")
        config = ModelConfig(
            name="net", source="net.py:Net", samples="net.py:samples", output=("y",), **options
        )
        source = load_source(config.source, self.root)
        samples = load_samples(config, source, self.root, 8)
        conversion = convert(source, samples, config, self.root / "out")
        assert conversion.reference is not None, conversion.facts.message
        assert conversion.package is not None
        twin, shipped = read_package(conversion.reference), read_package(conversion.package)
        wide = load_mil_engine(twin, "fp32", ("y",), config)
        inputs = [wide.inputs(sample) for sample in samples.samples]
        ranges = Ranges()
        for given in inputs:
            ranges.observe_inputs(given)
            wide.model.predict(given, observe=ranges.observe)
        origins, limits = read_origins(conversion.origins), config.limits.precision
        case = HalfPrecisionCase(twin, shipped, origins, inputs, limits, kept=config.keep_fp32)
        return Bench(case, ranges.of, source, samples, config, self.root)


@pytest.fixture
def bench(importable: Path) -> MakeBench:
    return MakeBench(importable)


RMS = """
class RMSNorm(nn.Module):
    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.norms = nn.ModuleList(RMSNorm() for _ in range(2))
        self.lines = nn.ModuleList(nn.Linear(16, 16) for _ in range(2))
    def forward(self, x):
        for norm, line in zip(self.norms, self.lines):
            x = line(norm(x)) * 400
        return torch.tanh(x / 400)

def samples():
    torch.manual_seed(1)
    return [torch.randn(2, 16) * scale for scale in (1.0, 400.0, 500.0)]
"""

DEEP = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(*(nn.Sequential(nn.Linear(16, 16), nn.Tanh()) for _ in range(12)))
    def forward(self, x):
        return self.layers(x)

def samples():
    torch.manual_seed(1)
    return [torch.randn(2, 16) for _ in range(3)]
"""
