"""What judging costs: 1,000 models against a baseline, a model with 5,000 rules, 20,000 models of one name.

    python benchmarks/judge/bench.py

Prints the CPU seconds and the greatest memory of `coreml-gate judge`, in a process of its own for each case.
Each model has 8 samples of two outputs, 17 perturbed samples and a program of 40 operations.
"""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.builders import comparison, model_record, precision_comparison, record  # noqa: E402

from coreml_gate.record import (  # noqa: E402 - after the path of the tests' builders
    ModelRecord,
    PerturbedSample,
    RuleMatch,
    RulePlace,
)

MODELS: Final = 1_000
RULES: Final = 5_000
OF_ONE_NAME: Final = 20_000


def measured(name: str, error: float = 8e-7) -> ModelRecord:
    """A model as a run leaves it."""
    pairs = [(output, sample) for sample in range(8) for output in ("logits", "mask")]
    lines = tuple(
        f"op_{each}\tmul\tlayer.{each}\tv_{each}=fp16[1, 64]\tv_{each - 1}\t\t" for each in range(40)
    )
    return model_record(
        name=name,
        parity=tuple(comparison(output=output, sample=sample) for output, sample in pairs),
        precision=tuple(precision_comparison(output=output, sample=sample) for output, sample in pairs),
        adversarial=tuple(
            PerturbedSample(name=f"change {each}", comparisons=(comparison(max_abs_error=error),))
            for each in range(17)
        ),
        outline=tuple(lines),
    )


def many() -> str:
    """Models by the thousand."""
    return record(*(measured(f"model-{number}") for number in range(MODELS))).model_dump_json()


def rules() -> str:
    """One model that every rule speaks of."""
    places = (RulePlace(place="x", text="y"),) * 3
    found = (
        RuleMatch(rule=f"rule-{each}", severity="silent", count=3, places=places) for each in range(RULES)
    )
    return record(model_record(rules=tuple(found))).model_dump_json()


def of_one_name() -> str:
    """What no run leaves, and an attacker may: refused."""
    stored = json.loads(record().model_dump_json())
    return json.dumps(stored | {"models": stored["models"] * OF_ONE_NAME})


MEASURE: Final = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
"""Measures from a small process: on Linux a child's greatest memory is at least what its parent had."""
CASES: Final[dict[str, Callable[[], str]]] = {
    f"{MODELS:,} models": many,
    f"{RULES:,} rules": rules,
    f"{OF_ONE_NAME:,} models of one name": of_one_name,
}


def main() -> None:
    """One line per case."""
    for title, make in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            made = make()
            (Path(folder) / "record.json").write_text(made, encoding="utf-8")
            names = dict.fromkeys(model["name"] for model in json.loads(made)["models"])
            tables = (f'[[model]]\nname = "{name}"\nsource = "net.py:build"\n' for name in names)
            (Path(folder) / "coreml-gate.toml").write_text("".join(tables), encoding="utf-8")
            print(f"{title}: {_judged(Path(folder))}", flush=True)


def _judged(folder: Path) -> str:
    command = [sys.executable, "-m", "coreml_gate", "judge", "record.json", "--baseline", "record.json"]
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], cwd=folder, check=True, capture_output=True, text=True
    )
    code, seconds, size = json.loads(measured.stdout)
    scale = 1 if sys.platform != "darwin" else 1024
    return f"{seconds:.1f} s of CPU, {size / scale / 1e3:.0f} MB, exit code {code}"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
