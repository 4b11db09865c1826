"""A rewrite is offered for the pattern that is there, with its axes, and for nothing that looks like it."""

from typing import Any

import numpy as np
import pytest

from coreml_gate.diagnose.rewrites import rewrites
from coreml_gate.mil.ir import Function, Operation
from coreml_gate.record import Hazard, HazardKind
from tests.mil.programs import const, function, operation, tensor

X = tensor("x", 2, 8, 16)
Wire = tuple[str, dict[str, str]]


def program(constants: dict[str, Any], **wires: Wire) -> Function:
    """Operations by name: type and operands; every value has the shape of ``x``."""
    made: list[Operation] = [const(name, value) for name, value in constants.items()]
    made += [operation(kind, tensor(name, 2, 8, 16), **operands) for name, (kind, operands) in wires.items()]
    return function((X,), *made, outputs=(made[-1].name,))


def offered(made: Function, at: str, kind: HazardKind = "overflow") -> dict[str, tuple[str, ...]]:
    hazard = Hazard(kind=kind, operation=at, operation_type="", reaches=1e6, bound=65504.0, bites_in="fp16")
    return {rewrite.title: rewrite.code for rewrite in rewrites(made, (hazard,))}


def root(reduction: str, divided: str) -> dict[str, Wire]:
    return {
        "shifted": ("add", {"x": reduction, "y": "epsilon"}),
        "root": ("sqrt", {"x": "shifted"}),
        "normal": ("real_div", {"x": divided, "y": "root"}),
    }


@pytest.mark.parametrize(("axes", "dim"), [([-1], "-1"), ([2], "-1"), ([1], "1"), ([1, 2], "(1, 2)")])
def test_an_rms_norm_is_rewritten_along_its_own_axes(axes: list[int], dim: str) -> None:
    made = program(
        {"axes": axes, "epsilon": np.float16(1e-5)},
        squared=("square", {"x": "x"}),
        mean=("reduce_mean", {"x": "squared", "axes": "axes"}),
        **root("mean", "x"),
    )

    for name in ("squared", "mean"):
        (code,) = offered(made, name).values()
        assert code[0].startswith(f"scale = x.abs().amax({dim}, keepdim=True)")
        assert f"y.square().mean({dim}, keepdim=True)" in code[2]


def test_a_norm_that_subtracts_a_mean_gets_no_rms_norm() -> None:
    """GroupNorm, InstanceNorm and LayerNorm written out: the rewrite would drop the mean."""
    made = program(
        {"axes": [2], "epsilon": np.float16(1e-5)},
        average=("reduce_mean", {"x": "x", "axes": "axes"}),
        centred=("sub", {"x": "x", "y": "average"}),
        squared=("mul", {"x": "centred", "y": "centred"}),
        variance=("reduce_mean", {"x": "squared", "axes": "axes"}),
        **root("variance", "centred"),
    )

    assert offered(made, "squared") == {}
    assert offered(made, "variance") == {}


def test_a_mean_of_squares_that_normalises_nothing_gets_no_norm() -> None:
    made = program(
        {"axes": [2], "epsilon": np.float16(1e-5)},
        squared=("square", {"x": "x"}),
        mean=("reduce_mean", {"x": "squared", "axes": "axes"}),
        loudness=("sqrt", {"x": "mean"}),
    )

    assert offered(made, "squared") == {}


def test_a_sum_of_squares_is_an_l2_norm_and_no_mean() -> None:
    made = program(
        {"axes": [2], "epsilon": np.float16(1e-5)},
        squared=("square", {"x": "x"}),
        total=("reduce_sum", {"x": "squared", "axes": "axes"}),
        **root("total", "x"),
    )

    (title,) = offered(made, "squared")
    assert title == "scale the input before squaring it, so that the L2 norm cannot overflow"


@pytest.mark.parametrize(
    ("one", "expected"), [(1.0, ["use the form of softplus that cannot overflow"]), (2.0, [])]
)
def test_only_the_log_of_one_plus_an_exponential_is_a_softplus(one: float, expected: list[str]) -> None:
    made = program(
        {"one": np.float16(one)},
        grown=("exp", {"x": "x"}),
        shifted=("add", {"x": "grown", "y": "one"}),
        y=("log", {"x": "shifted"}),
    )

    assert list(offered(made, "grown")) == expected


def test_a_logsumexp_keeps_its_axis() -> None:
    made = program(
        {"axes": [1]},
        grown=("exp", {"x": "x"}),
        total=("reduce_sum", {"x": "grown", "axes": "axes"}),
        y=("log", {"x": "total"}),
    )

    (code,) = offered(made, "grown").values()
    assert code[0] == "top = x.amax(1, keepdim=True)"


def test_scores_that_overflow_are_no_mask() -> None:
    scaled = program(
        {"scale": np.float16(0.5)},
        scores=("mul", {"x": "x", "y": "scale"}),
        y=("softmax", {"x": "scores"}),
    )
    masked = program(
        {"hidden": np.float16(-3e4)},
        scores=("add", {"x": "x", "y": "hidden"}),
        y=("softmax", {"x": "scores"}),
    )

    assert offered(scaled, "scores") == {}
    assert list(offered(masked, "scores")) == ["use a mask value within FP16"]


def test_a_mean_divides_by_what_it_counts() -> None:
    made = program({"axes": [1, 2]}, y=("reduce_mean", {"x": "x", "axes": "axes"}))

    (code,) = offered(made, "y", "accumulation").values()
    assert code == (
        "y = (x / n).sum((1, 2))  # divide first: the sum stays as small as the mean, n elements each",
    )
