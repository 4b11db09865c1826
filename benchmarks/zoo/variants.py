"""Who computes: each variant loads what it needs and gives a function that runs sample 0 once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch

from coreml_gate.config import ModelConfig
from coreml_gate.engines.engine import Sample
from coreml_gate.engines.mil import MilEngine, load_mil_engine
from coreml_gate.engines.source import Source, load_source
from coreml_gate.mil.package import Package, read_package
from zoo.row import Variant

Run = Callable[[], object]
Mode = Literal["fp32", "fp16"]
SAMPLE = "sample.pt"
_PACKAGES: Mapping[Mode, str] = {"fp32": "reference.mlpackage", "fp16": "package.mlpackage"}
_OPSET = 17


@dataclass(frozen=True)
class Subject:
    """A model of the zoo, and the folder that holds its packages and its sample 0."""

    config: ModelConfig
    root: Path
    folder: Path
    threads: int

    @cached_property
    def source(self) -> Source:
        return load_source(self.config.source, self.root)

    @cached_property
    def sample(self) -> Sample:
        loaded: Sample = torch.load(self.folder / SAMPLE, weights_only=True)
        return loaded

    def package(self, mode: Mode) -> Package:
        return read_package(self.folder / _PACKAGES[mode])

    def engine(self, mode: Mode, output_names: tuple[str, ...] | None = None) -> MilEngine:
        return load_mil_engine(self.package(mode), mode, output_names, self.config)


def eager(subject: Subject) -> Run:
    """The source as a user runs it; in inference mode, as our runtime is."""
    source, sample = subject.source, subject.sample

    def run() -> object:
        with torch.inference_mode():
            return source.call(sample)

    return run


def fp32(subject: Subject) -> Run:
    """Our runtime on the float32 twin."""
    return _predict(subject.engine("fp32"), subject.sample)


def fp16(subject: Subject) -> Run:
    """Our runtime on the package that ships, with FP16 semantics."""
    return _predict(subject.engine("fp16"), subject.sample)


def _predict(engine: MilEngine, sample: Sample) -> Run:
    inputs = engine.inputs(sample)
    return lambda: engine.model.predict(inputs)


def onnx(subject: Subject) -> Run:
    """ONNX Runtime in float32, on an export by tracing."""
    # The other variants, and their memory, must not pay for this import.
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415

    path = subject.folder / "model.onnx"
    if not path.exists():
        _export(subject, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = subject.threads
    # Its threads spin after a run, and slow down whoever runs next by 1.5 to 3 times.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    wanted = {item.name for item in session.get_inputs()}
    inputs = {name: value.numpy() for name, value in subject.sample.items() if name in wanted}
    return lambda: session.run(None, inputs)


def _export(subject: Subject, path: Path) -> None:
    from coreml_gate.conversion.flat import flat_module  # noqa: PLC0415 - brings coremltools with it
    from coreml_gate.conversion.quiet import quiet  # noqa: PLC0415

    arguments = tuple(value.clone() for value in subject.sample.values())
    names = list(subject.sample)
    with quiet(), torch.no_grad():
        module = flat_module(subject.source, subject.sample)
        torch.onnx.export(module, arguments, str(path), input_names=names, opset_version=_OPSET, dynamo=False)


VARIANTS: Mapping[Variant, Callable[[Subject], Run]] = {
    "eager": eager,
    "fp32": fp32,
    "fp16": fp16,
    "onnx": onnx,
}
