"""Small packages, made once per run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder


@pytest.fixture(scope="session")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``relu(linear(x))`` with weights of 64 x 32 halves, as a package."""
    weight = np.arange(64 * 32, dtype=np.float32).reshape(64, 32) / 2048

    @Builder.program(input_specs=[Builder.TensorSpec(shape=(1, 32))], opset_version=ct.target.iOS17)
    def program(x: Any) -> Any:
        return Builder.relu(x=Builder.linear(x=x, weight=weight), name="answer")

    path = tmp_path_factory.mktemp("dense") / "dense.mlpackage"
    ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS17).save(str(path))
    return path


@pytest.fixture
def broken(dense: Path, tmp_path: Path) -> Callable[[str, Callable[[bytes], bytes | None]], Path]:
    """``broken(file, change)`` copies the package with one file changed (``None`` deletes it)."""

    def make(name: str, change: Callable[[bytes], bytes | None]) -> Path:
        copy = tmp_path / "broken.mlpackage"
        for source in (item for item in dense.rglob("*") if item.is_file()):
            data: bytes | None = source.read_bytes()
            if source.name == name:
                data = change(source.read_bytes())
            if data is not None:
                target = copy / source.relative_to(dense)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        return copy

    return make
