"""Builds the programs of the trial packages with coremltools' own builder."""

from pathlib import Path
from typing import Final

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it
from coremltools.converters.mil.mil import types

from coreml_gate.arrays import Array
from coreml_gate.children.job import DescribedPackage
from coreml_gate.children.reference_data import ReferenceSample, reference_beside, write_reference_data
from coreml_gate.frozen import changed
from coreml_gate.mil.package import read_package
from coreml_gate.package_facts.description import package_facts
from coreml_gate.untyped import CoreMlObject

SHAPE: Final = (1, 8, 16, 16)
_TARGET: Final = ct.target.iOS17
"""The newest target that macOS 14 loads."""
_NEWER: Final = ct.target.iOS18
"""The first target with states and functions; it needs macOS 15."""


def write_trial_packages(folder: Path) -> dict[str, DescribedPackage]:
    """Write every package, with its samples and their known outputs beside it."""
    sample = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    weights = np.random.default_rng(1).standard_normal((8, 8, 1, 1)).astype(np.float32)
    mixed = np.einsum("oi,bihw->bohw", weights[:, :, 0, 0], sample)
    _convolution(folder / "convolution.mlpackage", weights)
    _counter(folder / "state.mlpackage")
    write_functions(folder)
    return {
        "convolution": _described(folder / "convolution.mlpackage", sample, np.maximum(mixed, 0)),
        "state": _described(folder / "state.mlpackage", sample, sample),
        "functions": _described(folder / "functions.mlpackage", sample, 3 * sample, function="triple"),
    }


def _convolution(path: Path, weights: Array) -> None:
    def body(x: CoreMlObject) -> CoreMlObject:
        return mb.relu(x=mb.conv(x=x, weight=weights), name="y")

    _save(_program(body, mb.TensorSpec(SHAPE)), path)


def _counter(path: Path) -> None:
    def body(x: CoreMlObject, total: CoreMlObject) -> CoreMlObject:
        return mb.coreml_update_state(state=total, value=mb.add(x=mb.read_state(input=total), y=x), name="y")

    specs = (mb.TensorSpec(SHAPE, types.fp16), mb.StateTensorSpec(SHAPE, types.fp16))
    _save(_program(body, *specs, target=_NEWER), path, _NEWER)


def write_functions(folder: Path) -> None:
    """Write one package with two functions: ``double``, the default one, and ``triple``."""
    described = ct.utils.MultiFunctionDescriptor()
    for name, factor in (("double", 2.0), ("triple", 3.0)):
        path = folder / f"{name}.mlpackage"
        _save(_scaled(factor), path, _NEWER)
        described.add_function(str(path), "main", name)
    described.default_function_name = "double"
    ct.utils.save_multifunction(described, str(folder / "functions.mlpackage"))


def _scaled(factor: float) -> CoreMlObject:
    def body(x: CoreMlObject) -> CoreMlObject:
        return mb.mul(x=x, y=np.float32(factor), name="y")

    return _program(body, mb.TensorSpec(SHAPE), target=_NEWER)


def _program(body: CoreMlObject, *specs: CoreMlObject, target: CoreMlObject = _TARGET) -> CoreMlObject:
    return mb.program(input_specs=list(specs), opset_version=target)(body)


def _save(program: CoreMlObject, path: Path, target: CoreMlObject = _TARGET) -> None:
    ct.convert(program, minimum_deployment_target=target, skip_model_load=True).save(str(path))


def _described(path: Path, sample: Array, answer: Array, function: str | None = None) -> DescribedPackage:
    facts = package_facts(read_package(path), path.name)
    package = changed(DescribedPackage.of(facts, path.parent), function=function)
    one = ReferenceSample({facts.inputs[0].name: sample}, {facts.outputs[0].name: answer}, {})
    write_reference_data(reference_beside(package.path), [one, one])
    return package
