"""Each replacement computes what torch's operation computes, and converts."""

import ast
import math
from collections.abc import Callable
from typing import Any, Final

import coremltools as ct
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.conversion.replacements import REPLACEMENTS
from coreml_gate.conversion.support import is_convertible
from coreml_gate.conversion.ways_out import WAYS_OUT

_DRAW: Final = torch.Generator().manual_seed(0)
X: Final = torch.randn(3, 4, generator=_DRAW)
Y: Final = torch.randn(3, 4, generator=_DRAW)
SHARES: Final = torch.rand(3, 4, generator=_DRAW) * 0.9 + 0.05
IMAGES: Final = torch.randn(2, 6, 3, 3, generator=_DRAW)
HOLES: Final = torch.where(X > 0.5, math.nan, X)
ENDLESS: Final = torch.where(X > 0.5, math.inf, X)
INDICES: Final = torch.tensor([2, 0])
ROWS: Final = torch.randn(2, 4, generator=_DRAW)
BOUNDARIES: Final = torch.tensor([-1.0, 0.0, 1.0])
SIGNS: Final = torch.tensor([[-1.0, 0.0, 2.0]])
WHOLE: Final = torch.tensor([[-100, 0, 7]], dtype=torch.int32)
BYTES: Final = torch.tensor([[0, 255, 7], [1024, 3, 65535]], dtype=torch.int32)
BAGS: Final = torch.tensor([[0, 2, 2], [1, 0, 2]], dtype=torch.int32)
OFTEN: Final = torch.tensor([[3.0, 1, 1, 2], [5, 4, 4, 4]])
TWICE: Final = torch.tensor([3.0, 3, 1, 1, 1, 3])
GROUPS: Final = torch.arange(8).remainder(4).expand(3, 8)
CUBE: Final = torch.randn(2, 4, 4, generator=_DRAW)
EVEN: Final = torch.randn(1, 2, 4, 4, generator=_DRAW)
MORE: Final = torch.tensor([2, 0, 2, 1])
OFTEN_ROWS: Final = torch.randn(4, 4, generator=_DRAW)
STEPS: Final = torch.tensor([0.05, 0.1, 0.2])
THREE: Final = torch.randn(2, 3, 4, generator=_DRAW)

NAMES: Final[dict[str, Any]] = {
    "torch": torch, "F": functional, "math": math, "dim": 1, "k": 2, "index": INDICES, "v": ROWS,
    "boundaries": BOUNDARIES, "weight": 0.3, "value": 0.5, "z": SHARES, "atol": 1e-8, "rtol": 1e-5,
    "alpha": 0.7, "lambd": 0.4, "size": 2, "step": 2, "b": 2, "g": 3, "c": 6, "h": 3, "w": 3, "n": 4,
}  # fmt: skip
Call = Callable[..., Any]
ORIGINALS: Final[dict[str, tuple[Call, tuple[Tensor, ...], dict[str, Any]]]] = {
    "mt": (lambda x: x.mT, (X,), {}),
    "mh": (lambda x: x.mH, (X,), {}),
    "swapaxes": (lambda x: x.swapaxes(0, 1), (X,), {}),
    "movedim": (lambda x: x.movedim(0, -1), (THREE,), {}),
    "rot90": (torch.rot90, (X,), {}),
    "flipud": (torch.flipud, (X,), {}),
    "channel_shuffle": (lambda x: torch.channel_shuffle(x, 3), (IMAGES,), {}),
    "unfold": (lambda x: x.unfold(1, 2, 2), (X,), {}),
    "diag_embed": (torch.diag_embed, (X,), {}),
    "take": (lambda x: torch.take(x, INDICES), (X,), {}),
    "take_along_dim": (
        lambda x: torch.take_along_dim(x, INDICES[None].expand(3, 2), 1),
        (X,),
        {"index": INDICES[None].expand(3, 2)},
    ),
    "index_add": (lambda x: x.index_add(0, INDICES, ROWS), (X,), {}),
    "index_copy": (lambda x: x.index_copy(0, INDICES, ROWS), (X,), {}),
    "median": (lambda x: x.median(1).values, (X,), {}),
    "kthvalue": (lambda x: x.kthvalue(2, 1).values, (X,), {}),
    "msort": (torch.msort, (X,), {}),
    "bucketize": (lambda x: torch.bucketize(x, BOUNDARIES), (X,), {}),
    "isin": (lambda x: torch.isin(x, BOUNDARIES), (SIGNS,), {"v": BOUNDARIES}),
    "count_nonzero": (lambda x: torch.count_nonzero(x, 1), (SIGNS,), {}),
    "cummax": (lambda x: torch.cummax(x, 1).values, (X,), {}),
    "cummin": (lambda x: torch.cummin(x, 1).values, (X,), {}),
    "aminmax": (lambda x: torch.aminmax(x, dim=1), (X,), {}),
    "std_mean": (lambda x: torch.std_mean(x, 1), (X,), {}),
    "var_mean": (lambda x: torch.var_mean(x, 1), (X,), {}),
    "diff": (torch.diff, (X,), {}),
    "trapezoid": (torch.trapezoid, (X,), {}),
    "nansum": (lambda x: torch.nansum(x, 1), (HOLES,), {}),
    "cdist": (torch.cdist, (X, Y), {}),
    "pairwise_distance": (functional.pairwise_distance, (X, Y), {}),
    "vdot": (torch.vdot, (X[0], Y[0]), {}),
    "inner": (torch.inner, (X, Y), {}),
    "ger": (torch.ger, (X[0], Y[0]), {}),
    "lerp": (lambda x, y: torch.lerp(x, y, 0.3), (X, Y), {}),
    "addcmul": (lambda x, y: torch.addcmul(x, y, SHARES, value=0.5), (X, Y), {}),
    "addcdiv": (lambda x, y: torch.addcdiv(x, y, SHARES, value=0.5), (X, Y), {}),
    "trunc": (torch.trunc, (X * 3,), {}),
    "fmod": (torch.fmod, (X * 3, Y), {}),
    "fmin": (torch.fmin, (X, Y), {}),
    "fmax": (torch.fmax, (X, Y), {}),
    "copysign": (torch.copysign, (X, Y), {}),
    "sgn": (torch.sgn, (X,), {}),
    "signbit": (torch.signbit, (X,), {}),
    "isfinite": (torch.isfinite, (ENDLESS,), {}),
    "isinf": (torch.isinf, (ENDLESS,), {}),
    "isclose": (torch.isclose, (X, X + 1e-6), {}),
    "heaviside": (torch.heaviside, (SIGNS, SIGNS + 5), {}),
    "hypot": (torch.hypot, (X, Y), {}),
    "logaddexp": (torch.logaddexp, (X * 50, Y * 50), {}),
    "xlogy": (torch.xlogy, (SIGNS, SIGNS.abs() + 1), {}),
    "logit": (torch.logit, (SHARES,), {}),
    "sinc": (torch.sinc, (SIGNS / 3,), {}),
    "erfc": (torch.erfc, (X,), {}),
    "asinh": (torch.asinh, (X,), {}),
    "acosh": (torch.acosh, (X.abs() + 1.5,), {}),
    "deg2rad": (torch.deg2rad, (X,), {}),
    "rad2deg": (torch.rad2deg, (X,), {}),
    "celu": (lambda x: functional.celu(x, 0.7), (X,), {}),
    "logsigmoid": (functional.logsigmoid, (X,), {}),
    "tanhshrink": (functional.tanhshrink, (X,), {}),
    "hardshrink": (lambda x: functional.hardshrink(x, 0.4), (X,), {}),
    "softshrink": (lambda x: functional.softshrink(x, 0.4), (X,), {}),
    "lgamma": (torch.lgamma, (SHARES * 9,), {}),
    "digamma": (torch.digamma, (SHARES * 9,), {}),
    "bincount": (lambda x: torch.bincount(x, minlength=4), (INDICES.clone(),), {}),
    "histc": (
        lambda x: torch.histc(x, 4, -2, 2),
        (X,),
        {"edges": torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])},
    ),
    "histogram": (
        lambda x: torch.histogram(x, 4, range=(-2.0, 2.0)).hist,
        (X,),
        {"edges": torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])},
    ),
    **{
        f"scatter_reduce[reduce={how}]": (
            lambda x, how=how: torch.zeros(3, 4).scatter_reduce(1, GROUPS, x, how, include_self=False),
            (torch.cat([X, Y], 1),),
            {"index": GROUPS},
        )
        for how in ("amax", "amin", "sum", "mean", "prod")
    },
    "prod": (lambda x: torch.prod(x, 1), (X,), {}),
    "i0": (torch.special.i0, (X * 3,), {}),
    "i1": (torch.special.i1, (X * 3,), {}),
    "i0e": (torch.special.i0e, (X * 3,), {}),
    "i1e": (torch.special.i1e, (X * 3,), {}),
    "bessel_j0": (torch.special.bessel_j0, (X,), {}),
    "bessel_j1": (torch.special.bessel_j1, (X,), {}),
    "spherical_bessel_j0": (torch.special.spherical_bessel_j0, (SIGNS,), {}),
    "erfcx": (torch.special.erfcx, (SHARES,), {}),
    "polygamma": (lambda x: torch.polygamma(3, x), (SHARES * 9,), {"n": 3}),
    "zeta": (torch.special.zeta, (SHARES + 2, SHARES.flip(0)), {}),
    "logaddexp2": (torch.logaddexp2, (X * 50, Y * 50), {}),
    "addbmm": (lambda x, y: torch.addbmm(x, y, THREE), (ROWS[:, :1] * X[0], CUBE[:, :2, :3]), {"z": THREE}),
    "masked_select": (lambda x: torch.masked_select(x, X > 0), (Y,), {"mask": X > 0}),
    "nanmedian": (lambda x: torch.nanmedian(x, 1).values, (HOLES,), {}),
    "put": (lambda x: x.put(INDICES, ROWS[0, :2]), (X,), {"v": ROWS[0, :2]}),
    **{
        f"index_reduce[reduce={how}]": (
            lambda x, how=how: x.index_reduce(0, MORE, OFTEN_ROWS, how, include_self=False),
            (X,),
            {"index": MORE, "v": OFTEN_ROWS},
        )
        for how in ("amax", "amin")
    },
    **{
        f"segment_reduce[reduce={how}]": (
            lambda x, how=how: torch.segment_reduce(x, how, lengths=INDICES + 1),
            (OFTEN_ROWS,),
            {"lengths": INDICES + 1},
        )
        for how in ("sum", "mean")
    },
    "mode": (lambda x: torch.mode(x, 1).values, (OFTEN,), {}),
    "cov": (torch.cov, (X,), {}),
    "corrcoef": (torch.corrcoef, (X,), {}),
    "fft_fftshift": (lambda x: torch.fft.fftshift(x, dim=-1), (X,), {}),
    "fft_ifftshift": (lambda x: torch.fft.ifftshift(x, dim=-1), (X,), {}),
    "index_fill": (lambda x: x.index_fill(1, INDICES, 0.5), (X,), {}),
    "nanmean": (lambda x: torch.nanmean(x, 1), (HOLES,), {}),
    "__lshift__": (lambda x: x << 4, (WHOLE,), {}),
    "bitwise_left_shift": (lambda x: torch.bitwise_left_shift(x, 4), (WHOLE,), {}),
    "__rshift__": (lambda x: x >> 4, (WHOLE,), {}),
    "bitwise_right_shift": (lambda x: torch.bitwise_right_shift(x, 4), (WHOLE,), {}),
    "ldexp": (torch.ldexp, (X, SIGNS[:, :1]), {}),
    "bilinear": (lambda x, y: functional.bilinear(x, y, CUBE), (X, Y), {"w": CUBE}),
    "max_unpool2d": (
        lambda x, y: functional.max_unpool2d(*functional.max_pool2d(x, 2, return_indices=True), 2),
        (EVEN, functional.max_pool2d(EVEN, 2)),
        {},
    ),
    "masked_scatter": (lambda x: x.masked_scatter(X > 0, SHARES), (Y,), {"mask": X > 0, "v": SHARES}),
    "unique_consecutive": (torch.unique_consecutive, (TWICE,), {}),
    "bitwise_or": (lambda x, y: (x > 0) | (y > 0), (X > 0, Y > 0), {}),
    "bitwise_xor": (lambda x, y: (x > 0) ^ (y > 0), (X > 0, Y > 0), {}),
    "bitwise_or[whole]": (torch.bitwise_or, (BYTES, BYTES.flip(0)), {}),
    "bitwise_xor[whole]": (torch.bitwise_xor, (BYTES, BYTES.flip(0)), {}),
    "angle": (lambda x: torch.angle(torch.fft.rfft(x)), (X,), {"x": torch.fft.rfft}),
    "fft_fft2": (torch.fft.fft2, (X,), {}),
    "fft_ifft2": (lambda x: torch.fft.ifft2(torch.fft.fftn(x)), (X,), {"x": torch.fft.fftn}),
    "fft_rfft2": (torch.fft.rfft2, (X,), {}),
    "fft_irfft2": (lambda x: torch.fft.irfft2(torch.fft.rfftn(x)), (X,), {"x": torch.fft.rfftn}),
    "embedding_bag": (lambda x, y: functional.embedding_bag(x, y, mode="sum"), (BAGS, X), {}),
    **{
        f"embedding_bag[offsets{more}]": (
            lambda x, y, how=how: functional.embedding_bag(x, y, INDICES.flip(0), mode=how),
            (BAGS[0], X),
            {"offsets": INDICES.flip(0)},
        )
        for how, more in (("sum", ""), ("mean", ", mode=1"), ("max", ", mode=2"))
    },
    "embedding_bag[mode=1]": (lambda x, y: functional.embedding_bag(x, y, mode="mean"), (BAGS, X), {}),
    "embedding_bag[mode=2]": (lambda x, y: functional.embedding_bag(x, y, mode="max"), (BAGS, X), {}),
    "fake_quantize_per_channel_affine": (
        lambda x: torch.fake_quantize_per_channel_affine(x, STEPS, WHOLE[0] * 0 + 1, 0, -8, 7),
        (X,),
        {"scale": STEPS, "zero_point": WHOLE[0] * 0 + 1, "quant_min": -8, "quant_max": 7},
    ),
    "fake_quantize_per_tensor_affine": (
        lambda x: torch.fake_quantize_per_tensor_affine(x, 0.05, 3, -8, 7),
        (X,),
        {"scale": 0.05, "zero_point": 3, "quant_min": -8, "quant_max": 7},
    ),
}
BY_EYE: Final = {"new_ones", "bernoulli", "exponential", "normal"}
"""A form alone, and those that draw other numbers than torch's operation."""


def replaced(name: str, *operands: Tensor) -> Any:
    """What the replacement computes."""
    given: dict[str, Any] = dict(zip("xy", operands, strict=False))
    own = dict(ORIGINALS[name][2])
    if "x" in own:  # the operand is complex, which no input is
        given["x"] = own.pop("x")(given["x"])
    return eval(REPLACEMENTS[name], NAMES | own | given)


def test_each_replacement_is_compared_with_torch() -> None:
    assert ORIGINALS.keys() | BY_EYE == REPLACEMENTS.keys()


def test_each_is_for_an_operation_without_a_converter() -> None:
    names = (name.partition("[")[0] for name in (*REPLACEMENTS, *WAYS_OUT))
    assert [name for name in names if is_convertible(name)] == []


@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("name", ORIGINALS)
def test_a_replacement_computes_what_torch_does(name: str) -> None:
    original, operands, _ = ORIGINALS[name]
    torch.testing.assert_close(
        replaced(name, *operands), tuple(found) if isinstance(found := original(*operands), tuple) else found,
        rtol=2e-5, atol=1e-6,
    )  # fmt: skip


class Replaced(torch.nn.Module):
    """All of them on their operands, which are inputs."""

    def forward(self, *operands: Tensor) -> list[Tensor]:
        left, found = list(operands), []
        for name, (_, own, _) in ORIGINALS.items():
            result = replaced(name, *(left.pop(0) for _ in own))
            found += result if isinstance(result, tuple) else [result]
        return [each.real + each.imag if each.is_complex() else each.float() for each in found]


@pytest.mark.filterwarnings(
    "ignore::torch.jit.TracerWarning", "ignore::UserWarning", "ignore::RuntimeWarning"
)
def test_all_replacements_convert() -> None:
    operands = tuple(each for _, own, _ in ORIGINALS.values() for each in own)
    traced: Any = torch.jit.trace(Replaced(), operands, check_trace=False)
    inputs = [
        ct.TensorType(
            name=f"input_{n}", shape=each.shape, dtype=np.float32 if each.is_floating_point() else np.int32
        )
        for n, each in enumerate(operands)
    ]
    model = ct.convert(traced, inputs=inputs, minimum_deployment_target=ct.target.iOS17, skip_model_load=True)
    assert len(model.get_spec().description.output) == len(ORIGINALS) + 3


def test_each_is_an_expression() -> None:
    for code in REPLACEMENTS.values():
        ast.parse(code, mode="eval")
