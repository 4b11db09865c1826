"""Memory and cost of real packages, at the shapes of a sample and at all others that they take."""

from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder
from coremltools.converters.mil.mil import get_new_symbol

from coreml_gate.mil.ir import Feature, Interface
from coreml_gate.mil.package import Package, read_package
from coreml_gate.package_facts.memory_and_cost import footprint, measured_footprint
from coreml_gate.package_facts.shapes import MOST_CASES, shape_cases, zeros
from coreml_gate.runtime import load

WIDTH = 16
WEIGHT = np.linspace(-1, 1, WIDTH * WIDTH, dtype=np.float32).reshape(WIDTH, WIDTH)


def converted(folder: Path, shape: Any, length: Any) -> Package:
    """Scores of a sequence with itself: activations grow with the square of its length."""

    @Builder.program(
        input_specs=[Builder.TensorSpec(shape=(1, length, WIDTH))], opset_version=ct.target.iOS17
    )
    def program(x: Any) -> Any:
        y = Builder.linear(x=x, weight=WEIGHT, name="line")
        return Builder.softmax(
            x=Builder.matmul(x=y, y=y, transpose_y=True, name="scores"), axis=-1, name="answer"
        )

    inputs = [ct.TensorType("x", shape=shape)] if shape is not None else None
    path = folder / "m.mlpackage"
    model = ct.convert(
        program, inputs=inputs, minimum_deployment_target=ct.target.iOS17, skip_model_load=True
    )
    model.save(str(path))
    return read_package(path)


def activations(length: int) -> int:
    """Where the answer becomes float32, one square of each type is alive, and the caller's float32 input."""
    return (2 + 4) * length * length + 4 * length * WIDTH


@pytest.fixture(scope="module")
def ranged(tmp_path_factory: pytest.TempPathFactory) -> Package:
    shape = ct.Shape((1, ct.RangeDim(4, 256, default=64), WIDTH))
    return converted(
        tmp_path_factory.mktemp("ranged"),
        shape,
        get_new_symbol(),
    )


def test_fixed_shapes_need_no_other(tmp_path: Path) -> None:
    package = converted(tmp_path, None, 64)
    memory, cost = measured_footprint(load(package), {"x": np.zeros((1, 64, WIDTH), np.float32)})
    assert (memory.shape, memory.other_shapes, cost.shape) == ("", (), "")
    assert memory.activation_bytes == activations(64)
    assert memory.total_bytes == memory.weight_bytes + activations(64)
    assert cost.macs == 64 * WIDTH * WIDTH + 64 * 64 * WIDTH
    assert footprint(package) == (memory, cost)


def test_extremes_of_a_range_are_measured_and_the_worst_counts(ranged: Package) -> None:
    memory, cost = measured_footprint(load(ranged), {"x": np.zeros((1, 64, WIDTH), np.float32)})
    assert (memory.shape, cost.shape) == ("x (1, 64, 16)", "x (1, 64, 16)")
    assert memory.activation_bytes == activations(64)
    assert [item.shape for item in memory.other_shapes] == ["x (1, 4, 16)", "x (1, 256, 16)"]
    assert memory.worst.activation_bytes == activations(256)
    assert memory.worst.peak_operation == memory.other_shapes[1].peak_operation


def test_a_shape_that_is_too_large_is_said_and_not_run(
    ranged: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coreml_gate.package_facts.memory_and_cost.MOST_BYTES", activations(64))
    memory, _ = measured_footprint(load(ranged), {"x": np.zeros((1, 64, WIDTH), np.float32)})
    assert [item.activation_bytes is None for item in memory.other_shapes] == [False, True]
    assert memory.other_shapes[1].problem == "4 times the sample: too large to be run here"
    assert memory.worst.shape == memory.shape


def feature(name: str, **options: Any) -> Feature:
    return Feature(name, options.pop("kind", "multiarray"), "fp32", **options)


def shapes_of(*features: Feature) -> list[dict[str, tuple[int, ...]]]:
    return [dict(case.shapes) for case in shape_cases(Interface(features, ()))]


def test_enumerated_shapes_of_several_inputs_change_together() -> None:
    ids = feature("ids", shape=(1, 8), shapes=((1, 8), (1, 16)))
    mask = feature("mask", shape=(1, 8), shapes=((1, 8), (1, 16)))
    fixed = feature("scale", shape=(1,))
    assert shapes_of(ids, mask, fixed) == [
        {"ids": (1, 8), "mask": (1, 8), "scale": (1,)},
        {"ids": (1, 16), "mask": (1, 16), "scale": (1,)},
    ]


def test_inputs_with_different_numbers_of_shapes_change_one_by_one() -> None:
    one = feature("a", shape=(1,), shapes=((1,), (2,)))
    other = feature("b", shape=(1,), shapes=((1,), (3,), (4,)))
    assert shapes_of(one, other) == [
        {"a": (1,), "b": (1,)},
        {"a": (2,), "b": (1,)},
        {"a": (1,), "b": (3,)},
        {"a": (1,), "b": (4,)},
    ]


def test_a_range_without_an_end_stands_at_its_default_and_is_marked() -> None:
    (least, greatest) = shape_cases(Interface((feature("x", shape=(1, 32), ranges=((1, 1), (2, None))),), ()))
    assert (least.shapes["x"], least.unbounded) == ((1, 2), False)
    assert (greatest.shapes["x"], greatest.unbounded) == ((1, 32), True)


def test_many_shapes_are_cut_to_the_largest() -> None:
    many = feature("x", shape=(1,), shapes=tuple((size,) for size in range(1, 101)))
    sizes = [case["x"][0] for case in shapes_of(many)]
    assert sizes == list(range(100 - MOST_CASES + 1, 101))


@pytest.mark.parametrize(("color", "shape"), [("RGB", (4, 6, 3)), ("GRAYSCALE", (4, 6))])
def test_an_image_has_its_channels_last(color: str, shape: tuple[int, ...]) -> None:
    picture = feature("picture", kind="image", shape=(2, 2), ranges=((2, 4), (2, 6)), color=color)
    interface = Interface((picture,), ())
    assert zeros(interface, shape_cases(interface)[1])["picture"].shape == shape
