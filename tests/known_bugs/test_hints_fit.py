"""A hint is given for a known bug's own example, and not for a sound call of the same operation."""

import pytest
import torch
from torch import Tensor

from coreml_gate.diagnose.known_bugs import KNOWN_BUGS, KnownBug, hint_of
from coreml_gate.diagnose.torch_calls import TorchArguments, operand_of
from coreml_gate.record import FirstWrong, Route
from tests.known_bugs.example import measured

BUGS = {bug.id: bug for bug in KNOWN_BUGS["9.0"]}
CASES = [(bug, route) for bug in BUGS.values() for route in bug.routes]
X = torch.tensor([[0.5, -1.5], [2.0, 0.75]])


@pytest.mark.slow
@pytest.mark.parametrize(("bug", "route"), CASES, ids=[f"{bug.id} {route}" for bug, route in CASES])
def test_the_example_meets_its_own_condition(bug: KnownBug, route: Route) -> None:
    hint = measured(bug.example, route).diagnosis().first_wrong.hint

    assert bug.what in hint or "tried: it agrees" in hint


def given(**arguments: object) -> TorchArguments:
    """A call with these arguments; tensors are seen as the diagnosis sees them."""
    return TorchArguments(
        {name: operand_of(item) if isinstance(item, Tensor) else item for name, item in arguments.items()}
    )


@pytest.mark.parametrize(
    ("bug", "fitting", "sound"),
    [
        ("mean-of-integers", {"self": X.int()}, {"self": X}),
        ("log-of-zero", {"self": X.relu()}, {"self": X.abs() + 1e-6}),
        ("integer-division", {"self": X.int() + 2**24, "other": 2}, {"self": X * 2**24, "other": 2.0}),
        ("integer-division", {"self": X.int() + 2**24, "other": 2}, {"self": X.int(), "other": 2}),
        ("gelu-tanh", {"self": X, "approximate": "tanh"}, {"self": X, "approximate": "none"}),
        ("selu-scale", {"self": X, "alpha": 1.67, "scale": 1.05}, {"self": X, "alpha": 1.0}),
        ("softplus-threshold", {"self": X, "beta": 1, "threshold": 1}, {"self": X, "threshold": 20}),
        ("reciprocal-epsilon", {"self": X}, {"self": X * 1e3}),
        ("variance-of-all", {"self": X}, {"self": X, "dim": (-1,)}),
        ("variance-correction", {"self": X, "correction": 2}, {"self": X, "correction": 1}),
        ("flat-argmax", {"self": X}, {"self": X, "dim": 0}),
        ("any-of-fractions", {"self": X}, {"self": X > 0}),
        ("log-softmax", {"self": X * 100}, {"self": X}),
        ("logcumsumexp", {"self": X * 100}, {"self": X}),
        ("negative-narrow", {"self": X, "start": -1}, {"self": X, "start": 1}),
        ("triangle-of-infinities", {"self": X / 0}, {"self": X}),
        ("arctangent-of-zero", {"self": X.relu(), "other": -X}, {"self": X, "other": -X}),
        ("small-exponentials", {"self": X * 1e-4}, {"self": X}),
        ("infinite-padding", {"self": X, "value": float("-inf")}, {"self": X, "value": 0.0}),
        ("lost-write", {"self": X[:, 0]}, {"self": X}),
        ("dtype-of-filled", {"self": X.int(), "value": 2.7}, {"self": X, "value": 2.7}),
        ("dtype-of-sum", {"self": X, "dtype": torch.int32}, {"self": X.int(), "dtype": torch.int32}),
        ("dtype-of-range", {"start": 0.5, "end": 4, "dtype": 3}, {"start": 0, "end": 4, "dtype": 3}),
        ("attention-mask", {"query": X, "is_causal": True}, {"query": X, "attn_mask": X}),
        (
            "instance-statistics",
            {"input": X, "use_input_stats": False},
            {"input": X},
        ),
        ("cosine-epsilon", {"x1": X * 1e-3, "x2": X, "eps": 0.5}, {"x1": X, "x2": X, "eps": 1e-8}),
        ("infinite-divisor", {"self": X, "other": X / 0}, {"self": X, "other": 3.0}),
        ("rsqrt-epsilon", {"self": X * 1e-8}, {"self": X}),
        ("select-as-sum", {"self": X / 0, "mask": X > 0}, {"self": X, "mask": X > 0}),
        ("alpha", {"self": X, "other": X, "alpha": 0.5}, {"self": X, "other": X}),
    ],
)
def test_a_sound_call_of_the_same_operation_is_not_meant(
    bug: str, fitting: dict[str, object], sound: dict[str, object]
) -> None:
    condition = BUGS[bug].when
    assert condition is not None

    assert condition(given(**fitting))
    assert not condition(given(**sound))


@pytest.mark.parametrize("operation", ["mean", "log", "div", "sum", "var", "log1p", "rsqrt"])
def test_float_arithmetic_far_from_zero_gets_no_hint(operation: str) -> None:
    found = FirstWrong(operation="op_1", torch_operation=operation)

    assert hint_of(found, "export", [given(self=X * 1e3, other=X, dim=(-1,))]) == ""
