"""The stand-in in place for one test file, out again for the others; packages built in code."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import coremltools
import numpy as np
import pytest
from coremltools.converters.mil import Builder

from coreml_gate import stand_in
from coreml_gate.stand_in.script import VARIABLE, Script


@pytest.fixture(autouse=True, scope="session")
def _installed() -> Iterator[None]:
    stand_in.install(force=sys.platform == "darwin")
    yield
    stand_in.uninstall()


@pytest.fixture(scope="session")
def convert() -> Callable[..., Any]:
    """A function of MIL values as a converted model."""

    def build(body: Callable[..., Any], *shapes: tuple[int, ...], **options: Any) -> Any:
        target = options.setdefault("minimum_deployment_target", coremltools.target.iOS18)
        specs = [Builder.TensorSpec(shape=shape) for shape in shapes]
        program = Builder.program(input_specs=specs, opset_version=target)(body)
        return coremltools.convert(program, **options)

    return build


@pytest.fixture(scope="session")
def scale(convert: Callable[..., Any]) -> Callable[..., Any]:
    """A model that multiplies its input by a number, with inputs, outputs and targets as asked."""

    def build(factor: float, shape: tuple[int, ...] = (2,), **options: Any) -> Any:
        return convert(lambda x: Builder.mul(x=x, y=np.float32(factor), name="y"), shape, **options)

    return build


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def write(**options: Any) -> None:
        path = tmp_path / "script.json"
        path.write_text(Script.model_validate(options).model_dump_json())
        monkeypatch.setenv(VARIABLE, str(path))

    return write
