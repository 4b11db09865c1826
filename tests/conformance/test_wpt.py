"""The harness of WebNN's vectors: does it lower what is meant, and notice a wrong number?"""

from dataclasses import replace

import numpy as np
import pytest
from conformance.wpt.lowering import LOWERINGS, lower
from conformance.wpt.run import run_all, summary
from conformance.wpt.tolerances import Tolerance, tolerance, ulps
from conformance.wpt.vectors import Vector, read_vectors
from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

VECTORS = list(read_vectors())
CONV = next(item for item in VECTORS if item.operator == "conv2d")


def named(name: str) -> Vector:
    return next(item for item in VECTORS if item.name == name)


def test_every_operator_is_lowered_to_operations_that_mil_has() -> None:
    assert {item.operator for item in VECTORS} == set(LOWERINGS)
    kinds = {
        made.type
        for item in VECTORS
        if item.file not in {"clamp", "abs", "cast", "neg", "relu", "sub", "reduce_l1", "add"}
        for made in lower(item)[0].block.operations
    }
    assert kinds <= set(SSAOpRegistry.core_ops)


def test_a_vector_within_its_tolerance_passes_and_one_beyond_fails() -> None:
    assert [item.status for item in run_all([CONV])] == ["passed"]
    (name,) = CONV.expected
    wrong = CONV.expected[name].copy()
    wrong.flat[-1] *= 1.0001
    (outcome,) = run_all([replace(CONV, expected={name: wrong})])
    assert outcome.status == "failed"
    assert outcome.ulps == pytest.approx(1e-4 * 1.656954 / 2**-23, abs=2)
    assert "allowed Tolerance(ulps=18" in outcome.reason


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("abs int32 4D tensor", "core-ml fails", "float32"),
        ("abs int8 4D tensor", "skipped", "no int8"),
        ("add float32 large inputs", "skipped", "million"),
        ("abs float16 6D tensor", "skipped", "five dimensions"),
        ("gather float32 1D tensor and int64 0D scalar indices default options", "passed", ""),
    ],
)
def test_what_core_ml_fails_or_cannot_take_is_no_pass(name: str, status: str, words: str) -> None:
    (outcome,) = run_all([named(name)])
    assert outcome.status == status
    assert words in outcome.reason


def test_the_summary_counts_by_file_and_type_and_keeps_the_largest_distance() -> None:
    found = summary(run_all(item for item in VECTORS if item.operator == "softmax"))
    assert (
        found["files"]["softmax"]["float32"]["passed"] + found["files"]["softmax"]["float16"]["passed"] == 9
    )
    assert 0 < found["files"]["softmax"]["float32"]["ulps"] <= 8
    assert not found["reasons"]


def test_a_tolerance_counts_the_products_of_one_element() -> None:
    assert tolerance(CONV) == Tolerance(2 * 3 * 3 * 1)


def test_distances_are_in_representable_numbers_of_the_type() -> None:
    one = np.array([1, -0.0, np.nan], np.float16)
    other = np.array([np.nextafter(np.float16(1), np.float16(2)), 0.0, np.nan], np.float16)
    assert ulps(other, one) == 1
    assert ulps(np.array([-5], np.int32), np.array([7], np.int32)) == 12
