"""Public listings of Core ML's own compute plans, rebuilt as small programs with the shapes that they name.

Only the device of the operation that a listing is about is taken from it. ``engine`` says whether Core ML
planned it for the Neural Engine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it


@dataclass(frozen=True)
class Listing:
    """One operation of one published plan."""

    source: str
    mac: str
    what: str
    type: str
    engine: bool
    shapes: tuple[tuple[int, ...], ...]
    body: Callable[..., Any]
    half: bool = True


def weight(*shape: int) -> Any:
    return np.zeros(shape, np.float16)


def listings() -> Iterator[Listing]:
    """In the order of their sources."""
    yield from detection()
    yield from attention()
    yield from projections()
    yield from voice()
    yield from older()


def detection() -> Iterator[Listing]:
    """Four detectors: 7 or 8 operations off, the same in each, and 592 to 729 on it."""

    def second_stage(scores: Any, boxes: Any) -> Any:
        scores = mb.relu(x=scores)
        _, indices = mb.topk(x=scores, k=300, axis=1)
        indices = mb.tile(x=mb.expand_dims(x=indices, axes=[-1]), reps=[1, 1, 4])
        return mb.gather_along_axis(x=mb.relu(x=boxes), indices=indices, axis=1)

    shapes = ((1, 576), (1, 576, 4))
    for type_, engine in (
        ("relu", True),
        ("topk", False),
        ("expand_dims", False),
        ("tile", False),
        ("gather_along_axis", False),
    ):
        what = f"`{type_}` of the two-stage selection"
        yield Listing("roboflow/rf-detr#1495", "M3 Pro, macOS 27", what, type_, engine, shapes, second_stage)


def attention() -> Iterator[Listing]:
    """Fused attention on the CPU below two million elements of the query, and in float32 always."""
    for batch, heads, tokens, width, half, engine in (
        (1, 1, 128, 64, True, False),
        (1, 1, 2048, 128, True, False),
        (1, 1, 2048, 128, False, False),
        (1, 8, 512, 64, True, False),
        (1, 16, 1024, 64, True, False),
        (1, 16, 1024, 64, False, False),
        (1, 32, 1024, 128, False, False),
        (1, 16, 2048, 64, True, True),
        (1, 32, 1024, 128, True, True),
    ):
        shape = (batch, heads, tokens, width)

        def body(x: Any) -> Any:
            return mb.scaled_dot_product_attention(query=x, key=x, value=x)

        what = f"`scaled_dot_product_attention` {shape} {'float16' if half else 'float32'}"
        yield Listing(
            "vx-lang/Vx#437", "not named", what, "scaled_dot_product_attention", engine, (shape,), body, half
        )


def projections() -> Iterator[Listing]:
    """A projection of a decoder goes by the depth of its sums: 5,120 is taken, 17,408 is not."""
    for inner, outer, engine in ((5120, 17408, True), (17408, 5120, False), (4096, 4096, False)):
        yield Listing(
            "chrishayuk/larql#312",
            "macOS 15",
            f"`linear` {inner} to {outer}, one row",
            "linear",
            engine,
            ((1, inner),),
            projection(inner, outer),
        )


def projection(inner: int, outer: int) -> Callable[..., Any]:
    def body(x: Any) -> Any:
        return mb.linear(x=x, weight=weight(outer, inner))

    return body


def voice() -> Iterator[Listing]:
    """One layer of a speech model."""

    def gate(x: Any) -> Any:
        return mb.silu(x=mb.conv(x=x, weight=weight(64, 32, 1, 1)))

    for type_ in ("conv", "silu"):
        yield Listing("0seba/VoxCPMANE#15", "M5 Max", f"`{type_}`", type_, True, ((1, 32, 1, 8),), gate)


def older() -> Iterator[Listing]:
    """Single operations that were reported to stay on the CPU."""

    def gather(x: Any) -> Any:
        indices = np.zeros((1, 8, 64), np.int32)
        return mb.gather_along_axis(x=mb.relu(x=x), indices=indices, axis=2)

    def tiny(x: Any) -> Any:
        return mb.matmul(x=x, y=weight(4, 4))

    def recurrent(x: Any) -> Any:
        state = mb.lstm(
            x=x,
            initial_h=weight(1, 4),
            initial_c=weight(1, 4),
            weight_ih=weight(16, 4),
            weight_hh=weight(16, 4),
        )
        return state[0]

    yield Listing(
        "apple/coremltools#1103",
        "not named",
        "`gather_along_axis`",
        "gather_along_axis",
        False,
        ((1, 8, 64),),
        gather,
    )
    yield Listing("apple/coremltools#1780", "not named", "`lstm`", "lstm", False, ((2, 1, 4),), recurrent)
    yield Listing("vx-lang/Vx#436", "not named", "`matmul` (4, 4)", "matmul", False, ((4, 4),), tiny)
