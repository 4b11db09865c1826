from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from torch import nn

from coreml_gate.conversion.missing import missing_message, missing_operations
from coreml_gate.conversion.ways_out import missing_hint
from coreml_gate.record import MissingOperation
from coreml_gate.torch_graph import TorchCall, TorchGraph

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # torch warns about its own decompositions


class Inner(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fmod(torch.fmod(x, 0.3), 0.2).relu()


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Inner(), nn.ReLU(), Inner())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.i0(self.blocks(x))


EXPECTED = {"fmod": (4, ("blocks.0", "blocks.2")), "i0": (1, ())}


def _by_name(missing: tuple[MissingOperation, ...]) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {item.operation.removeprefix("special_"): (item.count, item.modules) for item in missing}


def test_all_missing_operations_of_an_exported_graph() -> None:
    program = torch.export.export(Outer().eval(), (torch.ones(1, 4),), strict=False).run_decompositions()
    assert _by_name(missing_operations(program)) == EXPECTED


def test_all_missing_operations_of_a_traced_graph() -> None:
    traced: Any = torch.jit.trace(Outer().eval(), torch.ones(1, 4))
    inputs = [ct.TensorType(name="x", shape=(1, 4), dtype=np.float32)]
    assert _by_name(missing_operations(traced, inputs)) == EXPECTED


def test_nothing_is_missing_from_a_common_network() -> None:
    layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    module = nn.Sequential(*layers).eval()
    program = torch.export.export(module, (torch.ones(1, 3, 4, 4),), strict=False).run_decompositions()
    assert missing_operations(program) == ()


def test_a_graph_that_cannot_be_read_is_not_judged() -> None:
    traced: Any = torch.jit.trace(Outer().eval(), torch.ones(1, 4))
    assert missing_operations(traced, []) == ()


@pytest.mark.parametrize(
    ("operation", "way"),
    [
        ("special_digamma", "torch.log(x + 6)"),
        ("linalg_matrix_exp", "square it six times"),
        ("__or__", "torch.logical_or(x, y)"),
        ("__ixor__", "torch.logical_xor(x, y)"),
        ("bitwise_or_.Tensor", "torch.logical_or(x, y)"),
        ("special_polygamma", "math.factorial(n + 1)"),
        ("special_legendre_polynomial_p.n_scalar", "recurrence"),
        ("embedding_renorm_", "`table.weight.data.renorm_(2, 0, max_norm)`"),
        ("cond", "`torch.where(condition, a, b)`"),
        ("_upsample_bicubic2d_aa.vec", "`rows @ x @ columns.T`"),
        ("argsort.stable", "leave `stable` out"),
        ("_nested_tensor_from_tensor_list", "mask of the real elements"),
        ("linalg_eigvalsh", "Core ML does not decompose matrices"),
    ],
)
def test_one_way_out_serves_every_name_of_an_operation(operation: str, way: str) -> None:
    assert way in missing_hint((MissingOperation(operation=operation, count=1, modules=()),))


@pytest.mark.parametrize(
    ("call", "way"),
    [
        (
            TorchCall(name="y", operation="aten::scatter_reduce", constants={"reduce": "mean"}),
            ".sum(-2).clamp(min=1)",
        ),
        (TorchCall(name="y", operation="aten::__xor__", dtype="int32"), "(x // 2**i + y // 2**i) % 2"),
        (TorchCall(name="y", operation="aten::__xor__", dtype="bool"), "torch.logical_xor(x, y)"),
        (TorchCall(name="y", operation="aten::embedding_bag", constants={"mode": 2}), ".amax(1)"),
        (
            TorchCall(
                name="y", operation="aten::embedding_bag", inputs={"offsets": "o"}, constants={"mode": 1}
            ),
            "offsets[1:] - offsets[:-1]",
        ),
        (TorchCall(name="y", operation="aten::embedding_bag", inputs={"offsets": "n"}), "(x, y).sum(1)"),
        (TorchCall(name="y", operation="aten::index_add", inputs={"index": "i"}), "multiply by a mask"),
        (TorchCall(name="y", operation="aten::index_add", inputs={"index": "n"}), "x.scatter_add("),
    ],
)
def test_what_a_call_says_decides_between_ways_out(call: TorchCall, way: str) -> None:
    known = TorchCall(name="n", operation="aten::arange", dtype="int64", shape=(4,))
    chosen_by_values = TorchCall(name="i", operation="getitem", dtype="int64")
    graph = TorchGraph(route="export", calls=(known, chosen_by_values, call))
    missing = (MissingOperation(operation=call.operation.removeprefix("aten::"), count=1, modules=()),)
    assert way in missing_hint(missing, graph)


def test_a_weight_that_is_computed_at_each_run_is_computed_once() -> None:
    missing = (MissingOperation(operation="vdot", count=1, modules=("head.l.parametrizations.weight.0",)),)
    assert 'remove_parametrizations(model.head.l, "weight")' in missing_hint(missing)


def test_a_script_is_exported_in_its_place() -> None:
    missing = (MissingOperation(operation="raiseexception", count=1, modules=()),)
    assert "the callable that builds the module" in missing_hint(missing, scripted=True)
    assert "script" not in missing_hint(missing)


def test_the_words() -> None:
    missing = (MissingOperation(operation="upsample_bicubic2d.vec", count=2, modules=("head.up",)),)
    assert missing_message(missing).splitlines()[1] == "`upsample_bicubic2d.vec`, 2 times in `head.up`"
    assert "apple/coremltools#2818" in missing_hint(missing)
