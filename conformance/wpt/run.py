"""Run WebNN's conformance vectors through the MIL runtime: ``python conformance/wpt/run.py [operator ...]``.

Exit code 0: every vector that Core ML passes is within WPT's tolerance; 1: some are not.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from conformance.wpt.lowering import lower  # noqa: E402  # reachable only now when run as a file
from conformance.wpt.tolerances import tolerance, ulps  # noqa: E402
from conformance.wpt.vectors import Vector, read_vectors  # noqa: E402
from coreml_gate.errors import GateError  # noqa: E402
from coreml_gate.runtime.compile import compile_function  # noqa: E402
from coreml_gate.runtime.precision import Mode  # noqa: E402

RESULTS = Path(__file__).with_name("results.json")
_INPUTS = frozenset({"float32", "float16", "int32"})
_OUTPUTS = _INPUTS | {"int8", "uint8"}
_LARGEST = 10**6
_GREATEST_RANK = 5

NOT_CORE_ML: Final[Mapping[str, str]] = {
    "integers near 2^31": "Core ML computes them in float32 (rustnn/rustnn#183)",
    "index outside": "Core ML gives some number, the runtime an error (gather_gpu in Chromium's baselines)",
}
"""Vectors that Core ML itself fails, and why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one vector: ``passed``, ``failed``, ``skipped`` or ``core-ml fails``."""

    file: str
    name: str
    dtype: str
    status: str
    ulps: float = 0.0
    reason: str = ""


def main(arguments: Sequence[str]) -> int:
    """Run, print a table, and name every vector that fails."""
    update = "--update" in arguments
    wanted = {item for item in arguments if not item.startswith("--")}
    vectors = [item for item in read_vectors() if not wanted or {item.file, item.operator} & wanted]
    outcomes = list(run_all(vectors))
    print("\n".join(report(outcomes)))  # noqa: T201
    if update:
        estimate = Counter(f"{item.file} {item.status}" for item in run_all(vectors, "neural-engine"))
        engine = {name: count for name, count in estimate.items() if name.endswith(("passed", "failed"))}
        results = summary(outcomes) | {"neural-engine": engine}
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    return int(any(item.status == "failed" for item in outcomes))


def run_all(vectors: Iterable[Vector], mode: Mode = "fp16") -> Iterator[Outcome]:
    """Each vector's outcome."""
    for vector in vectors:
        dtype = next(iter(vector.expected.values())).dtype.name
        reason = _not_run(vector)
        if reason:
            yield Outcome(vector.file, vector.name, dtype, "skipped", reason=reason)
            continue
        try:
            found = predict(vector, mode)
        except GateError as error:
            yield _ended(vector, dtype, str(error))
            continue
        yield _compared(vector, found, dtype)


def predict(vector: Vector, mode: Mode) -> list[NDArray[Any]]:
    """The outputs of the lowered vector, in the order of its expected ones."""
    function, names = lower(vector)
    inputs = [torch.from_numpy(np.array(vector.inputs[name])) for name in names]
    with torch.inference_mode():
        return [value.numpy() for value in compile_function(function, mode).run(inputs)]


def _not_run(vector: Vector) -> str:
    """Why a vector is not run: Core ML has no such type or rank, or the data is not whole."""
    arrays = [*vector.inputs.values(), *vector.expected.values()]
    indices = vector.inputs.get(str(vector.arguments.get("indices")))  # a constant, which may have any type
    taken = {array.dtype.name for array in vector.inputs.values() if array is not indices}
    given = {array.dtype.name for array in vector.expected.values()}
    foreign = (taken - _INPUTS - ({"uint8"} if vector.operator == "logicalNot" else set())) | (
        given - _OUTPUTS
    )
    if foreign:
        return f"Core ML has no {', '.join(sorted(foreign))}"
    if max(array.ndim for array in arrays) > _GREATEST_RANK:
        return "Core ML has five dimensions at most"
    if any(array.size > _LARGEST for array in arrays):
        return "more than a million elements"
    if any(value is None for value in vector.options.values()) or any(
        array.dtype.kind == "f" and np.isnan(array).any() for array in arrays
    ):
        return "the data has a NaN or an infinity that JSON does not hold"
    return ""


def _ended(vector: Vector, dtype: str, message: str) -> Outcome:
    outside = vector.operator == "gather" and "lies outside of" in message
    status, reason = ("core-ml fails", NOT_CORE_ML["index outside"]) if outside else ("failed", message)
    return Outcome(vector.file, vector.name, dtype, status, reason=reason)


def _compared(vector: Vector, found: Sequence[NDArray[Any]], dtype: str) -> Outcome:
    expected = list(vector.expected.values())
    for got, wanted in zip(found, expected, strict=True):
        if got.size != wanted.size:
            reason = f"gives the shape {got.shape}, expected {wanted.shape}"
            return Outcome(vector.file, vector.name, dtype, "failed", reason=reason)
    pairs = [
        (got.reshape(wanted.shape).astype(wanted.dtype), wanted)
        for got, wanted in zip(found, expected, strict=True)
    ]
    apart = max(ulps(*pair) for pair in pairs)
    allowed = tolerance(vector)
    close = (
        all(np.allclose(*pair, rtol=0, atol=allowed.absolute) for pair in pairs)
        if allowed.absolute
        else apart <= allowed.ulps
    )
    if close:
        return Outcome(vector.file, vector.name, dtype, "passed", apart)
    if dtype == "int32" and any(np.abs(wanted.astype(np.int64)).max() > 2**24 for _, wanted in pairs):
        reason = NOT_CORE_ML["integers near 2^31"]
        return Outcome(vector.file, vector.name, dtype, "core-ml fails", apart, reason)
    return Outcome(vector.file, vector.name, dtype, "failed", apart, f"{apart:g} ULP, allowed {allowed}")


def report(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """One line per file and type, the failures, and the sums."""
    for file, types in summary(outcomes)["files"].items():
        for dtype, counts in types.items():
            yield f"{file} {dtype}: {', '.join(f'{value:g} {key}' for key, value in counts.items())}"
    for item in outcomes:
        if item.status == "failed":
            yield f"FAILED {item.file}: {item.name} ({item.dtype}): {item.reason}"
    total = Counter(item.status for item in outcomes)
    yield ", ".join(f"{count} {status}" for status, count in sorted(total.items()))


def summary(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Counts by file and type, with the largest distance of what passed; what did not, by reason and name."""
    files: dict[str, dict[str, Counter[str]]] = {}
    reasons, others = Counter[str](), list[str]()
    for item in outcomes:
        counts = files.setdefault(item.file, {}).setdefault(item.dtype, Counter())
        counts[item.status] += 1
        if item.status == "passed":
            counts["ulps"] = max(counts["ulps"], int(item.ulps))
        else:
            reasons[item.reason] += 1
            others.append(f"{item.file}: {item.name}")
    return {"files": files, "reasons": reasons, "not passed": others}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
