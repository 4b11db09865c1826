import io

import numpy as np
import pytest

from coreml_gate.arrays import Array, greatest_magnitude, save_arrays, share_of_subnormals


def test_the_arrays_are_stored_and_nothing_else() -> None:
    file = io.BytesIO()
    save_arrays(file, {"0/core-ml/x": np.arange(3.0), "label": np.asarray(["owl"])})
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        assert sorted(stored) == ["0/core-ml/x", "label"]
        assert stored["label"].tolist() == ["owl"]


def test_python_objects_are_never_pickled() -> None:
    with pytest.raises(ValueError, match="the array `y` holds Python objects"):
        save_arrays(io.BytesIO(), {"y": np.asarray([{}, None], dtype=object)})


@pytest.mark.parametrize(
    ("array", "greatest"),
    [
        (np.array([1.0, -3.0], np.float16), 3.0),
        (np.array([[2.5, -1.0]], np.float32), 2.5),
        (np.array([1.0, -np.inf]), np.inf),
        (np.array([-(2**31), 5], np.int32), 2.0**31),
        (np.array([7, 0], np.uint8), 7.0),
        (np.array([False, True]), 1.0),
        (np.float32(-4.0).reshape(()), 4.0),
    ],
)
def test_the_greatest_magnitude_is_that_of_the_numbers_themselves(array: Array, greatest: float) -> None:
    assert greatest_magnitude(array) == greatest


def test_the_greatest_magnitude_of_what_holds_nan_is_nan() -> None:
    assert np.isnan(greatest_magnitude(np.array([1.0, np.nan, -2.0], np.float32)))


def test_subnormal_halves_are_counted_and_zeros_normal_and_endless_ones_are_not() -> None:
    edge = 2.0**-14
    halves = np.array([0.0, -0.0, edge, -edge, 1.0, np.inf, np.nan, edge / 2, -edge / 2, 6e-8], np.float16)
    assert share_of_subnormals(halves) == 0.3
    many = np.tile(halves, 60_000).reshape(1000, -1)  # more than one block
    assert share_of_subnormals(many) == 0.3
    assert share_of_subnormals(np.zeros(0, np.float16)) == 0.0
