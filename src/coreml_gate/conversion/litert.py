"""The same source through LiteRT (TensorFlow Lite), where its two packages are installed.

``litert-torch`` converts and ``ai-edge-litert`` runs. Neither is a dependency: they are searched when a model
needs them, and imported late, because that takes ten seconds.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal

import torch

from coreml_gate.conversion.flat import flat_module
from coreml_gate.engines.engine import Outputs, Sample
from coreml_gate.engines.source import Source
from coreml_gate.errors import PackageError
from coreml_gate.wording import counted

PACKAGES: Final = ("litert-torch", "ai-edge-litert")
FILE: Final = "model.tflite"


@dataclass(frozen=True)
class LiteRt:
    """The two calls of LiteRT; tests replace them."""

    convert: Callable[..., Any]
    """``litert_torch.convert``."""
    interpreter: Callable[..., Any]
    """``ai_edge_litert.interpreter.Interpreter``."""
    versions: str = ""


def missing() -> tuple[str, ...]:
    """Those of the two packages that are not installed, found without importing them."""
    return tuple(name for name in PACKAGES if _version(name) is None)


def installed() -> LiteRt:
    """Imports both; call :func:`missing` before."""
    converter = importlib.import_module("litert_torch")
    runtime = importlib.import_module("ai_edge_litert.interpreter")
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return LiteRt(converter.convert, runtime.Interpreter, versions)


def convert_to_litert(litert: LiteRt, source: Source, sample: Sample, folder: Path) -> Path:
    """Converts with one sample, as float32; LiteRT's errors pass through."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = tuple(value.clone() for value in sample.values())
    with torch.no_grad():
        edge = litert.convert(flat_module(source, sample), arguments)
    path = folder / FILE
    edge.export(str(path))
    return path


@dataclass(frozen=True)
class LiteRtEngine:
    """A converted file; inputs and outputs are matched with the source's by position."""

    runner: Any
    """The runner of the file's only signature: arrays by name in and out."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    output_names: tuple[str, ...]
    side: Literal["litert"] = "litert"

    def run(self, sample: Sample) -> Outputs:
        """Compute one sample."""
        arrays = (value.detach().contiguous().numpy() for value in sample.values())
        answers = self.runner(**dict(zip(self.inputs, arrays, strict=True)))
        return {name: answers[own] for name, own in zip(self.output_names, self.outputs, strict=True)}


def load_litert(litert: LiteRt, path: Path, output_names: Sequence[str]) -> LiteRtEngine:
    """Opens a file; raises :class:`PackageError` if it has another number of outputs than the source."""
    interpreter = litert.interpreter(model_path=str(path))
    signatures = interpreter.get_signature_list()
    name, sides = next(iter(signatures.items()))
    outputs = _in_order(sides["outputs"])
    if len(outputs) != len(output_names):
        raise PackageError(
            f"LiteRT's file has {counted(len(outputs), 'output')}, the source has {len(output_names)}.",
            "return every tensor once.",
        )
    runner = interpreter.get_signature_runner(name)
    return LiteRtEngine(runner, _in_order(sides["inputs"]), outputs, tuple(output_names))


def _in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Sort by the number at the end (``output_10`` after ``output_9``); signatures are sorted as text."""
    return tuple(sorted(names, key=lambda name: (len(name), name)))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
