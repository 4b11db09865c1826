"""How long does `evaluate` take over many images on ResNet-50, against the same loop in ONNX Runtime?

    OMP_NUM_THREADS=1 python benchmarks/speed/evaluate.py [--images 128] [--rounds 4] [--packages build/speed]

The images are drawn one after the other, as a metric streams them; the loops take turns in a rotated order,
each over an equal share of the images in each round. On one thread and in CPU time, so that a busy machine
disturbs little. Writes seconds per 1,000 images, and the ratio to ONNX Runtime's, into docs/performance.md.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from coreml_gate.config.load import load_config  # noqa: E402
from coreml_gate.engines.engine import Engine, Outputs, Sample  # noqa: E402
from coreml_gate.engines.evaluate import evaluate  # noqa: E402
from coreml_gate.record import Side  # noqa: E402
from pages import write_between_marks  # noqa: E402
from speed.bench import Net, measured  # noqa: E402 - the folder of the benchmarks has to be on the path first
from zoo.bench import ZOO  # noqa: E402
from zoo.variants import Subject  # noqa: E402

NET = Net("zoo", "resnet50")
PER = 1_000
ONNX = "ONNX Runtime"
PAGE = FOLDER.parents[1] / "docs" / "performance.md"
MARK = "evaluation"


class OnnxEngine:
    """ONNX Runtime in the place of an engine, so that both loops run the same code of a user."""

    side: Side = "litert"

    def __init__(self, path: Path) -> None:
        import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra of the benchmarks

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(self, sample: Sample) -> Outputs:
        given = {name: value.numpy() for name, value in sample.items()}
        return {"logits": self._session.run(None, given)[0]}


def metric(first: int, count: int) -> Callable[[Callable[..., Outputs]], dict[str, float]]:
    """The metric of a user: the mean of the classes with the greatest score."""

    def mean(predict: Callable[..., Outputs]) -> dict[str, float]:
        found = [np.argmax(next(iter(predict(image).values()))) for image in images(first, count)]
        return {"mean": float(np.mean(found))}

    return mean


def images(first: int, count: int) -> Iterator[torch.Tensor]:
    """One image after the other: none is held."""
    for number in range(first, first + count):
        yield torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(number))


def seconds(engine: Engine, names: tuple[str, ...], first: int, count: int) -> float:
    """CPU time of the loop over these images."""
    started = time.process_time()
    evaluate(metric(first, count), "metric", FOLDER, [engine], names)
    return time.process_time() - started


def engines_of(packages: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The three engines by name, and the names of their inputs."""
    if not (packages / NET.group / NET.name / "model.onnx").exists():
        measured(NET, packages, 1)
    config = next(model for model in load_config(ZOO).model if model.name == NET.name)
    subject = Subject(config, ZOO, packages / NET.group / NET.name, 1)
    onnx = OnnxEngine(subject.folder / "model.onnx")
    return {ONNX: onnx, "fp32": subject.engine("fp32"), "fp16": subject.engine("fp16")}, tuple(subject.sample)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--packages", type=Path, default=FOLDER.parents[1] / "build" / "speed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    engines, names = engines_of(options.packages.resolve())
    count, taken = options.images // options.rounds, dict[str, list[float]]((name, []) for name in engines)
    for engine in engines.values():
        seconds(engine, names, 0, 2)
    for turn in range(options.rounds):
        order = [*engines][turn % len(engines) :] + [*engines][: turn % len(engines)]
        for name in order:
            taken[name].append(seconds(engines[name], names, turn * count, count))
    scaled = PER / (count * options.rounds)
    text = table({name: [each * scaled for each in found] for name, found in taken.items()})
    conditions = (
        f"{options.images} images, {options.rounds} rounds, CPU time on one thread, scaled to {PER:,} images."
    )
    print(f"{conditions}\n\n{text}")
    write_between_marks(PAGE, MARK, f"{conditions}\n\n{text}")


def table(taken: Mapping[str, Sequence[float]]) -> str:
    """Seconds of all rounds together, and the median ratio to ONNX Runtime's of the same round."""
    lines = ["| Engine | Seconds | Ratio |", "| --- | ---: | ---: |"]
    for name, found in taken.items():
        ratio = statistics.median(one / other for one, other in zip(found, taken[ONNX], strict=True))
        lines.append(f"| {name} | {sum(found):.1f} | {ratio:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
