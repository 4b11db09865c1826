"""Who makes, who reads, what is stored: what every reader of a program starts from."""

import numpy as np

from coreml_gate.mil.index import Index
from tests.mil.programs import const, function, operation, tensor

X, Y = tensor("x", 1, 8), tensor("y", 1, 8)
PROGRAM = function(
    (X,),
    const("data", np.arange(4)),
    operation("constexpr_affine_dequantize", tensor("weight", 2, 4), quantized_data="data"),
    operation("transpose", tensor("turned", 4, 2), x="weight"),
    operation("linear", Y, x="x", weight="weight"),
    operation("reshape", tensor("flat", 8), x="y"),
    operation("exp", tensor("z", 8), x="flat"),
    outputs=("z",),
)


def test_what_unpacks_a_weight_is_no_operation_that_runs() -> None:
    index = Index(PROGRAM)

    assert [item.type for item in index.operations] == ["transpose", "linear", "reshape", "exp"]
    assert [item.type for item in index.packed] == ["constexpr_affine_dequantize"]
    assert [item.name for item in index.of("constexpr_affine_dequantize")] == ["weight"]
    assert index.stored == {"data", "weight"}


def test_makers_and_users_are_seen_through_what_only_hands_values_on() -> None:
    index = Index(PROGRAM)

    assert index.producers["y"].type == "linear"
    assert [reader.type for reader in index.readers["y"]] == ["reshape"]
    assert [user.type for user in index.users(index.producers["y"])] == ["exp"]
    assert index.maker(index.producers["z"], "x") is index.producers["y"]


def test_only_what_depends_on_an_input_varies() -> None:
    assert Index(PROGRAM).varying == {"x", "y", "flat", "z"}
    assert [(item.type, name) for item, _, name in Index(PROGRAM).weights()] == [("linear", "weight")]
