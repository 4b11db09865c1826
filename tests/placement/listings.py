"""Public listings of Core ML's own compute plans, rebuilt as small programs with the shapes that they name.

Only the devices of the operations that a listing is about are taken from it: ``engine`` says by name which
of them Core ML planned for the Neural Engine.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it

Shape = tuple[int, ...]
Name = Callable[[str], str]
"""A name of a listing's operation, as it is in the program that holds all listings."""


@dataclass(frozen=True)
class Listing:
    """One published plan."""

    source: str
    mac: str
    what: str
    engine: Mapping[str, bool]
    shapes: tuple[Shape, ...]
    body: Callable[..., Any]
    """Takes :data:`Name`, then the inputs."""
    half: bool = True


def weight(*shape: int) -> Any:
    return np.zeros(shape, np.float16)


def listings() -> Iterator[Listing]:
    """In the order of their sources."""
    yield from detection()
    yield from attention()
    yield from projections()
    yield from decoding()
    yield from voice()
    yield from graphs()
    yield from compressed()
    yield from older()


def detection() -> Iterator[Listing]:
    """Four detectors: 7 or 8 operations off, the same in each, and 592 to 729 on it."""

    def second_stage(name: Name, scores: Any, boxes: Any) -> Any:
        scores = mb.relu(x=scores, name=name("relu"))
        _, indices = mb.topk(x=scores, k=300, axis=1, name=name("topk"))
        indices = mb.expand_dims(x=indices, axes=[-1], name=name("expand_dims"))
        indices = mb.tile(x=indices, reps=[1, 1, 4], name=name("tile"))
        boxes = mb.relu(x=boxes)
        return mb.gather_along_axis(x=boxes, indices=indices, axis=1, name=name("gather_along_axis"))

    off = dict.fromkeys(("topk", "expand_dims", "tile", "gather_along_axis"), False)
    shapes = ((1, 576), (1, 576, 4))
    what = "the two-stage selection"
    yield Listing(
        "roboflow/rf-detr#1495", "M3 Pro, macOS 27", what, {"relu": True, **off}, shapes, second_stage
    )


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
        what = f"attention {shape} {'float16' if half else 'float32'}"
        yield Listing("vx-lang/Vx#437", "not named", what, {"attention": engine}, (shape,), attend, half)


def attend(name: Name, *inputs: Any) -> Any:
    query, key, value = inputs * 3 if len(inputs) == 1 else inputs
    return mb.scaled_dot_product_attention(query=query, key=key, value=value, name=name("attention"))


def projections() -> Iterator[Listing]:
    """One row, from few to many products a sum: below 5,120 on the CPU, above 16,384 not supported."""
    for inner, outer, engine in (
        *((side, side, False) for side in (256, 512, 768, 1024, 1536, 2048, 3072)),
        (4096, 512, False),
        (4096, 2048, False),
        (4096, 8192, False),
        (4096, 4096, False),
        (4096, 5120, False),
        (4864, 5120, False),
        (5120, 512, True),
        (5120, 2048, True),
        (5120, 8192, True),
        (5120, 5120, True),
        (5120, 17408, True),
        (16384, 5120, True),
        (16512, 5120, False),
        (17408, 512, False),
        (17408, 5120, False),
    ):
        yield linear("chrishayuk/larql#312", "macOS 15.7", 1, inner, outer, engine=engine)

    def accumulate(name: Name, x: Any) -> Any:
        return mb.cumsum(x=x, axis=1, name=name("cumsum"))

    yield Listing(
        "chrishayuk/larql#312", "macOS 15.7", "`cumsum`", {"cumsum": False}, ((1, 512),), accumulate
    )


def linear(source: str, mac: str, rows: int, inner: int, outer: int, *, engine: bool) -> Listing:
    def body(name: Name, x: Any) -> Any:
        return mb.linear(x=x, weight=weight(outer, inner), name=name("linear"))

    what = f"`linear` {inner} to {outer}, {rows} rows"
    return Listing(source, mac, what, {"linear": engine}, ((rows, inner),), body)


def decoding() -> Iterator[Listing]:
    """A decoder's projections, alone in their programs: one row as ``linear`` and ``conv``, and 128 rows."""
    source = "thisisthepy/torchnative, docs/graph/ANEDECODE.md"
    for outer in (192, 576, 1536, 4096, 8192, 16384, 49152):
        yield linear(source, "not named", 1, 576, outer, engine=False)
    for inner, outer in ((576, 192), (576, 576), (576, 1536), (1536, 576)):
        yield linear(source, "not named", 128, inner, outer, engine=True)
    for inner, outer, engine in (
        (576, 192, False),
        (576, 576, False),
        (576, 1536, False),
        (576, 4096, False),
        (4096, 576, False),
        (576, 8192, True),
        (8192, 576, True),
        (2304, 2048, True),
        (2048, 2304, True),
        (576, 16384, True),
        (576, 49152, True),
    ):
        yield Listing(
            source,
            "not named",
            f"`conv` {inner} to {outer}, one place",
            {"conv": engine},
            ((1, inner, 1, 1),),
            pointwise(inner, outer),
        )


def pointwise(inner: int, outer: int) -> Callable[..., Any]:
    def body(name: Name, x: Any) -> Any:
        return mb.conv(x=x, weight=weight(outer, inner, 1, 1), name=name("conv"))

    return body


def voice() -> Iterator[Listing]:
    """One layer of a speech model."""

    def gate(name: Name, x: Any) -> Any:
        return mb.silu(x=mb.conv(x=x, weight=weight(64, 32, 1, 1), name=name("conv")), name=name("silu"))

    engine = {"conv": True, "silu": True}
    yield Listing("0seba/VoxCPMANE#15", "M5 Max", "one layer", engine, ((1, 32, 1, 8),), gate)


def graphs() -> Iterator[Listing]:
    """Small whole programs, whose devices their author keeps as a test on his Mac."""
    square = (1, 512, 512)
    pair = (square, square)

    def of(what: str, shapes: tuple[Shape, ...], body: Any, *, half: bool = True, **engine: bool) -> Listing:
        source = "vx-lang/Vx, scripts/ane_device_check.py"
        return Listing(source, "not named", what, engine, shapes, body, half)

    yield of("matmul 512", ((512, 512),) * 2, multiply, matmul=True)
    yield of("matmul 1024", ((1024, 1024),) * 2, multiply, matmul=True)
    yield of("transpose alone", (square,), turn, transpose=True)
    yield of("add of 2 million", ((1, 2048, 1024),) * 2, elementwise(mb.add), elementwise=True)
    yield of("mul of 2 million", ((1, 2048, 1024),) * 2, elementwise(mb.mul), elementwise=True)
    yield of("softmax of 16 million", ((1, 4096, 4096),), soften, softmax=True)
    yield of("softmax behind matmul", pair, behind(soften), matmul=True, softmax=True)
    yield of(
        "a block behind matmul", pair, behind(block), matmul=True, layer_norm=True, gelu=True, softmax=True
    )
    yield of("fused attention of 2 million", ((1, 256, 8192),) * 3, attend, attention=True)
    yield of(
        "attention in steps",
        ((1, 256, 8192),) * 3,
        in_steps,
        transpose=True,
        scores=True,
        mul=True,
        softmax=True,
        matmul=True,
    )
    yield of("matmul 4 float32", ((4, 4),) * 2, multiply, half=False, matmul=False)
    yield of("matmul 1024 float32", ((1024, 1024),) * 2, multiply, half=False, matmul=False)
    yield of("softmax alone", (square,), soften, softmax=False)
    yield of("no matmul", (square,), unanchored, layer_norm=False, gelu=False, mul=False, softmax=False)


def multiply(name: Name, x: Any, y: Any) -> Any:
    return mb.matmul(x=x, y=y, name=name("matmul"))


def turn(name: Name, x: Any) -> Any:
    return mb.transpose(x=x, perm=[0, 2, 1], name=name("transpose"))


def elementwise(operation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda name, x, y: operation(x=x, y=y, name=name("elementwise"))


def soften(name: Name, x: Any) -> Any:
    return mb.softmax(x=x, axis=-1, name=name("softmax"))


def block(name: Name, x: Any) -> Any:
    x = mb.layer_norm(x=x, axes=[-1], name=name("layer_norm"))
    return soften(name, mb.gelu(x=x, name=name("gelu")))


def unanchored(name: Name, x: Any) -> Any:
    x = mb.layer_norm(x=x, axes=[-1], name=name("layer_norm"))
    x = mb.gelu(x=x, name=name("gelu"))
    return soften(name, mb.mul(x=x, y=x, name=name("mul")))


def behind(body: Callable[..., Any]) -> Callable[..., Any]:
    return lambda name, x, y: body(name, multiply(name, x, y))


def in_steps(name: Name, query: Any, key: Any, value: Any) -> Any:
    scores = mb.matmul(x=query, y=turn(name, key), name=name("scores"))
    scores = mb.mul(x=scores, y=np.float16(1 / np.sqrt(8192)), name=name("mul"))
    return multiply(name, soften(name, scores), value)


def compressed() -> Iterator[Listing]:
    """A projection with weights of 8 bits, in a real size and in a toy's."""
    source = "dusterbloom/higgs, benchmarks/ane_int8_mlpackage_probe"
    for channels, engine in ((3072, True), (64, False)):
        yield Listing(
            source,
            "macOS 26.3",
            f"`conv` of {channels} channels, 8 bits",
            {"conv": engine},
            ((1, channels, 1, 16),),
            eight_bits(channels),
        )


def eight_bits(channels: int) -> Callable[..., Any]:
    def body(name: Name, x: Any) -> Any:
        narrow = mb.constexpr_affine_dequantize(
            quantized_data=np.zeros((channels, channels, 1, 1), np.int8),
            zero_point=np.int8(0),
            scale=np.float16(0.01),
            axis=0,
        )
        return mb.conv(x=x, weight=narrow, name=name("conv"))

    return body


def older() -> Iterator[Listing]:
    """Single operations that were reported to stay on the CPU."""

    def gather(name: Name, x: Any) -> Any:
        indices = np.zeros((1, 8, 64), np.int32)
        return mb.gather_along_axis(x=mb.relu(x=x), indices=indices, axis=2, name=name("gather_along_axis"))

    def tiny(name: Name, x: Any) -> Any:
        return mb.matmul(x=x, y=weight(4, 4), name=name("matmul"))

    def recurrent(name: Name, x: Any) -> Any:
        state = mb.lstm(
            x=x,
            initial_h=weight(1, 4),
            initial_c=weight(1, 4),
            weight_ih=weight(16, 4),
            weight_hh=weight(16, 4),
            name=name("lstm"),
        )
        return state[0]

    for source, label, shape, body in (
        ("apple/coremltools#1103", "gather_along_axis", (1, 8, 64), gather),
        ("apple/coremltools#1780", "lstm", (2, 1, 4), recurrent),
        ("vx-lang/Vx#436", "matmul", (4, 4), tiny),
    ):
        yield Listing(source, "not named", f"`{label}`", {label: False}, (shape,), body)
