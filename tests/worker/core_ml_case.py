"""A small package with samples and answers, for tests of children that use Core ML."""

import os
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it

from coreml_gate.measure.package import package_facts
from coreml_gate.mil.package import read_package
from coreml_gate.worker.core_ml import ChildSurroundings
from coreml_gate.worker.core_ml_job import PackageAsked
from coreml_gate.worker.expected import ExpectedSample, write_expected
from coreml_gate.worker.process import ProcessLimits

SAMPLES = (np.float32([1, -2, 3, 4]), np.float32([0.5, 0.25, -8, 16]))
FACTOR = 2.0


def around(step_s: float = 60, **options: Any) -> ChildSurroundings:
    """Children with the stand-in, on one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return ChildSurroundings(environment, ProcessLimits(step_s), stand_in=True, **options)


def build(folder: Path, name: str = "double", factor: float = FACTOR) -> PackageAsked:
    """A package that multiplies by a power of two, which half precision does exactly."""

    @mb.program(input_specs=[mb.TensorSpec((4,))], opset_version=ct.target.iOS17)
    def program(x: Any) -> Any:
        return mb.mul(x=x, y=np.float32(factor), name="y")

    path = folder / f"{name}.mlpackage"
    ct.convert(program, minimum_deployment_target=ct.target.iOS17, skip_model_load=True).save(str(path))
    facts = package_facts(read_package(path), path.name)
    return PackageAsked(path=path, inputs=facts.inputs, outputs=facts.outputs, output_names=("scores",))


def expect(path: Path, factor: float = FACTOR) -> Path:
    """What the source and our runtime are supposed to have answered."""
    answers = [{"scores": factor * sample} for sample in SAMPLES]
    write_expected(
        path,
        (
            ExpectedSample({"x": sample}, answer, answer)
            for sample, answer in zip(SAMPLES, answers, strict=True)
        ),
    )
    return path
