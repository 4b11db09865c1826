from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from coreml_gate.conversion.converter_source import read_keywords, unread_positions
from coreml_gate.conversion.graph import graph_of
from coreml_gate.conversion.quiet import quiet
from coreml_gate.conversion.unread import unread_arguments

X = torch.randn(2, 3)
HERE = Path(__file__).parent
TORCH = tuple(map(int, torch.__version__.split(".")[:2]))


class Expression(torch.nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def unread(function: Callable[..., torch.Tensor]) -> list[str]:
    return [item.cause for item in unread_arguments(exported(function), HERE)]


def exported(function: Callable[..., torch.Tensor]) -> torch.export.ExportedProgram:
    with quiet():
        return torch.export.export(Expression(function), (X,), strict=False).run_decompositions()


@pytest.mark.parametrize(
    ("function", "keyword"),
    [
        (lambda x: torch.sub(x, x.cos(), alpha=0.5), "`alpha` = 0.5 of `sub`"),
        (lambda x: torch.nn.functional.gelu(x, approximate="tanh"), "`approximate` = tanh of `gelu`"),
        (lambda x: torch.full_like(x, 2.7, dtype=torch.int32) + x, "`dtype` = torch.int32 of `full_like`"),
        (lambda x: (x * 10).int().mean(-1, dtype=torch.float32), "`dtype` = torch.float32 of `mean`"),
        pytest.param(
            torch.nn.functional.selu,
            "`scale` = 1.0507009873554805 of `elu`",
            marks=pytest.mark.skipif(TORCH < (2, 8), reason="torch 2.7 takes elu apart and keeps its scale"),
        ),
    ],
)
def test_an_argument_that_the_converter_drops(function: Callable[..., torch.Tensor], keyword: str) -> None:
    assert unread(function) == [f"the converter never reads {keyword}"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.sub(x, x.cos(), alpha=1),
        lambda x: torch.div(x, 0.3, rounding_mode="floor"),
        lambda x: torch.addmm(x @ x.T, x, x.T, beta=0.5, alpha=2),
        lambda x: torch.zeros_like(x, dtype=torch.float64).float() + x,
        lambda x: torch.zeros_like(x, dtype=torch.int32) + 0.5,
        lambda x: torch.sum((x * 10).int(), -1, dtype=torch.float32),
        torch.nn.functional.elu,
        lambda x: torch.nn.functional.layer_norm(torch.nn.functional.gelu(x), (3,)).contiguous(),
        lambda x: torch.full((3,), 2.5) * x + torch.arange(3, dtype=torch.float32),
    ],
)
def test_what_is_read_or_does_not_matter(function: Callable[..., torch.Tensor]) -> None:
    assert unread(function) == []


def test_the_place_is_named() -> None:
    (item,) = unread_arguments(exported(lambda x: torch.add(x, x, alpha=2)), HERE)
    assert item.place.startswith("test_unread.py:")
    assert str(item).endswith(f"({item.place})")


def test_strings_of_functions_that_get_the_node_count() -> None:
    assert "rounding_mode" in (read_keywords("aten::div.Tensor_mode") or ())
    assert read_keywords("aten::no_such_operation") is None


def traced(function: Callable[..., torch.Tensor], x: torch.Tensor = X) -> list[dict[str, str]]:
    with quiet():
        script = torch.jit.trace(Expression(function), x, check_trace=False)
    return [call.unread for call in graph_of(script, HERE).calls if call.unread]


MEAN, VARIANCE = torch.zeros(3), torch.ones(3)


@pytest.mark.parametrize(
    ("function", "unread"),
    [
        (lambda x: torch.nn.functional.softplus(x, 1, 5), {"threshold": "5"}),
        (lambda x: (x * 10).int().mean(-1, dtype=torch.float32), {"dtype": "6"}),
    ],
)
def test_an_argument_of_a_traced_graph_that_no_code_looks_at(
    function: Callable[..., torch.Tensor], unread: dict[str, str]
) -> None:
    assert traced(function) == [unread]


def test_statistics_of_a_traced_instance_norm_are_never_read() -> None:
    image = torch.rand(1, 3, 4, 4)
    (found,) = traced(
        lambda x: torch.nn.functional.instance_norm(x, MEAN, VARIANCE, use_input_stats=False), image
    )
    assert set(found) == {"running_mean", "running_var"}


@pytest.mark.parametrize(
    "function",
    [
        torch.nn.functional.softplus,
        lambda x: torch.softmax((x * 10).int(), -1, dtype=torch.float32),
        lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        lambda x: torch.nn.functional.dropout(x, 0.3, training=False),
        lambda x: torch.argmax(x, dim=1, keepdim=True).float(),
        lambda x: torch.nn.functional.instance_norm(x[None]),
        lambda x: torch.topk(x, 2, dim=0, largest=False)[0],
    ],
)
def test_arguments_of_a_traced_graph_that_are_read_or_do_not_matter(
    function: Callable[..., torch.Tensor],
) -> None:
    assert traced(function) == []


def test_positions_are_followed_through_names_and_inner_functions() -> None:
    assert unread_positions("aten::softplus", 3) == {2}
    assert unread_positions("aten::narrow", 4) == frozenset()
    assert unread_positions("aten::no_such_operation", 3) == frozenset()
