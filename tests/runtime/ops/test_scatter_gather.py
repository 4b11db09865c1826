import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from coreml_gate.errors import PackageError
from tests.runtime.conftest import RunOperation


@pytest.fixture
def x(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal((3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gather_replaces_an_axis_by_the_axes_of_the_indices(
    x: NDArray[np.float32], axis: int, run_operation: RunOperation
) -> None:
    indices = np.array([[0, -1], [2, 1]], np.int32)
    (found,) = run_operation("gather", {"x": x, "indices": indices}, {"axis": axis})
    np.testing.assert_array_equal(found, np.take(x, indices, axis))


@pytest.mark.parametrize(("axis", "batch_dims"), [(1, 1), (2, 1), (2, 2)])
def test_gather_in_batches(
    x: NDArray[np.float32], axis: int, batch_dims: int, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    indices = rng.integers(0, x.shape[axis], (*x.shape[:batch_dims], 2, 3)).astype(np.int32)
    (found,) = run_operation("gather", {"x": x, "indices": indices}, {"axis": axis, "batch_dims": batch_dims})
    wanted = np.stack([
        np.take(x[batch], indices[batch], axis - batch_dims)
        for batch in itertools.product(*map(range, x.shape[:batch_dims]))
    ])  # fmt: skip
    np.testing.assert_array_equal(found, wanted.reshape(found.shape))


def test_gather_along_axis(
    x: NDArray[np.float32], run_operation: RunOperation, rng: np.random.Generator
) -> None:
    indices = rng.integers(-4, 4, (3, 2, 5)).astype(np.int32)
    (found,) = run_operation("gather_along_axis", {"x": x, "indices": indices}, {"axis": 1})
    np.testing.assert_array_equal(found, np.take_along_axis(x, indices % 4, 1))


@pytest.mark.parametrize("batch_dims", [0, 1])
def test_gather_nd(
    x: NDArray[np.float32], batch_dims: int, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    indices = rng.integers(0, 3, (3, 6, 2)).astype(np.int32)
    (found,) = run_operation("gather_nd", {"x": x, "indices": indices}, {"batch_dims": batch_dims})
    wanted = np.empty((3, 6, 5) if batch_dims == 0 else (3, 6), np.float32)
    for i, j in itertools.product(range(3), range(6)):
        place = tuple(indices[i, j])
        wanted[i, j] = x[place] if batch_dims == 0 else x[(i, *place)]
    np.testing.assert_array_equal(found, wanted)


STEPS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "max": max,
    "min": min,
    "update": lambda _, b: b,
}


@pytest.mark.parametrize("mode", sorted(STEPS))
def test_scatter_works_repeated_places_in_one_by_one(
    x: NDArray[np.float32], mode: str, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    places = np.array([1, -1, 2] if mode == "update" else [1, -1, 1], np.int32)
    updates = rng.uniform(1, 2, (3, 3, 5)).astype(np.float32)
    wanted = x.copy()
    for n, place in enumerate(places):
        wanted[:, place] = np.vectorize(STEPS[mode])(wanted[:, place], updates[:, n])
    (found,) = run_operation(
        "scatter", {"data": x, "indices": places, "updates": updates}, {"axis": 1, "mode": mode}
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("mode", sorted(STEPS))
def test_scatter_along_axis(
    x: NDArray[np.float32], mode: str, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    places = np.argsort(rng.random((3, 4, 5)), 1)[:, :2].astype(np.int32)
    updates = rng.uniform(1, 2, (3, 2, 5)).astype(np.float32)
    wanted = x.copy()
    for i, j, k in itertools.product(range(3), range(2), range(5)):
        place = (i, places[i, j, k], k)
        wanted[place] = STEPS[mode](wanted[place], updates[i, j, k])
    values = {"data": x, "indices": places, "updates": updates}
    (found,) = run_operation("scatter_along_axis", values, {"axis": 1, "mode": mode})
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("mode", ["add", "update"])
def test_scatter_nd(
    x: NDArray[np.float32], mode: str, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    places = np.array([[0, 1], [2, -1]], np.int32)
    updates = rng.standard_normal((2, 5)).astype(np.float32)
    wanted = x.copy()
    for place, update in zip(places, updates, strict=True):
        wanted[tuple(place)] = STEPS[mode](wanted[tuple(place)], update)
    (found,) = run_operation("scatter_nd", {"data": x, "indices": places, "updates": updates}, {"mode": mode})
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "parameter", "place"),
    [
        ("gather", "x", [7]),
        ("gather", "x", [-4]),
        ("gather_nd", "x", [[0, 7]]),  # of an axis of 4: the next row's place, were rows not told apart
        ("gather_nd", "x", [[1, -5]]),
        ("gather_along_axis", "x", [[[7] * 5]]),
        ("scatter", "data", [7]),
        ("scatter_nd", "data", [[0, 7]]),
        ("scatter_along_axis", "data", [[[7] * 5]]),
    ],
)
def test_an_index_out_of_range_is_named_and_never_another_rows_value(
    kind: str, parameter: str, place: list[Any], x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    indices = np.array(place, np.int32)
    index = next(int(number) for number in indices.flat if not -3 <= number < 3)
    shape = {"scatter": (1, 4, 5), "scatter_nd": (1, 5), "scatter_along_axis": indices.shape}
    updates = {"updates": np.ones(shape[kind], np.float32)} if kind in shape else {}
    with pytest.raises(PackageError, match=rf"operation `out_0` \({kind}\): index {index} lies outside of -"):
        run_operation(kind, {parameter: x, "indices": indices, **updates})
