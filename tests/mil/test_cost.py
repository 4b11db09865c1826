"""Costs against numbers computed by hand, and against torch's own counter on converted nets."""

from collections.abc import Callable
from pathlib import Path

import coremltools as ct
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from coreml_gate.conversion.quiet import quiet
from coreml_gate.errors import PackageError
from coreml_gate.mil.cost import Cost, costs, has_loops, weights_read
from coreml_gate.mil.ir import Block, Function, Operation, Value
from coreml_gate.mil.package import read_package
from tests.mil.programs import const, conv, function, operation, tensor


def total(made: Function, **shapes: tuple[int, ...]) -> Cost:
    return sum((item.cost for item in costs(made, shapes)), Cost())


def macs(inputs: tuple[Value, ...], *operations: Operation) -> int:
    return total(function(inputs, *operations, outputs=(operations[-1].name,))).macs


X = tensor("x", 1, 8, 10, 10)


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ((16, 8, 3, 3), 16 * 100 * 8 * 9),
        ((16, 4, 3, 3), 16 * 100 * 4 * 9),  # two groups
        ((16, 1, 3, 3), 16 * 100 * 9),  # depthwise
        ((16, 8, 1, 1), 16 * 100 * 8),
    ],
)
def test_convolution(weight: tuple[int, ...], expected: int) -> None:
    assert macs((X,), *conv("y", "x", (1, 16, 10, 10), weight)) == expected


def test_dilation_adds_no_work() -> None:
    plain, dilated = (conv("y", "x", (1, 16, 10, 10), (16, 8, 3, 3), dilation=d) for d in (1, 4))
    assert macs((X,), *plain) == macs((X,), *dilated)


def test_transposed_convolution_counts_from_its_operand() -> None:
    weight = const("w", np.ones((8, 16, 2, 2)))
    made = operation("conv_transpose", tensor("y", 1, 16, 20, 20), x="x", weight="w")
    assert macs((X,), weight, made) == 8 * 100 * 16 * 4


@pytest.mark.parametrize(
    ("x", "y", "transposed", "result", "expected"),
    [
        ((2, 3, 4), (2, 4, 5), False, (2, 3, 5), 2 * 3 * 4 * 5),
        ((2, 4, 3), (2, 4, 5), True, (2, 3, 5), 2 * 3 * 4 * 5),
        ((1, 3, 4), (7, 4, 5), False, (7, 3, 5), 7 * 3 * 4 * 5),  # broadcast
        ((4,), (4, 5), False, (5,), 20),
    ],
)
def test_matrix_product(
    x: tuple[int, ...], y: tuple[int, ...], transposed: bool, result: tuple[int, ...], expected: int
) -> None:
    made = operation("matmul", tensor("z", *result), x="x", y="y", transpose_x="flag")
    assert macs((tensor("x", *x), tensor("y", *y)), const("flag", transposed), made) == expected


def test_einsum_counts_every_combination_of_labels_once() -> None:
    made = operation("einsum", tensor("z", 2, 3, 6, 5), equation="equation", values=("x", "y"))
    inputs = (tensor("x", 2, 3, 4, 5), tensor("y", 1, 5, 4, 6))
    equation = const("equation", "bhkq, bqkc -> bhcq")
    assert macs(inputs, equation, made) == 2 * 3 * 4 * 5 * 6


def test_attention_is_two_products_per_head() -> None:
    inputs = (tensor("q", 2, 4, 10, 8), tensor("k", 2, 4, 20, 8), tensor("v", 2, 4, 20, 16))
    made = operation("scaled_dot_product_attention", tensor("z", 2, 4, 10, 16), query="q", key="k", value="v")
    assert macs(inputs, made) == 2 * 4 * (10 * 20 * 8 + 10 * 20 * 16)


def test_recurrent_layers_use_every_weight_once_per_step() -> None:
    weights = (const("w", np.ones((32, 6))), const("u", np.ones((32, 8))), const("b", np.ones((32, 6))))
    one = operation("lstm", tensor("y", 5, 3, 8), x="x", weight_ih="w", weight_hh="u")
    both = operation("lstm", tensor("y", 5, 3, 16), x="x", weight_ih="w", weight_hh="u", weight_ih_back="b")
    x = (tensor("x", 5, 3, 6),)
    assert macs(x, *weights, one) == 5 * 3 * (32 * 6 + 32 * 8)
    assert macs(x, *weights, both) == 5 * 3 * (32 * 6 + 32 * 8 + 32 * 6)


def test_elementwise_work_is_counted_apart_and_moving_is_none() -> None:
    made = function(
        (tensor("x", 4, 6),),
        operation("relu", tensor("a", 4, 6), x="x"),
        operation("transpose", tensor("b", 6, 4), x="a"),
        operation("reduce_sum", tensor("c", 6), x="b"),
        outputs=("c",),
    )
    assert total(made) == Cost(macs=0, elementwise=24 + 24, bytes=96 + 96 + 60, operations=3)


def test_a_pool_counts_its_window() -> None:
    made = operation("max_pool", tensor("y", 1, 8, 5, 5), x="x", kernel_sizes="k")
    assert total(function((X,), const("k", [2, 2]), made, outputs=("y",))).elementwise == 200 * 4


def test_bytes_are_operands_results_and_weights_as_stored() -> None:
    """No settings: strides and dilations are read when the model is compiled."""
    made = function((X,), *conv("y", "x", (1, 16, 10, 10), (16, 8, 3, 3)), outputs=("y",))
    found = total(made)
    assert found.bytes == 2 * (800 + 1600 + 16 * 8 * 9)
    assert found.macs == 16 * 100 * 72


def test_reshaping_moves_nothing_and_gathering_only_what_it_takes() -> None:
    reshaped = function((X,), operation("reshape", tensor("y", 800), x="x"), outputs=("y",))
    assert total(reshaped).bytes == 0
    table = const("table", np.ones((1000, 32)))
    gathered = operation("gather", tensor("y", 4, 32), x="table", indices="ids")
    ids = tensor("ids", 4, dtype="int32")
    assert total(function((ids,), table, gathered, outputs=("y",))).bytes == 2 * 4 * 32 * 2 + 16


def test_an_operand_that_is_read_twice_moves_once() -> None:
    squared = operation("mul", tensor("y", 10), x="x", y="x")
    assert total(function((tensor("x", 10),), squared, outputs=("y",))).bytes == 40


def test_a_loop_is_named_and_its_body_counts_once() -> None:
    body = Block((tensor("i", 10),), (operation("exp", tensor("e", 10), x="i"),), ("e",))
    made = function(
        (tensor("x", 10),), operation("while_loop", tensor("r", 10), (body,), x="x"), outputs=("r",)
    )
    assert has_loops(made)
    assert total(made) == Cost(elementwise=10, bytes=40, operations=2)


def test_open_shapes_need_a_run() -> None:
    made = function((tensor("x", None, 4),), operation("relu", tensor("y", None, 4), x="x"), outputs=("y",))
    with pytest.raises(PackageError, match="open shape"):
        total(made)
    assert total(made, x=(3, 4), y=(3, 4)).elementwise == 12


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project, self.out = nn.Linear(24, 72), nn.Linear(24, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.project(x).view(1, 10, 3, 4, 6).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        out: torch.Tensor = self.out(mixed.transpose(1, 2).reshape(1, 10, 24))
        return out


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4),
        nn.ConvTranspose2d(8, 4, 2, stride=2),
        nn.Flatten(),
        nn.Linear(4 * 256, 10),
    )


@pytest.mark.parametrize("target", [ct.target.iOS17, ct.target.iOS18])
@pytest.mark.parametrize(
    ("build", "shape"),
    [(convolutional, (1, 3, 16, 16)), (Attention, (1, 10, 24))],
    ids=["convolutional", "attention"],
)
def test_torchs_own_counter_agrees(
    build: Callable[[], nn.Module], shape: tuple[int, ...], target: ct.target, tmp_path: Path
) -> None:
    """It counts two operations per multiply-accumulate; of attention on a CPU only the spelt-out form."""
    model, x = build().eval(), torch.ones(shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        model(x)
    with quiet():
        program = torch.export.export(model, (x,), strict=False).run_decompositions({})
        package = ct.convert(program, minimum_deployment_target=target, skip_model_load=True)
        package.save(str(tmp_path / "m.mlpackage"))
    found = total(read_package(tmp_path / "m.mlpackage").function())
    assert 2 * found.macs == counter.get_total_flops() > 0


def test_weights_are_read_once_and_tables_not_at_all() -> None:
    table, matrix = const("table", np.ones((100, 8), np.float16)), const("w", np.ones((8, 8), np.float16))
    looked_up = operation("gather", tensor("rows", 5, 8), x="table", indices="words")
    first = operation("linear", tensor("a", 5, 8), x="rows", weight="w")
    second = operation("linear", tensor("b", 5, 8), x="a", weight="w")
    made = function(
        (tensor("words", 5, dtype="int32"),), table, matrix, looked_up, first, second, outputs=("b",)
    )
    assert weights_read(made) == 8 * 8 * 2
