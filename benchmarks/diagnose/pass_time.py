"""What does looking for the first wrong operation cost? ``python pass_time.py``.

Compared with one plain run of both sides: the source in PyTorch, the package in the MIL runtime.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody writes it

from coreml_gate.config import ModelConfig
from coreml_gate.convert.pipeline import convert_mapped
from coreml_gate.diagnose.first_wrong import first_wrong
from coreml_gate.diagnose.torch_steps import run_graph
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source, run_source
from coreml_gate.mil.package import read_package
from coreml_gate.record import FirstWrong

ROUNDS = 5


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.reduce = _layer(inputs, width, 1, 1)
        self.conv = _layer(width, width, 3, stride)
        self.expand = _layer(width, 4 * width, 1, 1)
        fits = stride == 1 and inputs == 4 * width
        self.shortcut = nn.Identity() if fits else _layer(inputs, 4 * width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.conv(torch.relu(self.reduce(x))))
        return torch.relu(self.expand(inner) + self.shortcut(x))


class Faulty(nn.Module):
    """ResNet-50 (25.6 million parameters) with one operation that the converter gets wrong."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        blocks, inputs = [], 64
        for width, depth, first in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for index in range(depth):
                blocks.append(Bottleneck(inputs, width, first if index == 0 else 1))
                inputs = 4 * width
        self.stem = _layer(3, 64, 7, 2)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inputs, 1000)

    def forward(self, x: Tensor) -> Tensor:
        features = self.blocks(F.max_pool2d(torch.relu(self.stem(x)), 3, 2, 1))
        return self.head(torch.sub(features, features.mean(1, keepdim=True), alpha=0.5).mean((2, 3)))


def _layer(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def main() -> int:
    """Prints the three times and their ratio."""
    source = Source("module", "resnet50", Path(__file__).parent, Faulty().eval())
    image = {"x": torch.randn(1, 3, 224, 224)}
    samples = Samples(("x",), (image,), random=False, fingerprint="")
    config = ModelConfig(name="resnet50", source="pass_time.py:Faulty")
    with tempfile.TemporaryDirectory() as folder:
        optimised = convert_mapped(source, samples, config, Path(folder) / "a", "export")
        plain = load_mil_engine(read_package(optimised.package), "fp32", None, config)
        mapped = convert_mapped(source, samples, config, Path(folder) / "b", "export", ())
        engine = load_mil_engine(read_package(mapped.package), "fp32", None, config)
        of_source = timed(lambda: run_source(source, image))
        of_package = timed(lambda: plain.run(image))

        def look() -> FirstWrong:
            run = run_graph(mapped.graph, [image["x"]], source.root)
            return first_wrong(engine.model, engine.inputs(image), mapped.keys, run, 1e-4)

        found, answer = timed(look), look()
    print(f"source {of_source:.3f} s, package {of_package:.3f} s, first wrong operation {found:.3f} s")
    print(f"{found / (of_source + of_package):.2f} times one plain run of both")
    print(
        f"found `{answer.operation}` ({answer.place}), {answer.compared_share:.0%} of the operations compared"
    )
    return 0


def timed(run: Callable[[], object]) -> float:
    """Median of some rounds, after one that is not counted."""
    run()
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return median(seconds)


if __name__ == "__main__":
    sys.exit(main())
