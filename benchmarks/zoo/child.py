"""The child process that measures one model: ``python -m zoo.child measure|peak ...`` (bench.py starts it).

What is known so far is written after each step, so that a crash later on does not lose it.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch

from coreml_gate.comparing.compare import compare
from coreml_gate.config.load import load_config
from coreml_gate.engines.engine import Outputs
from coreml_gate.engines.samples import Samples, load_samples
from coreml_gate.engines.source import run_source
from coreml_gate.errors import GateError
from coreml_gate.frozen import changed
from coreml_gate.mil.graph import histogram
from coreml_gate.record import Comparison
from zoo.memory import peak_bytes
from zoo.row import Parity, Row, Variant
from zoo.timing import median_ratio, times_in_turns
from zoo.variants import SAMPLE, VARIANTS, Mode, Run, Subject

ROOT = Path(__file__).parent
MODES: tuple[Mode, ...] = get_args(Mode)
LOADS = 5
Update = dict[str, Any]
Clock = Callable[[], float]
Step = Callable[[Subject, Row], Update]


def steps_of(what: str, rounds: int, clock: Clock) -> tuple[Step, ...]:
    """The steps of ``measure``, or one of them alone: ``time`` takes the packages that ``convert`` left."""
    timed = partial(_time, rounds=rounds, clock=clock)
    alone: dict[str, tuple[Step, ...]] = {"convert": (_convert,), "time": (timed,)}
    return alone.get(what, (_convert, _load, _compare, timed))


def measure(subject: Subject, row: Row, rounds: int, clock: Clock, what: str = "measure") -> Iterator[Row]:
    """The row, again and again, each time with more filled in."""
    for step in steps_of(what, rounds, clock):
        try:
            row = changed(row, **step(subject, row))
        except GateError as error:
            row = changed(row, failures=(*row.failures, error.message))
            yield row
            return
        yield row
        if row.failures:
            return


def _convert(subject: Subject, row: Row) -> Update:
    from coreml_gate.conversion import convert  # noqa: PLC0415 - the peaks are taken without coremltools

    samples = _samples(subject)
    parameters = sum(tensor.numel() for tensor in subject.source.runnable.parameters())
    conversion = convert(subject.source, samples, subject.config, subject.folder)
    facts = conversion.facts
    update = {"parameters": parameters, "conversion_seconds": facts.seconds, "notes": facts.notes}
    if facts.status != "converted":
        return {**update, "failures": (*row.failures, f"conversion: {facts.message}")}
    torch.save(samples.samples[0], subject.folder / SAMPLE)
    package = subject.package("fp16")
    operations = sum(histogram(package.function()).values())
    return {**update, "route": facts.route, "operations": operations, "package_bytes": package.total_bytes}


def _samples(subject: Subject) -> Samples:
    limit = load_config(subject.root).gate.max_samples
    return load_samples(subject.config, subject.source, subject.root, limit)


def _load(subject: Subject, row: Row) -> Update:  # noqa: ARG001 - every step has the same form
    return {"load_seconds": {mode: _median_seconds(partial(subject.engine, mode)) for mode in MODES}}


def _median_seconds(call: Callable[[], object]) -> float:
    seconds = []
    for _ in range(LOADS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _compare(subject: Subject, row: Row) -> Update:  # noqa: ARG001
    samples = _samples(subject).samples
    expected = [run_source(subject.source, sample) for sample in samples]
    parity = {}
    for mode in MODES:
        engine = subject.engine(mode, tuple(expected[0]))
        outputs = [engine.run(sample) for sample in samples]
        parity[mode] = _worst(_compared(expected, outputs, mode))
    return {"parity": parity}


def _compared(expected: list[Outputs], outputs: list[Outputs], mode: Mode) -> list[Comparison]:
    return [
        compare(name, index, values, outputs[index][name], ("source", mode))
        for index, sample in enumerate(expected)
        for name, values in sample.items()
    ]


def _worst(comparisons: list[Comparison]) -> Parity:
    psnr = [item.psnr for item in comparisons if item.psnr is not None]
    errors = [(item.max_abs_error or 0.0) / (item.max_reference or 1.0) for item in comparisons]
    return Parity(psnr=min(psnr) if psnr else None, relative_error=max(errors))


def _time(subject: Subject, row: Row, rounds: int, clock: Clock) -> Update:
    runs: dict[str, Run] = {name: VARIANTS[name](subject) for name in ("eager", "fp32", "fp16")}
    notes = row.notes
    try:
        runs["onnx"] = VARIANTS["onnx"](subject)
        runs["onnx"]()
    except Exception as error:  # noqa: BLE001 - exporter and runtime document none, and both are guests here
        runs.pop("onnx", None)
        notes = (*notes, f"no ONNX: {type(error).__name__}: {str(error).strip().splitlines()[0][:160]}")
    times = times_in_turns(runs, rounds, clock)
    return {
        "notes": notes,
        "milliseconds": {name: 1e3 * statistics.median(taken) for name, taken in times.items()},
        "ratios": {name: median_ratio(taken, times["eager"]) for name, taken in times.items()},
        "fp16_to_fp32": median_ratio(times["fp16"], times["fp32"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["measure", "peak"])
    parser.add_argument("model")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--variant", choices=list(VARIANTS), default="eager")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = next(model for model in load_config(ROOT).model if model.name == options.model)
    subject = Subject(config, ROOT, options.folder, options.threads)
    if options.what == "peak":
        _write_peak(subject, options.variant)
        return
    clock = time.process_time if options.cpu_time else time.perf_counter
    for row in measure(subject, Row(model=options.model), options.rounds, clock):
        (options.folder / "row.json").write_text(row.model_dump_json(), encoding="utf-8")


def _write_peak(subject: Subject, variant: Variant) -> None:
    (subject.folder / f"{variant}.peak").write_text(str(peak_bytes(subject, variant)), encoding="ascii")


if __name__ == "__main__":
    main()
