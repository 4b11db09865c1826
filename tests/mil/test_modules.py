"""To which part of the model does an operation belong, and what does the source call that part?"""

import numpy as np

from coreml_gate.mil.outline import ModuleNames, modules_of, written_modules
from tests.mil.programs import const, function, operation, tensor

X = tensor("x", 1, 8)


def test_modules_are_called_what_the_source_calls_them() -> None:
    names = ModuleNames(written_modules(["conv6_BN", "layers.0.attn", "", "Head"]))
    made = function(
        (X,),
        const("p_conv6_bn_weight_to_fp16", np.ones((8, 8))),
        const("p_layers_0_attn_weight", np.ones((8, 8))),
        operation("linear", tensor("a", 1, 8), x="x", weight="p_conv6_bn_weight_to_fp16"),
        operation("relu", tensor("b", 1, 8), x="a"),
        operation("linear", tensor("c", 1, 8), x="b", weight="p_layers_0_attn_weight"),
        outputs=("c",),
    )

    assert modules_of(made, names) == {"a": "conv6_BN", "b": "conv6_BN", "c": "layers.0"}
    assert modules_of(made) == {"a": "conv6_bn", "b": "conv6_bn", "c": "layers_0"}


def test_a_layer_whose_weight_has_no_name_is_not_counted_to_the_module_before_it() -> None:
    made = function(
        (X,),
        const("conv6_weight", np.ones((8, 8))),
        const("permute_0_to_fp16", np.ones((8, 8))),
        operation("linear", tensor("a", 1, 8), x="x", weight="conv6_weight"),
        operation("linear", tensor("b", 1, 8), x="a", weight="permute_0_to_fp16"),
        operation("sigmoid", tensor("y", 1, 8), x="b"),
        outputs=("y",),
    )

    assert modules_of(made) == {"a": "conv6", "b": "", "y": ""}


def test_a_convolution_whose_weight_has_no_name_belongs_to_the_source_s_convolution() -> None:
    x = tensor("x", 1, 8, 4, 4)
    made = function(
        (x,),
        const("const_4_to_fp16", np.ones((8, 8, 1, 1))),
        operation("conv", tensor("batch_norm_3_cast_fp16", 1, 8, 4, 4), x="x", weight="const_4_to_fp16"),
        operation("relu", tensor("y", 1, 8, 4, 4), x="batch_norm_3_cast_fp16"),
        outputs=("y",),
    )
    names = ModuleNames(written_modules(["Layers.0.conv"]), {"batch_norm_3": "Layers.0.conv"})

    assert modules_of(made, names) == {"batch_norm_3_cast_fp16": "Layers.0", "y": "Layers.0"}
    assert modules_of(made) == {"batch_norm_3_cast_fp16": "", "y": ""}
