"""The timeline of live bytes, and what engines may take on top."""

import numpy as np
import pytest

from coreml_gate.mil.graph import peak
from coreml_gate.mil.memory import Overhead, Timeline, overheads, timeline
from tests.mil.programs import const, conv, function, operation, tensor

FUNNEL = function(
    (tensor("x", 10),),
    const("w", np.ones(1000)),
    operation("tile", tensor("a", 40), x="x"),
    operation("relu", tensor("b", 40), x="a"),
    operation("reduce_sum", tensor("c", 1), x="b"),
    outputs=("c",),
)


def test_every_operation_that_runs_has_its_live_bytes() -> None:
    assert timeline(FUNNEL) == Timeline(("a", "b", "c"), (100, 180, 102))
    assert max(timeline(FUNNEL).bytes) == peak(FUNNEL).bytes


def test_what_is_near_the_peak_has_to_shrink_with_it() -> None:
    found = Timeline(("a", "b", "c", "d"), (95, 94, 100, 99))
    assert found.near_peak() == ("a", "c", "d")
    assert Timeline(("a",), (0,)).near_peak() == ()


@pytest.mark.parametrize(
    ("width", "expected"),
    [(8, (1, 9, 2, 3, 7)), (5, (1, 9, 2, 3, 7)), (2, (9, 7)), (3, (1, 9, 7)), (1, (9,))],
)
def test_a_stretch_keeps_its_greatest_value(width: int, expected: tuple[int, ...]) -> None:
    assert Timeline(tuple("abcde"), (1, 9, 2, 3, 7)).compact(width) == expected


def test_an_empty_program_has_an_empty_timeline() -> None:
    assert Timeline((), ()).compact(8) == ()


def test_a_dilated_kernel_is_priced_with_its_zeros() -> None:
    """3 x 3 with dilation 6 is 13 x 13: 169 places, of which 9 are weights."""
    made = function(
        (tensor("x", 1, 8, 32, 32),),
        *conv("y", "x", (1, 16, 32, 32), (16, 8, 3, 3), dilation=6),
        outputs=("y",),
    )
    expected = 16 * 8 * (169 - 9) * 2
    assert overheads(made) == (Overhead("dilated-kernel", "y", expected, True, "kernel 3 x 3 as 13 x 13"),)


@pytest.mark.parametrize(
    ("weight", "bytes_"),
    [
        ((16, 8, 5, 5), 8 * 25 * 32 * 32 * 2),
        ((16, 8, 3, 3), None),  # direct methods take no columns
        ((16, 1, 7, 7), None),  # depthwise
    ],
)
def test_large_kernels_are_priced_by_their_columns(weight: tuple[int, ...], bytes_: int | None) -> None:
    made = function((tensor("x", 1, 8, 32, 32),), *conv("y", "x", (1, 16, 32, 32), weight), outputs=("y",))
    assert [each.bytes for each in overheads(made)] == ([] if bytes_ is None else [bytes_])


def test_fused_attention_is_priced_by_its_scores() -> None:
    inputs = (tensor("q", 1, 4, 100, 8), tensor("k", 1, 4, 200, 8), tensor("v", 1, 4, 200, 8))
    made = operation("scaled_dot_product_attention", tensor("y", 1, 4, 100, 8), query="q", key="k", value="v")
    (found,) = overheads(function(inputs, made, outputs=("y",)))
    assert (found.bytes, found.lasting, found.text) == (4 * 100 * 200 * 2, False, "scores 1 x 4 x 100 x 200")
