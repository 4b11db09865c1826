from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from torch import nn

from coreml_gate.conversion.missing import missing_hint, missing_message, missing_operations
from coreml_gate.record import MissingOperation

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
    program = torch.export.export(Outer().eval(), (torch.ones(1, 4),)).run_decompositions()
    assert _by_name(missing_operations(program)) == EXPECTED


def test_all_missing_operations_of_a_traced_graph() -> None:
    traced: Any = torch.jit.trace(Outer().eval(), torch.ones(1, 4))
    inputs = [ct.TensorType(name="x", shape=(1, 4), dtype=np.float32)]
    assert _by_name(missing_operations(traced, inputs)) == EXPECTED


def test_nothing_is_missing_from_a_common_network() -> None:
    layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    module = nn.Sequential(*layers).eval()
    program = torch.export.export(module, (torch.ones(1, 3, 4, 4),)).run_decompositions()
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
        ("embedding_renorm_", "`table.weight.data.renorm_(2, 0, max_norm)`"),
        ("cond", "`torch.where(condition, a, b)`"),
        ("_upsample_bicubic2d_aa.vec", "`rows @ x @ columns.T`"),
    ],
)
def test_one_way_out_serves_every_name_of_an_operation(operation: str, way: str) -> None:
    assert way in missing_hint((MissingOperation(operation=operation, count=1, modules=()),))


def test_the_words() -> None:
    missing = (MissingOperation(operation="upsample_bicubic2d.vec", count=2, modules=("head.up",)),)
    assert missing_message(missing).splitlines()[1] == "`upsample_bicubic2d.vec`, 2 times in `head.up`"
    assert "apple/coremltools#2818" in missing_hint(missing)
