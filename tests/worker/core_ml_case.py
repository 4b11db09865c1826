"""A small package with samples and answers, for tests of children that use Core ML."""

from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it

from coreml_gate.children.job import DescribedPackage
from coreml_gate.children.process import ProcessLimits
from coreml_gate.children.reference_data import ReferenceSample, write_reference_data
from coreml_gate.mil.package import read_package
from coreml_gate.package_facts.description import package_facts
from coreml_gate.worker.supervisor import Supervisor
from tests.warm import ENVIRONMENT, WARM

SAMPLES = (np.float32([1, -2, 3, 4]), np.float32([0.5, 0.25, -8, 16]))
FACTOR = 2.0


def around(step_s: float = 600, **options: Any) -> Supervisor:
    """Children with the stand-in, on one thread."""
    return Supervisor(ENVIRONMENT, ProcessLimits(step_s), stand_in=True, start=WARM, **options)


def build(folder: Path, name: str = "double", factor: float = FACTOR) -> DescribedPackage:
    """A package that multiplies by a power of two, which half precision does exactly."""

    @mb.program(input_specs=[mb.TensorSpec((4,))], opset_version=ct.target.iOS17)
    def program(x: Any) -> Any:
        return mb.mul(x=x, y=np.float32(factor), name="y")

    path = folder / f"{name}.mlpackage"
    ct.convert(program, minimum_deployment_target=ct.target.iOS17, skip_model_load=True).save(str(path))
    facts = package_facts(read_package(path), path.name)
    return DescribedPackage.of(facts, path.parent, ("scores",))


def expect(path: Path, factor: float = FACTOR) -> Path:
    """What the source and our runtime are supposed to have answered."""
    answers = [{"scores": factor * sample} for sample in SAMPLES]
    write_reference_data(
        path,
        (
            ReferenceSample({"x": sample}, answer, answer)
            for sample, answer in zip(SAMPLES, answers, strict=True)
        ),
    )
    return path
