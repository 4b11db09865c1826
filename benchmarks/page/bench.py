"""What the page costs: 200 models of 1,000 operations each, head beside base, and 20 such models by size.

    python benchmarks/page/bench.py

Prints the CPU seconds and the greatest memory of rendering alone, and the size of the page. Each model warns,
so that each is shown in full. The Records are read before: reading them is `benchmarks/judge`.
"""

import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.builders import memory, model_record, model_verdict, record, verdict  # noqa: E402

from coreml_gate.record import (  # noqa: E402 - after the path of the tests' builders
    ModelRecord,
    OperationProfile,
    Phase,
    Record,
)
from coreml_gate.report import ReportOptions, html  # noqa: E402
from coreml_gate.verdict import Status  # noqa: E402

OPERATIONS: Final = 1_000
CASES: Final = (20, 200)
TYPES: Final = ("conv", "relu", "add", "mul", "linear", "reshape", "softmax", "layer_norm")
SECONDS: Final = 5
MEGABYTES: Final = 500


def measured(name: str, seed: int, changed: int) -> ModelRecord:
    """A model with figures that do not repeat, so that they compress as real ones do."""
    numbers = random.Random(seed)
    names = [f"{numbers.choice(TYPES)}_{at}" for at in range(OPERATIONS)]
    error = [float(f"{numbers.lognormvariate(-8, 1):.3g}") for _ in names]
    return model_record(
        name=name,
        outline=("x", names[-1], *(_line(at, names, numbers, changed) for at in range(OPERATIONS))),
        profile=OperationProfile(
            operations=tuple(names),
            places=tuple(f"models/net_{seed % 7}.py:{at // 5}" for at in range(OPERATIONS)),
            reaches=tuple(float(f"{numbers.lognormvariate(1, 2):.3g}") for _ in names),
            errors={"fp16": tuple(error), "neural-engine": tuple(2 * each for each in error)},
        ),
        memory=memory(timeline=tuple(numbers.randrange(10**7) for _ in range(48))),
        phases=tuple(Phase(step=step, seconds=1.0) for step in ("source", "convert", "measure")),
    )


def _line(at: int, names: list[str], numbers: random.Random, changed: int) -> str:
    shape = f"fp16[1, {numbers.choice((64, 128, 256))}, 14, 14]"
    setting = f"{numbers.getrandbits(48) + (at == changed):012x}"
    read = names[at - 1] if at else "x"
    kind, result = names[at].split("_")[0], f"{names[at]}={shape}"
    return f"{names[at]}_cast_fp16\t{kind}\tlayers.{at // 10}\t{result}\t{read}\t{setting}\t"


def records(models: int) -> tuple[Record, Record]:
    """Head and base, which differ in one operation of every tenth model."""
    names = [f"model-{number}" for number in range(models)]
    head = record(*(measured(name, seed, -1) for seed, name in enumerate(names)))
    base = record(
        *(measured(name, seed, 500 if seed % 10 == 0 else -1) for seed, name in enumerate(names)),
        commit="0f9e8d7",
    )
    return head, base


def render(models: int) -> None:
    """One line: seconds and memory of rendering, and the page's size."""
    head, base = records(models)
    judged = verdict(*(model_verdict(name=model.name, verdict=Status.WARN) for model in head.models))
    before = _peak()
    started = time.process_time()
    page = html.render(judged, ReportOptions(record=head, base=base))
    seconds, more = time.process_time() - started, _peak() - before
    whole = before + more
    print(
        f"{models} models of {OPERATIONS:,} operations: {seconds:.1f} s of CPU (allowed {SECONDS}), "
        f"{more:.0f} MB on top of {before:.0f} MB of Records (allowed {MEGABYTES} MB in all), "
        f"page of {len(page.encode()) / 1e6:.2f} MB",
        flush=True,
    )
    if seconds > SECONDS or whole > MEGABYTES:
        raise SystemExit(1)


def _peak() -> float:
    scale = 1e3 if sys.platform != "darwin" else 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


if __name__ == "__main__":
    if len(sys.argv) > 1:
        render(int(sys.argv[1]))
    else:
        for case in CASES:
            subprocess.run([sys.executable, __file__, str(case)], check=True)
