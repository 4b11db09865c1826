"""Packages with a fault, run by the MIL runtime."""

from pathlib import Path

import numpy as np
import torch

from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.mil.ir import Block, Function, Operation, TensorType, Value
from coreml_gate.mil.package import read_package
from coreml_gate.mil.write import write_package
from coreml_gate.selftest.faults import OVERFLOW, WRONG_SIGN, enlarged, multiplied
from tests.builders import model_config

FLOATS = TensorType("fp32", (2, 3))
INTEGERS = TensorType("int32", (2, 3))


def package(path: Path, *types: tuple[str, str, TensorType]) -> Path:
    """A chain of operations on one input, each a type, the name of its output and its type."""
    operations, before = [], "x"
    for kind, name, out in types:
        operations.append(Operation(kind, name, {"x": (before,)}, {}, (Value(name, out),)))
        before = name
    given = (Value("x", FLOATS),)
    write_package(Function("main", 17, given, Block(given, tuple(operations), (before,))), path)
    return path


def answer(path: Path, x: np.ndarray) -> np.ndarray:
    engine = load_mil_engine(read_package(path), "fp32", ("y",), model_config())
    (found,) = engine.run({"x": torch.from_numpy(x)}).values()
    return np.asarray(found)


X = np.array([[-1.0, 0.5, 2.0], [3.0, -4.0, 0.0]], np.float32)


def test_the_sign_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    sound = package(tmp_path / "sound.mlpackage", ("relu", "a", FLOATS), ("abs", "y", FLOATS))
    assert multiplied(sound, tmp_path / "faulty.mlpackage", WRONG_SIGN) == "fp32"
    assert np.array_equal(answer(sound, X), np.maximum(X, 0))
    assert np.array_equal(answer(tmp_path / "faulty.mlpackage", X), -np.maximum(X, 0))


def test_in_float32_an_overflow_of_halves_changes_nothing(tmp_path: Path) -> None:
    sound = package(tmp_path / "sound.mlpackage", ("relu", "y", FLOATS))
    multiplied(sound, tmp_path / "faulty.mlpackage", OVERFLOW)
    assert np.array_equal(answer(tmp_path / "faulty.mlpackage", X), answer(sound, X))


def test_a_larger_package_computes_the_same(tmp_path: Path) -> None:
    sound = package(tmp_path / "sound.mlpackage", ("relu", "y", FLOATS))
    enlarged(sound, tmp_path / "faulty.mlpackage")
    sizes = [read_package(tmp_path / f"{name}.mlpackage").total_bytes for name in ("sound", "faulty")]
    assert sizes[1] > 2 * sizes[0] + 1_000_000
    assert np.array_equal(answer(tmp_path / "faulty.mlpackage", X), answer(sound, X))
