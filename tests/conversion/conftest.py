"""Small sources as real files, converted into a temporary folder, and a look into the saved packages."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from coremltools.proto import FeatureTypes_pb2, Model_pb2

from coreml_gate.config import ModelConfig
from coreml_gate.conversion import Conversion, convert
from coreml_gate.engines.samples import Samples, load_samples
from coreml_gate.engines.source import Source, load_source

HEADER = "import torch\nfrom torch import nn\n"
_ARRAYS = {
    FeatureTypes_pb2.ArrayFeatureType.FLOAT32: "float32",
    FeatureTypes_pb2.ArrayFeatureType.FLOAT16: "float16",
    FeatureTypes_pb2.ArrayFeatureType.INT32: "int32",
}


@dataclass(frozen=True)
class Bench:
    """One source and its configuration, ready to be converted."""

    source: Source
    samples: Samples
    config: ModelConfig
    folder: Path

    def convert(self) -> Conversion:
        return convert(self.source, self.samples, self.config, self.folder)


class MakeBench:
    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, text: str, reference: str = "net.py:Net", **options: Any) -> Bench:
        (self.root / "net.py").write_text(HEADER + text, encoding="utf-8")
        config = ModelConfig(name="net", source=reference, **options)
        source = load_source(reference, self.root)
        return Bench(source, load_samples(config, source, self.root, 2), config, self.root / "out")


@pytest.fixture
def bench(importable: Path) -> MakeBench:
    return MakeBench(importable)


@dataclass(frozen=True)
class Saved:
    """What a saved package says of itself."""

    spec: Model_pb2.Model

    @property
    def inputs(self) -> dict[str, tuple[str, list[int]]]:
        return {item.name: _array(item) for item in self.spec.description.input}

    @property
    def outputs(self) -> dict[str, tuple[str, list[int]]]:
        return {item.name: _array(item) for item in self.spec.description.output}

    @property
    def operations(self) -> list[str]:
        (block,) = self.spec.mlProgram.functions["main"].block_specializations.values()
        return [operation.type for operation in block.operations if operation.type != "const"]


def saved(path: Path | None) -> Saved:
    assert path is not None
    model = Model_pb2.Model()
    model.ParseFromString((path / "Data" / "com.apple.CoreML" / "model.mlmodel").read_bytes())
    return Saved(model)


def _array(item: Model_pb2.FeatureDescription) -> tuple[str, list[int]]:
    array = item.type.multiArrayType
    return _ARRAYS[array.dataType], list(array.shape)
