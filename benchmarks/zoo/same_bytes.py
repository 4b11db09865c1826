"""Do the packages of one front-end pass have the bytes of two conversions? Over the zoo, one net per process.

    python benchmarks/zoo/same_bytes.py [--models resnet50,gru]

Prints a line per net and the CPU seconds of both ways; the exit code is 1 where any byte differs. What a
save draws at random (the manifest's identifiers, the date) does not count. Where two plain conversions differ
in the order of their operations, what each output is computed of is compared instead.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import coremltools as ct

from coreml_gate.config import ModelConfig
from coreml_gate.config.load import load_config, select_models
from coreml_gate.conversion.capture import Captured, Route, capture, routes
from coreml_gate.conversion.conversion import PACKAGE, REFERENCE, Task, task_of
from coreml_gate.conversion.failures import ConversionFailedError, converter_errors
from coreml_gate.conversion.packages import save, save_packages, to_core_ml, to_half
from coreml_gate.conversion.shims import identity_shims
from coreml_gate.engines.samples import Samples, load_samples
from coreml_gate.engines.source import Source, load_source
from coreml_gate.mil.diff import ProgramOutline
from coreml_gate.mil.outline import outline
from coreml_gate.mil.package import read_package

ZOO = Path(__file__).parent
Way = Callable[[Captured, Task], object]
SIDES = (REFERENCE, PACKAGE)


def apart(captured: Captured, task: Task) -> None:
    save(to_core_ml(captured, task, ct.precision.FLOAT32), task.folder / REFERENCE)
    save(to_half(captured, task)[0], task.folder / PACKAGE)


@dataclass(frozen=True)
class Subject:
    """One net, and the folder that takes its packages."""

    config: ModelConfig
    source: Source
    samples: Samples
    folder: Path

    def made(self, route: Route, way: Way, name: str) -> tuple[Path, float]:
        """The packages by one way from a capture of its own, and the CPU seconds after the capture."""
        task = task_of(self.source, self.samples, self.config, self.folder / name)
        with converter_errors(ZOO), identity_shims():
            captured = capture(route, self.source, self.samples, task.config)
            started = time.process_time()
            way(captured, task)
        return task.folder, time.process_time() - started


def subject(name: str, folder: Path) -> Subject:
    (config,) = select_models(load_config(ZOO, None), [name]).model
    source = load_source(config.source, ZOO)
    return Subject(config, source, load_samples(config, source, ZOO, 1, ()), folder)


def compared(net: Subject, route: Route) -> str:
    """What holds; raises :class:`SystemExit` where another program came out."""
    first, seconds = net.made(route, apart, "apart")
    once, less = net.made(route, save_packages, "once")
    times = f"{seconds:.1f} s apart, {less:.1f} s at once"
    if fingerprints(first) == fingerprints(once):
        return f"the same bytes; {times}"
    again, _ = net.made(route, apart, "again")
    if fingerprints(again) != fingerprints(first) and computed(once) == computed(first) == computed(again):
        return f"the same operations, whose order differs between two plain conversions as well; {times}"
    raise SystemExit(f"{net.config.name} by {route}: the packages differ")


def fingerprints(folder: Path) -> list[str]:
    return [read_package(folder / side).fingerprint() for side in SIDES]


def computed(folder: Path) -> list[list[int]]:
    """What each output is computed of, whatever the order and the names of the operations."""
    return [_outputs(outline(read_package(folder / side).function())) for side in SIDES]


def _outputs(program: ProgramOutline) -> list[int]:
    known = {name: hash(name) for name in program.inputs}
    for node in program.nodes:
        reads = tuple(known.get(name, 0) for name in node.reads)
        types = tuple(result.type for result in node.results)
        made = hash((node.type, types, reads, node.settings, node.weights))
        known |= {result.name: hash((made, at)) for at, result in enumerate(node.results)}
    return [known[name] for name in program.outputs]


def line(name: str, folder: Path) -> str:
    """The first route that converts."""
    net, failure = subject(name, folder), ""
    for route in routes(net.source, net.config):
        try:
            return f"{name} by {route}: {compared(net, route)}"
        except ConversionFailedError as error:
            failure = error.message
    raise SystemExit(f"{name}: no route converts: {failure}")


def run_alone(name: str) -> int:
    return subprocess.run([sys.executable, __file__, "--one", name], check=False).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; all without")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        with tempfile.TemporaryDirectory() as folder:
            print(line(options.one, Path(folder)), flush=True)
        return 0
    names = options.models.split(",") if options.models else [model.name for model in load_config(ZOO).model]
    codes = [
        subprocess.run([sys.executable, __file__, "--one", name], check=False).returncode for name in names
    ]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
