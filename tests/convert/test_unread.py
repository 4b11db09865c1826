from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from coreml_gate.convert.quiet import quiet
from coreml_gate.convert.unread import read_keywords, unread_arguments

X = torch.randn(2, 3)
HERE = Path(__file__).parent


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
        (lambda x: torch.zeros_like(x, dtype=torch.int32) + 0.5, "`dtype` = torch.int32 of `full_like`"),
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
