"""Do the packages of one front-end pass have the bytes of two conversions? Over the zoo, one net per process.

    python benchmarks/zoo/same_bytes.py [--models resnet50,gru]

Prints a line per net and the CPU seconds of both ways; the exit code is 1 where any byte differs. What a
save draws at random (the manifest's identifiers, the date) does not count.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import coremltools as ct

from coreml_gate.config.load import load_config, select_models
from coreml_gate.conversion.capture import Captured, capture, routes
from coreml_gate.conversion.conversion import PACKAGE, REFERENCE, Task, task_of
from coreml_gate.conversion.failures import ConversionFailedError, converter_errors
from coreml_gate.conversion.packages import save, save_packages, to_core_ml, to_half
from coreml_gate.conversion.shims import identity_shims
from coreml_gate.engines.samples import load_samples
from coreml_gate.engines.source import load_source
from coreml_gate.mil.package import read_package

ZOO = Path(__file__).parent
Ways = dict[str, Callable[[Captured, Task], object]]


def apart(captured: Captured, task: Task) -> None:
    save(to_core_ml(captured, task, ct.precision.FLOAT32), task.folder / REFERENCE)
    save(to_half(captured, task)[0], task.folder / PACKAGE)


WAYS: Ways = {"apart": apart, "at once": save_packages}


def compared(name: str, folder: Path) -> str:
    """One line; raises :class:`SystemExit` where a byte differs or no route converts."""
    (config,) = select_models(load_config(ZOO, None), [name]).model
    source = load_source(config.source, ZOO)
    samples = load_samples(config, source, ZOO, 1, ())
    failure = ""
    for route in routes(source, config):
        seconds: dict[str, float] = {}
        try:
            for way, make in WAYS.items():
                task = task_of(source, samples, config, folder / way)
                with converter_errors(ZOO), identity_shims():
                    captured = capture(route, source, samples, task.config)
                    started = time.process_time()
                    make(captured, task)
                    seconds[way] = time.process_time() - started
        except ConversionFailedError as error:
            failure = error.message
            continue
        prints = [
            [read_package(folder / way / each).fingerprint() for each in (REFERENCE, PACKAGE)] for way in WAYS
        ]
        if prints[0] != prints[1]:
            raise SystemExit(f"{name} by {route}: the bytes differ")
        times = ", ".join(f"{taken:.1f} s {way}" for way, taken in seconds.items())
        return f"{name} by {route}: the same bytes; {times}"
    raise SystemExit(f"{name}: no route converts: {failure}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; all without")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        with tempfile.TemporaryDirectory() as folder:
            print(compared(options.one, Path(folder)), flush=True)
        return 0
    names = options.models.split(",") if options.models else [model.name for model in load_config(ZOO).model]
    codes = [
        subprocess.run([sys.executable, __file__, "--one", name], check=False).returncode for name in names
    ]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
