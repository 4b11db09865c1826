"""What does looking for the first wrong operation cost, beside one plain run of both sides?

The plain run is the source in PyTorch and its package in the MIL runtime.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from coreml_gate.config import ModelConfig
from coreml_gate.conversion.mapper import Mapper
from coreml_gate.diagnose.first_wrong import first_wrong
from coreml_gate.diagnose.torch_steps import run_graph
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.samples import load_samples
from coreml_gate.engines.source import load_source, run_source
from coreml_gate.mil.package import read_package
from coreml_gate.record import FirstWrong

HERE = Path(__file__).parent
ROUNDS = 5
MOST = 3.0
"""What the goal allows."""


@dataclass(frozen=True)
class Cost:
    """Seconds, and what was found."""

    source: float
    package: float
    look: float
    found: FirstWrong

    @property
    def ratio(self) -> float:
        return self.look / (self.source + self.package)


def cost() -> Cost:
    """Of a ResNet-50 with one faulty operation."""
    config = ModelConfig(
        name="resnet50", source="resnet.py:FaultyResNet50", samples="resnet.py:images", conversion="export"
    )
    source = load_source(config.source, HERE)
    samples = load_samples(config, source, HERE, 1)
    (image,) = samples.samples
    with tempfile.TemporaryDirectory() as folder:
        mapper = Mapper(source, samples, config, Path(folder), "export")
        plain = load_mil_engine(read_package(mapper.mapped().package), "fp32", None, config)
        mapped = mapper.mapped(())
        engine = load_mil_engine(read_package(mapped.package), "fp32", None, config)

        def look() -> FirstWrong:
            run = run_graph(mapped.graph, list(image.values()), source.root)
            return first_wrong(engine.model, engine.inputs(image), mapped.keys, run, 1e-4)

        return Cost(
            timed(lambda: run_source(source, image)), timed(lambda: plain.run(image)), timed(look), look()
        )


def timed(run: Callable[[], object]) -> float:
    """Median of some rounds, after one that is not counted."""
    run()
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return median(seconds)
