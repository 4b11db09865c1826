"""Activations that are left to a layer: the bits of the program's own operations, and no NaN is hidden."""

import numpy as np
import pytest
import torch

from coreml_gate.mil.ir import Operation
from coreml_gate.runtime.fusion.bounds import GUARDED, holds
from coreml_gate.runtime.fusion.trial import TriedCall
from coreml_gate.runtime.packed import available
from coreml_gate.runtime.plan import ExecutionPlan
from tests.runtime.conftest import constant
from tests.runtime.test_fusion import DTYPES, SHAPE, both, conv, drawn, kinds, on_two, plan_of, relu
from tests.runtime.test_fusion_groups import given, made

pytestmark = pytest.mark.skipif(not available(), reason="this torch has no oneDNN")

ODD = {
    "numbers": 1.0,
    "NaN": np.nan,
    "infinity": np.inf,
    "what overflows": 3e38,
    "what overflows below": -3e38,
    "what a guard refuses": 2 * GUARDED,
    "what a guard lets through": GUARDED,
}


@pytest.fixture(autouse=True)
def small_layers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coreml_gate.runtime.fusion.activations.LEAST_ELEMENTS", 1)


def relu_net() -> ExecutionPlan:
    """Convolutions with relu, one of them behind a sum, and relu6 in the end."""
    operations = (
        conv("a", "x"),
        relu("b", "a"),
        conv("cc", "b"),
        relu("d", "cc"),
        conv("eee", "d"),
        on_two("add", "f", "b", "eee"),
        relu("g", "f"),
        conv("hhhh", "g"),
        made("relu6", "y", "fp32", SHAPE, x="hhhh"),
    )
    return plan_of(operations, ("y",))


def hard_swish(
    x: str, dtype: str = "fp32", alpha: float = 1 / 6, cut: float | None = None
) -> list[Operation]:
    """``y``, with or without the cut that the converter puts before it."""
    number = DTYPES[dtype]
    constants = {"alpha": constant(number(alpha)), "beta": constant(number(0.5))}
    threshold = made("thresholded_relu", "cut", dtype, SHAPE, x=x, alpha=constant(number(cut or 0)))
    operand = x if cut is None else "cut"
    factor = made("sigmoid_hard", "factor", dtype, SHAPE, x=operand, **constants)
    return [*([] if cut is None else [threshold]), factor, on_two("mul", "y", operand, "factor", dtype)]


def assert_same_bits(plan: ExecutionPlan, x: torch.Tensor) -> torch.Tensor:
    for _ in range(2):
        (found,), (wanted,) = both(plan, x)
        np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    return torch.as_tensor(found)


@pytest.mark.parametrize("odd", ODD)
def test_a_relu_behind_a_layer_gives_the_same_bits_and_hides_no_nan(odd: str) -> None:
    plan, x = relu_net(), drawn()
    assert kinds(plan) == [
        "guard", "activated_layer", "activated_layer", "residual_sum", "activated_layer",
    ]  # fmt: skip
    x[0, 3, 5, 5] *= ODD[odd]
    found = assert_same_bits(plan, x)
    if odd in {"NaN", "infinity"}:
        assert bool(found.isnan().any())


def test_onednn_gives_the_bits_of_relu_relu6_and_hard_swish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each would run one by one, and no test would see it."""
    tried, attempt = list[bool](), TriedCall._try

    def recorded(call: TriedCall, operands: tuple[torch.Tensor, ...]) -> bool:
        tried.append(attempt(call, operands))
        return tried[-1]

    monkeypatch.setattr(TriedCall, "_try", recorded)
    assert_same_bits(relu_net(), drawn())
    assert_same_bits(plan_of((conv("a", "x"), *hard_swish("a")), ("y",)), drawn())
    assert tried == [True] * 6, "five activated layers, and the sum below one of them"


@pytest.mark.parametrize("odd", ["NaN", "infinity"])
def test_a_weight_or_a_bias_that_is_no_number_is_not_hidden(odd: str) -> None:
    weights = conv("a", "x").inputs["weight"][0].array.copy()  # type: ignore[union-attr]
    weights[3, 2, 1, 1] = ODD[odd]
    spoilt = given(weight=constant(weights))(conv("a", "x"))
    biased = given(bias=constant(np.full(32, ODD[odd], np.float32)))(conv("a", "x"))
    for layer in (spoilt, biased):
        plan = plan_of((layer, relu("y", "a")), ("y",))
        assert kinds(plan) == ["conv", "relu"]
        found = assert_same_bits(plan, drawn())
        assert not bool(found.isfinite().all())


def test_a_layer_that_can_overflow_is_guarded_again_or_left_alone() -> None:
    """A weight of 1e25 takes the bound of an operand of 65504 to more than 1e30, and the next to 1e60."""
    large = [given(weight=constant(np.full((32, 32, 3, 3), size, np.float32))) for size in (1e25, 1e32)]
    operations = [conv("a", "x"), relu("b", "a"), conv("cc", "b"), relu("y", "cc")]
    twice = plan_of((large[0](operations[0]), operations[1], large[0](operations[2]), operations[3]), ("y",))
    assert kinds(twice) == ["guard", "activated_layer", "guard", "activated_layer"]
    alone = plan_of((large[1](operations[0]), *operations[1:]), ("y",))
    assert kinds(alone) == ["conv", "relu", "guard", "activated_layer"]
    for plan in (twice, alone):
        assert_same_bits(plan, drawn())
        assert_same_bits(plan, drawn() * 1e6)


def test_a_guard_refuses_what_is_no_number_and_what_is_too_large() -> None:
    x = torch.zeros(2, 3)
    for value, held in ((GUARDED, True), (-GUARDED, True), (1e5, False), (-1e5, False), (torch.nan, False)):
        x[1, 1] = value
        assert holds(x) is held
    assert not holds(torch.zeros(0, 3))


def test_a_small_result_and_one_that_is_read_twice_keep_their_relu(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = (conv("a", "x"), relu("b", "a"), on_two("add", "y", "a", "b"))
    assert "activated_layer" not in kinds(plan_of(operations, ("y",)))
    assert "activated_layer" not in kinds(plan_of(operations[:2], ("a", "b")))
    monkeypatch.setattr("coreml_gate.runtime.fusion.activations.LEAST_ELEMENTS", 32 * 14 * 14 + 1)
    assert kinds(plan_of(operations[:2], ("b",))) == ["conv", "relu"]


def test_a_relu_in_half_precision_stays() -> None:
    plan = plan_of((conv("a", "x", "fp16"), relu("y", "a", "fp16")), ("y",), "fp16")
    assert kinds(plan) == ["conv", "relu"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("cut", [None, -3.0])
def test_a_hard_swish_behind_a_layer_gives_the_same_bits(odd: str, cut: float | None) -> None:
    operations = (conv("a", "x"), *hard_swish("a", cut=cut), conv("zz", "y"))
    plan, x, seen = plan_of(operations, ("zz",)), drawn(), list[str]()
    assert kinds(plan) == [*([] if cut is None else ["guard"]), "activated_layer", "conv"]
    x[0, 3, 5, 5] *= ODD[odd]
    assert_same_bits(plan, x)
    with torch.inference_mode():
        plan.run([x], lambda operation, *_: seen.append(operation.type))
    assert seen == [operation.type for operation in operations]


@pytest.mark.parametrize("kind", ["relu", "relu6", "hard swish"])
def test_behind_a_sum_a_relu_alone_is_left_to_the_layer(kind: str) -> None:
    """torch's door takes no other."""
    after = hard_swish("s") if kind == "hard swish" else [made(kind, "y", "fp32", SHAPE, x="s")]
    plan = plan_of((conv("a", "x"), conv("bb", "x"), on_two("add", "s", "a", "bb"), *after), ("y",))
    assert "residual_sum" in kinds(plan)
    assert (kinds(plan)[-1] == "residual_sum") is (kind == "relu")
    assert_same_bits(plan, drawn())


def test_a_hard_swish_computes_its_formula() -> None:
    with torch.inference_mode():
        (x,) = plan_of((conv("a", "x"),), ("a",)).run([drawn()])
        (found,) = plan_of((conv("a", "x"), *hard_swish("a")), ("y",)).run([drawn()])
    np.testing.assert_allclose(found.numpy(), (x * (x / 6 + 0.5).clamp(0, 1)).numpy(), rtol=0, atol=1e-6)


def test_what_only_looks_like_a_hard_swish_stays_as_it_is() -> None:
    """Another slope, another cut, another factor, a factor or zeros that are given out, half precision."""
    a = conv("a", "x")
    other = (a, *hard_swish("a")[:1], conv("cc", "a"), on_two("mul", "y", "cc", "factor"))
    plans = [
        plan_of((a, *hard_swish("a", alpha=0.2)), ("y",)),
        plan_of((a, *hard_swish("a", cut=-2.0), conv("zz", "y")), ("zz",)),
        plan_of(other, ("y",)),
        plan_of((a, *hard_swish("a")), ("factor", "y")),
        plan_of((a, *hard_swish("a", cut=-3.0)), ("y",)),
        plan_of((a, *hard_swish("a", cut=-3.0), on_two("real_div", "z", "x", "y")), ("z",)),
    ]
    for plan in plans:
        assert "activated_layer" not in kinds(plan)
        assert_outputs_are_same(plan)
    half = plan_of((conv("a", "x", "fp16"), *hard_swish("a", "fp16")), ("y",), "fp16")
    assert "activated_layer" not in kinds(half)
    assert_same_bits(half, drawn("fp16"))


def assert_outputs_are_same(plan: ExecutionPlan) -> None:
    for found, wanted in zip(*both(plan, drawn()), strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted.numpy())
