"""Models that fire the rules on conversion, processing, compression, size and versions, and near misses."""

import dataclasses
import math
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import coremltools as ct
import numpy as np
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it
from coremltools.converters.mil.mil import types
from coremltools.optimize import coreml as cto
from torch import nn
from torch.nn import functional

from coreml_gate.conversion.quiet import quiet
from coreml_gate.mil.package import read_package
from coreml_gate.rules.catalogue import Facts
from tests.rules.cases_program import weight
from tests.rules.converted import FLOAT, Program, captured, facts, saved, setting, traced

Make = Callable[[], Facts]
X = torch.tensor([[1.5, -2.5, 0.3], [-0.7, 4.0, 2.2]])
IMAGENET = [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]


@cache
def odd_program() -> Facts:
    def build(x: Any, unread: Any) -> Any:
        return (
            mb.pow(x=np.float32(2), y=x),
            mb.inverse(x=x, epsilon=np.float32(1e-4)),
            mb.random_normal(shape=[2, 3]),
            mb.identity(x=np.ones(3, np.float32)),
        )

    return Program(skip=frozenset({"common::noop_elimination"})).of(build, (2, 3), (2, 3))


@cache
def plain_program() -> Facts:
    def build(x: Any, y: Any) -> Any:
        return (
            mb.pow(x=x, y=np.float32(2)),
            mb.real_div(x=np.float32(1), y=x),
            mb.add(x=y, y=np.ones((2, 3), np.float32)),
        )

    return Program().of(build, (2, 3), (2, 3))


def _gathered(dtype: Any) -> Facts:
    def build(table: Any) -> Any:
        return mb.gather(x=table, indices=np.array([0, 2], np.int32), axis=0)

    return Program().of(build, mb.TensorSpec(shape=(4, 8), dtype=dtype))


@cache
def gathered_integers() -> Facts:
    return _gathered(types.int32)


@cache
def gathered_floats() -> Facts:
    return _gathered(types.fp32)


@cache
def gathered_sizes(greatest: int) -> Facts:
    """The length of a sequence of up to ``greatest`` steps, which the converter cuts to 16 bits."""

    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sum(1) / x.shape[1]

    length = ct.RangeDim(1, greatest, default=8)
    with quiet(), torch.no_grad():
        script = torch.jit.trace(Net(), (torch.ones(1, 8, 4),), check_trace=False)
        model = ct.convert(
            script,
            inputs=[ct.TensorType("x", shape=(1, length, 4))],
            minimum_deployment_target=ct.target.iOS17,
            skip_model_load=True,
        )
    return facts(saved(model))


class Traps(nn.Module):
    """Everything that the export route converts otherwise than torch means it."""

    def __init__(self, alpha: float, approximate: str, wide: int) -> None:
        super().__init__()
        self.alpha, self.approximate, self.wide = alpha, approximate, wide

    def forward(self, x: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, ...]:
        angle = torch.atan2(x, x + 1) if self.alpha != 1 else torch.atan(x)
        noise = torch.randint(0, 2, (2, 3)) if self.alpha != 1 else torch.rand_like(x)
        main = torch.diagonal(x) if self.alpha != 1 else torch.triu(x)
        double = x.double() * 2 if self.alpha != 1 else x * 2
        return (
            torch.sub(x, x * x, alpha=self.alpha),
            functional.gelu(x, approximate=self.approximate),
            n * self.wide,
            angle,
            noise,
            main,
            double,
        )


@cache
def traps() -> Facts:
    return captured("export", Traps(2, "tanh", 2**40), X, torch.tensor([1, 2]))


@cache
def no_traps() -> Facts:
    return captured("export", Traps(1, "none", 2**30), X, torch.tensor([1, 2]))


class Odd(nn.Module):
    """Calls whose arguments mean less to the converter than to torch."""

    def __init__(self, value: float, dim: int | None, activation: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.value, self.dim, self.activation = value, dim, activation

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        whole = torch.full_like(x, self.value, dtype=torch.int32)
        return x * whole, torch.argmax(x, self.dim), self.activation(x)


@cache
def unread() -> Facts:
    return captured("export", Odd(2.7, None, functional.selu), X)


@cache
def read() -> Facts:
    return captured("export", Odd(2.0, 1, functional.elu), X)


def _careless(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = x.clone()
    y[..., -1] = 1.0
    return y * 2, torch.var(x), functional.pad(x, (0, 1), value=-math.inf), _small(x, antialias=True)


def _careful(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = x.clone()
    y[:, -1] = 1.0
    padded = functional.pad(x, (0, 1), value=-1e4)
    return y * 2, torch.var(x, dim=1), torch.var(x, unbiased=False), padded, _small(x, antialias=False)


def _small(x: torch.Tensor, *, antialias: bool) -> torch.Tensor:
    return functional.interpolate(x[None, None], size=(1, 2), mode="bilinear", antialias=antialias)


@cache
def careless() -> Facts:
    return captured("trace", _careless, X)


@cache
def careful() -> Facts:
    return captured("trace", _careful, X)


@cache
def unused_mode() -> Facts:
    def forward(x: torch.Tensor) -> torch.Tensor:
        return functional.dropout(functional.softplus(x, 2.0, 1.0), 0.5, training=True)

    return captured("trace", forward, X)


@cache
def used_mode() -> Facts:
    def forward(x: torch.Tensor) -> torch.Tensor:
        return functional.dropout(functional.softplus(x, 2.0, 20.0), 0.5, training=False)

    return captured("trace", forward, X)


@cache
def packed() -> Facts:
    def forward(x: torch.Tensor) -> torch.Tensor:
        lengths = torch.tensor([3, 2])
        return nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True).data * 2

    return captured("trace", forward, X)


@cache
def training() -> Facts:
    return captured("trace", nn.BatchNorm1d(3), X, training=True)


@cache
def evaluating() -> Facts:
    return captured("trace", nn.BatchNorm1d(3), X)


def _written(x: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[:, 0].add_(1.0)
    return y


@cache
def traced_write() -> Facts:
    return captured("trace", _written, X)


@cache
def exported_write() -> Facts:
    return captured("export", _written, X)


@cache
def frozen() -> Facts:
    return captured(
        "trace", lambda x: x * 2, X, frozen_places={"net.py:12": "__bool__"}, filled_states=["cache"]
    )


@cache
def thawed() -> Facts:
    return captured("trace", lambda x: x * 2, X)


@cache
def normed() -> Facts:
    return captured("trace", nn.RMSNorm(3), X)


@cache
def layer_normed() -> Facts:
    return captured("trace", nn.LayerNorm(3), X)


@cache
def sized() -> Facts:
    return captured("trace", lambda x: torch.masked_select(x, x > 0), X)


@cache
def masked() -> Facts:
    return captured("trace", lambda x: torch.where(x > 0, x, 0.0), X)


@cache
def unconvertible() -> Facts:
    def forward(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.hypot(x, x), torch.asinh(x), torch.polar(x, x).abs()

    return captured("trace", forward, X)


@cache
def convertible() -> Facts:
    def forward(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.sqrt(x * x + x * x), torch.sinh(x), torch.fft.rfft(x).abs()

    return captured("trace", forward, X)


@torch.library.custom_op("net_library::twice", mutates_args=())
def _twice(x: torch.Tensor) -> torch.Tensor:
    return x * 2


@_twice.register_fake
def _twice_fake(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("flash_attn::forward", mutates_args=())
def _flash(q: torch.Tensor) -> torch.Tensor:
    return q * 1


@_flash.register_fake
def _flash_fake(q: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(q)


@cache
def library_calls() -> Facts:
    return captured("export", lambda x: (_twice(x), _flash(x)), X)


@cache
def torch_calls() -> Facts:
    def forward(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        q = x[None]
        return x * 2, functional.scaled_dot_product_attention(q, q, q)

    return captured("export", forward, X)


@cache
def quantized() -> Facts:
    net = nn.Sequential(nn.Linear(3, 3)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its own quantisation deprecated
        small = torch.ao.quantization.quantize_dynamic(net, {nn.Linear})  # type: ignore[no-untyped-call]
    return captured("trace", small, X)


@cache
def rounded() -> Facts:
    return captured("trace", nn.Sequential(nn.Linear(3, 3)), X)


def _image(color: str, scale: float, bias: list[float], factor: float = 1.0, output: float = 1.0) -> Facts:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.sigmoid(self.conv(x * factor if factor != 1 else x))
            return y * output if output != 1 else y

    x = torch.rand(1, 3, 32, 32)
    image = ct.ImageType(name="image", shape=x.shape, scale=scale, bias=bias, color_layout=color)
    return traced(Net(), x, types=[image], outputs=[ct.ImageType(name="y", color_layout="RGB")])


@cache
def approximate_pixels() -> Facts:
    return _image("BGR", 1 / 255 / 0.226, IMAGENET)


@cache
def plain_pixels() -> Facts:
    return _image("RGB", 1 / 255, [0.0, 0.0, 0.0], output=255.0)


@cache
def ordered_pixels() -> Facts:
    return _image("RGB", 1 / 255 / 0.25, IMAGENET)


@cache
def raw_pixels() -> Facts:
    return _image("RGB", 1.0, [0.0, 0.0, 0.0])


@cache
def twice_scaled() -> Facts:
    return _image("RGB", 1 / 255, [0.0, 0.0, 0.0], factor=1 / 255)


def _labelled(labels: list[str], tail: nn.Module) -> Facts:
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 3), tail)
    return traced(net, torch.zeros(1, 3, 8, 8), classifier_config=ct.ClassifierConfig(labels))


@cache
def bad_labels() -> Facts:
    return _labelled(["1", "2", "1"], nn.Identity())


@cache
def good_labels() -> Facts:
    return _labelled(["cat", "dog", "2"], nn.Softmax(dim=-1))


def _named(key: str, text: str) -> Facts:
    with quiet():
        model = ct.convert(
            torch.jit.trace(nn.Linear(4, 3).eval(), torch.ones(1, 4)),
            inputs=[ct.TensorType(name="x", shape=(1, 4))],
            skip_model_load=True,
        )
    model.user_defined_metadata[key] = text
    return facts(saved(model))


@cache
def other_names() -> Facts:
    return _named("names", "{0: 'cat', 1: 'dog', 2: 'cow', 3: 'hen'}")


@cache
def names_without_a_background() -> Facts:
    return _named("com.apple.coreml.model.preview.params", '{"labels": ["cat", "dog"]}')


def _arrays(size: int) -> Facts:
    return Program().of(lambda x: mb.relu(x=x), (1, 3, size, size))


@cache
def photo() -> Facts:
    return _arrays(96)


@cache
def thumbnail() -> Facts:
    return _arrays(32)


def _compressed(config: Any, method: Any, widths: tuple[int, ...] = (256, 256, 256, 256)) -> Facts:
    torch.manual_seed(0)
    layers = [nn.Linear(wide, narrow) for wide, narrow in pairwise(widths)]
    net = nn.Sequential(*layers).eval()
    with quiet(), torch.no_grad():
        script = torch.jit.trace(net, torch.zeros(1, widths[0]))  # type: ignore[no-untyped-call]
        model = ct.convert(
            script,
            inputs=[ct.TensorType(name="x", shape=(1, widths[0]))],
            minimum_deployment_target=ct.target.iOS18,
            skip_model_load=True,
        )
        model = method(model, cto.OptimizationConfig(global_config=config))
    return facts(saved(model))


@cache
def four_bits() -> Facts:
    return _compressed(cto.OpPalettizerConfig(mode="kmeans", nbits=4), cto.palettize_weights)


@cache
def grouped_bits() -> Facts:
    grouped = cto.OpPalettizerConfig(mode="kmeans", nbits=6, granularity="per_grouped_channel", group_size=64)
    return _compressed(grouped, cto.palettize_weights)


@cache
def small_blocks() -> Facts:
    blocks = cto.OpLinearQuantizerConfig(
        mode="linear_symmetric", dtype="int4", granularity="per_block", block_size=8
    )
    return _compressed(blocks, cto.linear_quantize_weights, (64, 60, 64))


@cache
def fair_blocks() -> Facts:
    blocks = cto.OpLinearQuantizerConfig(
        mode="linear_symmetric", dtype="int4", granularity="per_block", block_size=32
    )
    return _compressed(blocks, cto.linear_quantize_weights, (64, 64, 64))


def _pruned(share: float) -> Facts:
    return _compressed(cto.OpMagnitudePrunerConfig(target_sparsity=share), cto.prune_weights, (128, 128))


@cache
def dense() -> Facts:
    return _pruned(0.3)


@cache
def sparse() -> Facts:
    return _pruned(0.7)


def _claims(**sizes: Any) -> Facts:
    made = plain_program()
    assert made.package is not None
    return dataclasses.replace(made, package=dataclasses.replace(made.package, **sizes))


@cache
def too_heavy() -> Facts:
    return _claims(weight_bytes=2**31, program_bytes=20_000_000)


@cache
def just_light() -> Facts:
    return _claims(weight_bytes=2**31 - 1, program_bytes=200_000)


def _chain(length: int) -> Facts:
    shared = weight(16, 16)

    def build(x: Any) -> Any:
        for _ in range(length):
            x = mb.matmul(x=x, y=shared)
        return x

    return Program(precision=FLOAT).of(build, (1, 16))


@cache
def unrolled() -> Facts:
    return _chain(200)


@cache
def short_loop() -> Facts:
    return _chain(20)


@cache
def many_operations() -> Facts:
    made = short_loop()
    assert made.program is not None
    view = type(made.program)(made.program.function)
    object.__setattr__(view, "operations", made.program.operations * 250)
    return dataclasses.replace(made, program=view)


def _stored_twice(transposed: bool) -> Facts:
    table = weight(256, 256)

    def build(x: Any) -> Any:
        other = table.T.copy() if transposed else table
        y = mb.matmul(x=mb.matmul(x=x, y=table), y=other)
        return mb.sin(x=mb.matmul(x=y, y=weight(512, 512)[:256, :256]))

    return Program().of(build, (1, 256))


@cache
def stored_twice() -> Facts:
    return _stored_twice(transposed=True)


@cache
def stored_once() -> Facts:
    return _stored_twice(transposed=False)


def _mixed(kept: frozenset[str]) -> Facts:
    def build(x: Any) -> Any:
        y = mb.linear(x=x, weight=weight(512, 512), name="first")
        return mb.linear(x=y, weight=weight(512, 512), name="second")

    selector = ct.transform.FP16ComputePrecision(op_selector=lambda op: op.name not in kept)
    return Program(precision=selector).of(build, (1, 512))


@cache
def half_mixed() -> Facts:
    return _mixed(frozenset({"second"}))


@cache
def all_half() -> Facts:
    return _mixed(frozenset())


@cache
def new_versions() -> Facts:
    return Facts(setting(torch="2.13.0", numpy="2.4.0", python="3.14.1"))


@cache
def tested_versions() -> Facts:
    return Facts(setting(torch="2.7.9", numpy="2.3.9", python="3.13.9"))


@cache
def old_package() -> Facts:
    made = plain_program()
    assert made.package is not None
    spec = type(made.package.spec).FromString(made.package.spec.SerializeToString())
    spec.description.metadata.userDefined["com.github.apple.coremltools.version"] = "6.3.0"
    spec.specificationVersion = 9
    (made.package.path / "Data/com.apple.CoreML/model.mlmodel").write_bytes(spec.SerializeToString())
    return facts(read_package(made.package.path))


CASES: Mapping[str, tuple[Make, Make, str]] = {
    "constant-output": (odd_program, plain_program, "no input reaches it"),
    "unread-input": (odd_program, plain_program, "no operation reads it"),
    "power-of-two": (odd_program, plain_program, "y ** 2"),
    "reciprocal-epsilon": (odd_program, plain_program, "1 / (x + 0.0001)"),
    "random-numbers": (odd_program, plain_program, "`random_normal`"),
    "narrowed-integers": (gathered_integers, gathered_floats, "are cut to"),
    "ignored-alpha": (traps, no_traps, "alpha = 2"),
    "unread-argument": (unread, read, "`aten::full_like` with dtype = torch.int32"),
    "fraction-among-integers": (unread, read, "2.7 is written"),
    "flat-argmax": (unread, read, "`aten::argmax` without dim"),
    "lost-correction": (careless, careful, "without its correction"),
    "misplaced-write": (careless, careful, "writes along axis 1"),
    "infinite-padding": (careless, careful, "padding with -inf"),
    "antialias": (careless, careful, "antialias=True"),
    "diagonal-matrix": (traps, no_traps, "as a matrix"),
    "arctangent-of-zero": (traps, no_traps, "atan2(0, x)"),
    "gelu-approximation": (traps, no_traps, "approximate='tanh'"),
    "wide-integers": (traps, no_traps, "1099511627776"),
    "random-integers": (traps, no_traps, "upper bound"),
    "double-precision": (traps, no_traps, "float64"),
    "softplus-threshold": (unused_mode, used_mode, "threshold=1"),
    "active-dropout": (unused_mode, used_mode, "p = 0.5"),
    "packed-sequence": (packed, used_mode, "the lengths of `pack_padded_sequence` are not read"),
    "training-batch-norm": (training, evaluating, "training mode"),
    "lost-write": (traced_write, exported_write, "`aten::add_` writes through `aten::select`"),
    "frozen-values": (frozen, thawed, "constant from here on"),
    "filled-state": (frozen, thawed, "does not start at zero"),
    "rms-norm-epsilon": (normed, layer_normed, "max(|x|)^2"),
    "sized-by-values": (sized, masked, "`aten::masked_select`"),
    "no-converter": (unconvertible, convertible, "`aten::hypot`"),
    "broken-converter": (unconvertible, convertible, "`aten::asinh`"),
    "complex-numbers": (unconvertible, convertible, "complex64"),
    "foreign-operation": (library_calls, torch_calls, "`net_library::twice`"),
    "cuda-operation": (library_calls, torch_calls, "`flash_attn::forward`"),
    "quantized-operation": (quantized, rounded, "`quantized::linear_dynamic`"),
    "one-deviation": (approximate_pixels, ordered_pixels, "0.226"),
    "channel-order": (approximate_pixels, ordered_pixels, "pixels come as BGR"),
    "raw-pixels": (raw_pixels, plain_pixels, "0 to 255 reach"),
    "scaled-twice": (twice_scaled, plain_pixels, "1.54e-05"),
    "dark-image": (raw_pixels, plain_pixels, "out of `sigmoid`"),
    "repeated-label": (bad_labels, good_labels, "first `1`"),
    "class-names": (other_names, names_without_a_background, "4 names, output"),
    "numbered-labels": (bad_labels, good_labels, "3 labels are numbers"),
    "label-scores": (bad_labels, good_labels, "out of `linear`"),
    "image-as-array": (photo, thumbnail, "(1, 3, 96, 96)"),
    "layer-left-out": (small_blocks, fair_blocks, "is not compressed"),
    "compressed-ends": (four_bits, grouped_bits, "the first layer has 4 bits"),
    "coarse-palette": (four_bits, grouped_bits, "one table of 16 values for 65536"),
    "heavy-scales": (small_blocks, fair_blocks, "4 bits per weight are"),
    "dense-sparse-weight": (dense, sparse, "70%"),
    "weights-above-2-gib": (too_heavy, just_light, "2147483648 bytes"),
    "large-program": (too_heavy, just_light, "20.0 MB"),
    "many-operations": (many_operations, short_loop, "5000 operations"),
    "unrolled-loop": (unrolled, short_loop, "200 operations share"),
    "float32-weight": (half_mixed, all_half, "1.0 MB are float32"),
    "transposed-twin": (stored_twice, stored_once, "the transpose of"),
    "untested-torch": (new_versions, tested_versions, "torch 2.13.0"),
    "breaking-numpy": (new_versions, tested_versions, "numpy 2.4.0"),
    "untested-python": (new_versions, tested_versions, "Python 3.14.1"),
    "old-converter": (old_package, plain_program, "coremltools 6.3.0"),
    "old-operations": (old_package, plain_program, "operations of iOS17"),
}
"""By rule: what fires it, what nearly does, and words of the match."""
