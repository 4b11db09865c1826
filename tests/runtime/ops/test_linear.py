from typing import Any

import numpy as np
import pytest

from tests.runtime.conftest import RunOperation


@pytest.mark.parametrize(("flip_x", "flip_y"), [(False, False), (True, False), (False, True), (True, True)])
def test_matmul_transposes_and_broadcasts(
    flip_x: bool, flip_y: bool, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    x, y = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, 1, 3, 4), (5, 4, 6)))
    wanted = x @ y
    values = {
        "x": x.swapaxes(-1, -2).copy() if flip_x else x,
        "y": y.swapaxes(-1, -2).copy() if flip_y else y,
    }
    (found,) = run_operation("matmul", values, {"transpose_x": flip_x, "transpose_y": flip_y})
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_linear_without_bias_and_einsum(run_operation: RunOperation, rng: np.random.Generator) -> None:
    x, weight = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, 4), (3, 4)))
    (found,) = run_operation("linear", {"x": x}, {"weight": weight})
    np.testing.assert_allclose(found, x @ weight.T, rtol=1e-5, atol=1e-6)
    (same,) = run_operation("einsum", {"values": (x, weight)}, {"equation": "bi,oi->bo"})
    np.testing.assert_allclose(same, found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "weight"), [(np.float32, np.int32), (np.float16, np.int32), (np.int32, np.float32)]
)
def test_linear_with_constants_of_another_type_gives_the_type_of_its_input(
    x: Any, weight: Any, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    given, known = rng.integers(0, 9, (2, 4)).astype(x), rng.integers(0, 9, (3, 4)).astype(weight)
    output = {np.int32: "int32", np.float32: "fp32", np.float16: "fp16"}[x]
    constants = {"weight": known, "bias": np.array([1, 2, 3], weight)}
    (found,) = run_operation("linear", {"x": given}, constants, (output,))
    np.testing.assert_array_equal(found, given @ known.T.astype(x) + np.array([1, 2, 3], x))


def test_matmul_of_an_integer_and_a_float(run_operation: RunOperation) -> None:
    values = {"x": np.array([[1, 2]], np.int32)}
    (found,) = run_operation("matmul", values, {"y": np.array([[0.5], [0.25]], np.float32)})
    np.testing.assert_array_equal(found, [[1]])


@pytest.mark.parametrize("kind", [None, np.bool_, np.float32])
def test_attention_with_every_kind_of_mask(
    kind: Any, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    query, key, value = (rng.standard_normal((2, 3, length, 4)).astype(np.float32) for length in (5, 6, 6))
    values = {"query": query, "key": key, "value": value}
    scores = query @ key.swapaxes(-1, -2) / 2
    if kind is not None:
        values["attn_mask"] = (rng.random((5, 6)) < 0.7).astype(kind)
        values["attn_mask"][:, 0] = 1
        mask = values["attn_mask"]
        scores = np.where(mask, scores, -np.inf) if kind is np.bool_ else scores + mask
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    wanted = weights / weights.sum(-1, keepdims=True) @ value
    (found,) = run_operation("scaled_dot_product_attention", values)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [np.bool_, np.float32])
def test_a_row_without_a_key_is_not_zero_as_in_torch(kind: Any, run_operation: RunOperation) -> None:
    x = np.ones((1, 2, 4), np.float32)
    mask = np.array([[True, False], [False, False]])
    values = {"attn_mask": mask if kind is np.bool_ else np.where(mask, 0, -np.inf).astype(kind)}
    (found,) = run_operation("scaled_dot_product_attention", {"query": x, "key": x, "value": x, **values})
    np.testing.assert_array_equal(found[0], [[1] * 4, [np.nan] * 4])


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_integers_times_a_constant_of_floats_are_cut_to_integers(
    kind: Any, run_operation: RunOperation
) -> None:
    """1.75 and -1.75: the sum is cut, not its products (which would give 0), and not rounded (2)."""
    x = np.array([[1, 1, 1], [-1, -1, -1]], np.int32)
    y = np.array([[0.5], [0.5], [0.75]], kind)
    (found,) = run_operation("matmul", {"x": x}, {"y": y}, ("int32",))
    assert found.dtype == np.int32
    assert found.tolist() == [[1], [-1]]
    (left,) = run_operation("matmul", {"y": x.T.copy()}, {"x": y.T.copy()}, ("int32",))
    assert left.tolist() == [[1, -1]]
