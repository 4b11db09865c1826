"""Tracing freezes what it takes out of a tensor; only what another input could change is a pitfall."""

import inspect
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from coreml_gate.conversion.frozen_values import FreezeWatch
from coreml_gate.rules.capture import frozen_values
from coreml_gate.torch_graph import TorchGraph

ROOT = Path(__file__).parent
Forward = Callable[[nn.Module, Tensor], Tensor]


def frozen(forward: Forward, flexible: int | None = None) -> list[int]:
    """The lines of ``forward``, from 0, at which a trace of a (3, 4) tensor freezes a value."""
    module = type("Net", (nn.Module,), {"forward": forward})()
    module.scale = nn.Parameter(torch.ones(3))
    watch = FreezeWatch(ROOT, frozenset() if flexible is None else frozenset({flexible}))
    with warnings.catch_warnings(), torch.no_grad(), watch:
        warnings.simplefilter("ignore")
        torch.jit.trace(module, (torch.arange(12.0).reshape(3, 4),), check_trace=False)
    start = inspect.getsourcelines(forward)[1]
    assert all(place.startswith("test_frozen_values.py:") for place in watch.places)
    return [int(place.rpartition(":")[2]) - start for place in watch.places]


def unpacks(_: nn.Module, x: Tensor) -> Tensor:
    q, k, v = x
    return q + k + v


def reads_shapes(_: nn.Module, x: Tensor) -> Tensor:
    assert x.shape[1] % 2 == 0
    half = int(x.shape[1]) // 2
    if x.size(0) > 2:
        x = x + math.sqrt(x.shape[-1])
    return x[:, :half].reshape(x.shape[0] * half)


def holds_literals(module: nn.Module, x: Tensor) -> Tensor:
    offsets = torch.tensor([1.0, 2.0, 3.0, 4.0])
    largest = float(module.scale.max())
    return x * torch.as_tensor(0.5) + offsets * largest


def branches(_: nn.Module, x: Tensor) -> Tensor:
    if x.sum() > 0:
        return x + 1
    return x


def takes_numbers(_: nn.Module, x: Tensor) -> Tensor:
    largest = x.max().item()
    first = int(x.argmax())
    return x / largest + torch.tensor([x[0, 0], x[1, 1], x[2, 2], x[0, 1]]) + first


@pytest.mark.parametrize("forward", [unpacks, reads_shapes, holds_literals])
def test_what_every_input_of_these_shapes_gives_is_no_pitfall(forward: Forward) -> None:
    assert frozen(forward) == []


def test_branches_and_numbers_of_an_input_are_found_at_their_lines() -> None:
    assert frozen(branches) == [1]
    assert frozen(takes_numbers) == [1, 2, 3]


def test_only_flexible_sizes_are_pitfalls() -> None:
    assert frozen(unpacks, flexible=3) == [1]
    assert frozen(unpacks, flexible=4) == []
    assert frozen(reads_shapes, flexible=3) == [3]
    assert frozen(reads_shapes, flexible=4) == [1, 2, 4]


def test_what_numpy_computes_is_written_with_torch() -> None:
    places = {"net.py:12": "numpy", "net.py:13": "__bool__"}
    by_numpy, by_branch = frozen_values.find(TorchGraph(route="trace", calls=(), frozen_places=places))
    assert (by_numpy.line, by_branch.line) == (12, 13)
    assert "by `numpy`" in by_numpy.text
    assert "np.clip" in by_numpy.fix
    assert by_branch.fix == ""
