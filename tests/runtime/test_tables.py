"""A function of halves that is looked up has the bits that the program's own call gives."""

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from coreml_gate.mil.ir import Block, Function, TensorType, Value
from coreml_gate.runtime.compile import compile_function
from coreml_gate.runtime.fusion import tables
from coreml_gate.runtime.plan import ExecutionPlan
from tests.runtime.test_fusion_groups import made, text

HALVES = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(torch.float16)
"""NaN, infinities, zeros of both signs and what is subnormal are all among them."""


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def plan_of(kind: str, shape: tuple[int, ...], dtype: str = "fp16", **constants: Any) -> ExecutionPlan:
    """Two costly operations; the second may overwrite what the first gave."""
    operations = (
        made(kind, "a", dtype, shape, x="x", **constants),
        made("tanh", "b", dtype, shape, x="a"),
        made(kind, "y", dtype, shape, x="b", **constants),
    )
    block = Block((Value("x", TensorType(dtype, shape)),), operations, ("y",))
    return compile_function(Function("main", 17, block.inputs, block), "fp16")


def bits(value: Any) -> torch.Tensor:
    """Those of any NaN are all ones: which operand's NaN a product keeps is up to torch and the processor."""
    whole = value.contiguous().view(torch.int16 if value.dtype is torch.float16 else torch.int32)
    return torch.where(value.isnan(), -1, whole)


def both(plan: ExecutionPlan, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
    """What an unwatched and a watched run give, and how often a table was read for the first."""
    with torch.inference_mode(), patch.object(tables.np, "take", wraps=np.take) as take:
        (found,) = plan.run([x])
        reads = take.call_count
        (wanted,) = plan.run([x], observe=lambda *_: None)
        assert take.call_count == reads
        return found, wanted, reads


CASES: list[tuple[str, dict[str, Any]]] = [
    ("gelu", {"mode": text("EXACT")}),
    ("gelu", {"mode": text("TANH_APPROXIMATION")}),
    ("gelu", {"mode": text("SIGMOID_APPROXIMATION")}),
    ("erf", {}),
    ("softplus", {}),
    ("tanh", {}),
]


@pytest.mark.parametrize(("kind", "constants"), CASES)
def test_every_half_gives_the_bits_of_the_programs_call(kind: str, constants: dict[str, Any]) -> None:
    found, wanted, reads = both(plan_of(kind, (2**16,), **constants), HALVES)
    assert reads == 3
    assert torch.equal(bits(found), bits(wanted))


@pytest.mark.parametrize(
    "x",
    [
        HALVES[: 2**15],
        torch.cat((HALVES, HALVES[:1])),
        torch.stack((HALVES, HALVES), 1)[:, 0],
        HALVES.reshape(256, 256).T,
        HALVES.float(),
    ],
    ids=["small", "with a rest", "scattered", "transposed", "in float32"],
)
def test_what_a_table_does_not_serve_is_computed(x: torch.Tensor) -> None:
    dtype = "fp16" if x.dtype is torch.float16 else "fp32"
    found, wanted, reads = both(plan_of("gelu", tuple(x.shape), dtype, mode=text("EXACT")), x)
    assert reads == 0 or not x.is_contiguous()  # results lie dense
    assert torch.equal(bits(found), bits(wanted))


def test_several_threads_compute() -> None:
    torch.set_num_threads(2)
    _, _, reads = both(plan_of("gelu", (2**16,), mode=text("EXACT")), HALVES)
    assert reads == 0
