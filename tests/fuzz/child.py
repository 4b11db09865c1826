"""One process of the fuzz: mutates, looks, loads, predicts; writes what happened, one JSON line per case.

``python -m tests.fuzz.child FOLDER FORM START STOP``: a case is its form and number, and can be run alone.
"""

import json
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from coreml_gate.errors import GateError
from coreml_gate.mil.ir import Feature
from coreml_gate.mil.proto import parse_model
from coreml_gate.runtime import Pipeline, load_pipeline
from coreml_gate.runtime.ops import control_flow
from tests.fuzz.inspecting import inspect
from tests.fuzz.mutations import MUTATIONS, Parts

SECONDS = 10
MEGABYTES = 512
"""How much resident memory one case may add; the packages take less than one."""
OUTCOMES = ("refused at load", "refused at predict", "ran")
FUNCTIONS: dict[str, tuple[str | None, ...]] = {"functions": ("first", "second")}
_ADDRESS_SPACE = 6 * 2**30
_MOST_ELEMENTS = 10**6
_SPEC = "Data/com.apple.CoreML/model.mlmodel"


class OutOfTimeError(BaseException):
    """A case took more than ``SECONDS`` of processor time; nothing that catches errors may catch this one."""


def main(folder: str, form: str, start: str, stop: str) -> None:
    """Run the cases and print their lines."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    control_flow.MOST_ROUNDS = 300
    package = Path(folder) / f"{form}.mlpackage"
    with TemporaryDirectory() as place:
        for number in range(int(start), int(stop)):
            line = case(package, number, Path(place) / str(number))
            print(json.dumps(line), flush=True)  # noqa: T201  # its result


def case(package: Path, number: int, place: Path) -> dict[str, Any]:
    """What became of one mutated package."""
    rng = random.Random(f"{package.stem} {number}")
    names = rng.sample(list(MUTATIONS), rng.choice((1, 1, 1, 2)))
    names[0] = list(MUTATIONS)[number % len(MUTATIONS)]
    write(package, place, names, rng)
    line: dict[str, Any] = {"form": package.stem, "number": number, "mutations": names}
    begin, before = time.perf_counter(), _resident()
    try:
        with _time_limit():
            line["outcome"] = run(place, FUNCTIONS.get(package.stem, (None,)))
    except (Exception, OutOfTimeError) as error:  # noqa: BLE001  # whatever comes out is the finding
        line |= {
            "outcome": "error",
            "error": f"{type(error).__name__}: {error}",
            "trace": traceback.format_exc(),
        }
    grown = _resident() - before
    if grown > MEGABYTES * 2**20:
        line |= {"outcome": "error", "error": f"{grown >> 20} MB of memory"}
    return line | {"seconds": round(time.perf_counter() - begin, 3)}


def write(package: Path, place: Path, names: list[str], rng: random.Random) -> None:
    """The package, mutated, at ``place``."""
    files = {
        str(path.relative_to(package)): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file()
    }
    parts = Parts(parse_model(files.pop(_SPEC)), files)
    for name in names:
        with suppress(IndexError):  # a damage before it left nothing to choose from
            MUTATIONS[name](parts, rng)
    parts.files[_SPEC] = parts.spec.SerializeToString()[: parts.cut]
    for name, data in parts.files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    for name, target in parts.links.items():
        (place / name).unlink(missing_ok=True)
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).symlink_to(target)


def run(package: Path, functions: tuple[str | None, ...]) -> str:
    """Look at the package, load every function, predict twice with each: how far did the furthest get?"""
    inspect(package, lambda _, error: _check(error))
    return max((_run(package, function) for function in functions), key=OUTCOMES.index)


def _run(package: Path, function: str | None) -> str:
    outcome = OUTCOMES[0]
    try:
        pipeline = load_pipeline(package, function)
        outcome = OUTCOMES[1]
        _predict(pipeline)
    except GateError as error:
        _check(error)
        return outcome
    return OUTCOMES[2]


def _predict(pipeline: Pipeline) -> None:
    state = pipeline.make_state()
    wanted = pipeline.stages[0].interface.inputs
    given = {item.name: value for item in wanted if (value := _input(item)) is not None}
    for _ in range(2):
        pipeline.predict(given, state)


def _input(feature: Feature) -> Any:
    """An input of the default shape; none where it may be left out, or where nobody could make one."""
    sizes = np.prod([float(size) for size in feature.shape])
    if feature.optional or not 0 <= sizes <= _MOST_ELEMENTS or min(feature.shape, default=0) < 0:
        return None
    colours = (3,) if feature.kind == "image" and not feature.color.startswith("GRAY") else ()
    array = np.arange(sizes * (3 if colours else 1)).reshape(feature.shape + colours) % 3
    return array.astype(np.int32 if feature.dtype == "int32" else np.float32)


def _check(error: GateError) -> None:
    """A refusal must say something, in one line, with no more than a line of what went wrong inside."""
    if not error.message or len(error.message) > 2_000:
        raise AssertionError(f"a message of {len(error.message)} characters") from error


def _resident() -> int:
    """The greatest resident memory so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise OutOfTimeError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
