"""What to write instead of an operation without a converter."""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

import torch

from coreml_gate.conversion.support import is_convertible
from coreml_gate.record import MissingOperation
from coreml_gate.torch_graph import TorchCall, TorchGraph

REPLACEMENTS: Final[Mapping[str, str]] = {
    "mt": "x.transpose(-2, -1)",
    "mh": "x.transpose(-2, -1)",
    "swapaxes": "x.transpose(0, 1)",
    "movedim": "x.permute(1, 2, 0)",
    "rot90": "x.transpose(0, 1).flip(0)",
    "flipud": "x.flip(0)",
    "channel_shuffle": "x.reshape(b, g, c // g, h, w).transpose(1, 2).reshape(b, c, h, w)",
    "unfold": "torch.stack([x[..., i : i + size] for i in range(0, x.shape[-1] - size + 1, step)], -2)",
    "diag_embed": "x[..., None] * torch.eye(x.shape[-1])",
    "take": "x.flatten()[index]",
    "take_along_dim": "torch.gather(x, dim, index)",
    "index_add": "x.scatter_add(0, index[:, None].expand_as(v), v)",
    "index_copy": "x.scatter(0, index[:, None].expand_as(v), v)",
    "new_ones": "torch.ones(...)",
    "median": "x.sort(dim).values.select(dim, (x.shape[dim] - 1) // 2)",
    "kthvalue": "torch.topk(x, k, dim, largest=False).values.select(dim, k - 1)",
    "msort": "x.sort(0).values",
    "bucketize": "(x[..., None] > boundaries).sum(-1)",
    "isin": "(x[..., None] == v).sum(-1) > 0",
    "count_nonzero": "(x != 0).sum(dim)",
    "cummax": "torch.stack([x[..., : i + 1].amax(-1) for i in range(x.shape[-1])], -1)",
    "cummin": "torch.stack([x[..., : i + 1].amin(-1) for i in range(x.shape[-1])], -1)",
    "aminmax": "x.amin(dim), x.amax(dim)",
    "std_mean": "x.std(dim), x.mean(dim)",
    "var_mean": "x.var(dim), x.mean(dim)",
    "diff": "x[..., 1:] - x[..., :-1]",
    "trapezoid": "(x[..., 1:] + x[..., :-1]).sum(-1) / 2",
    "nansum": "torch.where(torch.isnan(x), 0.0, x).sum(dim)",
    "cdist": "(x[..., :, None, :] - y[..., None, :, :]).pow(2).sum(-1).sqrt()",
    "pairwise_distance": "((x - y + 1e-6) ** 2).sum(-1).sqrt()",
    "vdot": "(x * y).sum()",
    "inner": "x @ y.transpose(-1, -2)",
    "ger": "x[:, None] * y[None]",
    "lerp": "x + weight * (y - x)",
    "addcmul": "x + value * y * z",
    "addcdiv": "x + value * y / z",
    "trunc": "torch.sign(x) * torch.floor(torch.abs(x))",
    "fmod": 'x - y * torch.div(x, y, rounding_mode="trunc")',
    "fmin": "torch.minimum(x, y)",
    "fmax": "torch.maximum(x, y)",
    "copysign": "torch.where(y < 0, -x.abs(), x.abs())",
    "sgn": "torch.sign(x)",
    "signbit": "x < 0",
    "isfinite": 'x.abs() < float("inf")',
    "isinf": 'x.abs() == float("inf")',
    "isclose": "(x - y).abs() <= atol + rtol * y.abs()",
    "heaviside": "torch.where(x == 0, y, (x > 0).float())",
    "hypot": "torch.sqrt(x * x + y * y)",
    "logaddexp": "torch.maximum(x, y) + torch.log(1 + torch.exp(-(x - y).abs()))",
    "xlogy": "torch.where(x == 0, 0.0, x * torch.log(y))",
    "logit": "torch.log(x / (1 - x))",
    "sinc": "torch.where(x == 0, 1.0, torch.sin(math.pi * x) / (math.pi * x))",
    "erfc": "1 - torch.erf(x)",
    "asinh": "torch.log(x + torch.sqrt(x * x + 1))",
    "acosh": "torch.log(x + torch.sqrt(x * x - 1))",
    "deg2rad": "x * (math.pi / 180)",
    "rad2deg": "x * (180 / math.pi)",
    "celu": "torch.relu(x) + torch.clamp(alpha * (torch.exp(x / alpha) - 1), max=0)",
    "logsigmoid": "-F.softplus(-x)",
    "tanhshrink": "x - torch.tanh(x)",
    "hardshrink": "x * (x.abs() > lambd)",
    "softshrink": "torch.sign(x) * torch.relu(x.abs() - lambd)",
    "lgamma": (
        "(x + 0.5) * torch.log(x + 5.5) - x - 5.5 + torch.log(2.5066282746 / x * (1 + 76.18009173 / (x + 1) "
        "- 86.50532033 / (x + 2) + 24.01409824 / (x + 3) - 1.231739572 / (x + 4) + 0.001208650974 / (x + 5)))"
    ),
    "digamma": (
        "torch.log(x + 6) - 0.5 / (x + 6) - 1 / (12 * (x + 6) ** 2) - sum(1 / (x + i) for i in range(6))"
    ),
    "bincount": "(x.flatten() == torch.arange(n)[:, None]).sum(1)",
    "histc": "((x.flatten() >= edges[:-1, None]) & (x.flatten() < edges[1:, None])).sum(1).float()",
    "scatter_reduce[reduce=amax]": (
        'torch.where(index[..., None] == torch.arange(n), x[..., None], torch.tensor(float("-inf"))).amax(-2)'
    ),
    "scatter_reduce[reduce=amin]": (
        'torch.where(index[..., None] == torch.arange(n), x[..., None], torch.tensor(float("inf"))).amin(-2)'
    ),
    "scatter_reduce[reduce=sum]": "((index[..., None] == torch.arange(n)) * x[..., None]).sum(-2)",
    "scatter_reduce[reduce=mean]": (
        "((index[..., None] == torch.arange(n)) * x[..., None]).sum(-2) "
        "/ (index[..., None] == torch.arange(n)).sum(-2).clamp(min=1)"
    ),
    "scatter_reduce[reduce=prod]": (
        "torch.where(index[..., None] == torch.arange(n), x[..., None], torch.tensor(1.0)).cumprod(-2)"
        ".select(-2, -1)"
    ),
    "prod": "x.cumprod(dim).select(dim, -1)",
    "i0": "sum((x / 2) ** (2 * i) / float(math.factorial(i)) ** 2 for i in range(20))",
    "index_fill": "torch.where((torch.arange(x.shape[1]) == index[:, None]).sum(0) > 0, value, x)",
    "mode": ("torch.gather(x, dim, (x[..., None] == x[..., None, :]).sum(-1).argmax(-1, True)).squeeze(dim)"),
    "cov": "(x - x.mean(1, True)) @ (x - x.mean(1, True)).T / (x.shape[1] - 1)",
    "corrcoef": (
        "(x - x.mean(1, True)) @ (x - x.mean(1, True)).T / (x.std(1) * x.std(1)[:, None]) / (x.shape[1] - 1)"
    ),
    "fft_fftshift": "torch.roll(x, x.shape[-1] // 2, -1)",
    "fft_ifftshift": "torch.roll(x, -(x.shape[-1] // 2), -1)",
    "nanmean": "torch.where(torch.isnan(x), 0.0, x).sum(dim) / (x == x).sum(dim)",
    "__lshift__": "x * 2**n",
    "bitwise_left_shift": "x * 2**n",
    "__rshift__": 'torch.div(x, 2**n, rounding_mode="floor")',
    "bitwise_right_shift": 'torch.div(x, 2**n, rounding_mode="floor")',
    "ldexp": "x * 2.0**y",
    "bilinear": "(x[:, None, None] @ w @ y[:, None, :, None])[..., 0, 0]",
    "max_unpool2d": "F.interpolate(y, scale_factor=2) * (x == F.interpolate(y, scale_factor=2))",
    "exponential": "-torch.log(torch.rand_like(x))",
    "bernoulli": "(torch.rand_like(x) < x).float()",
    "masked_scatter": (
        "torch.where(mask, v.flatten()[(mask.flatten().int().cumsum(0) - 1).clamp(min=0)].reshape(x.shape), "
        "x)"
    ),
    "unique_consecutive": "x[torch.cat([x[:1] == x[:1], x[1:] != x[:-1]])]",
    "bitwise_or": "torch.logical_or(x, y)",
    "bitwise_xor": "torch.logical_xor(x, y)",
    "bitwise_or[whole]": "sum((x // 2**i % 2 + y // 2**i % 2 > 0).int() * 2**i for i in range(16))",
    "bitwise_xor[whole]": "sum((x // 2**i + y // 2**i) % 2 * 2**i for i in range(16))",
    "angle": "torch.atan2(x.imag, x.real)",
    "fft_fft2": "torch.fft.fftn(x, dim=(-2, -1))",
    "fft_ifft2": "torch.fft.ifftn(x, dim=(-2, -1))",
    "fft_rfft2": "torch.fft.rfftn(x, dim=(-2, -1))",
    "fft_irfft2": "torch.fft.irfftn(x, dim=(-2, -1))",
    "embedding_bag": "F.embedding(x, y).sum(1)",
    "embedding_bag[mode=1]": "F.embedding(x, y).mean(1)",
    "embedding_bag[mode=2]": "F.embedding(x, y).amax(1)",
    "fake_quantize_per_tensor_affine": (
        "(torch.clamp(torch.round(x / scale) + zero_point, quant_min, quant_max) - zero_point) * scale"
    ),
    "normal": "x + y * torch.randn_like(x)",
}
"""The code to write instead of an operation, by coremltools' name for it.

``x`` and ``y`` are the operands in torch's order, ``v`` values; other names are those of torch's parameters.
Brackets hold a condition on the call: an argument's value, or ``whole`` for results that are whole numbers. A
test compares each with torch's own result, and converts it.
"""

_MATRICES: Final = (
    "Core ML does not decompose matrices: compute it in `__init__` where the matrix is constant, write it "
    "out for 2 or 3 rows, or leave it to the app"
)
_COMPLEX: Final = (
    "keep real and imaginary parts as two tensors; a product with cos + i sin is `a * cos - b * sin` and "
    "`a * sin + b * cos`"
)
_SAMPLED: Final = (
    "sample it with `F.grid_sample`, over a grid of the points in -1 to 1, and sum what the points of one "
    "result give with their weights"
)
_PADDED: Final = (
    "keep the batch padded to its greatest length, `torch.stack([F.pad(a, (0, 0, 0, n - a.shape[0])), ...])`,"
    " and multiply by a mask of what is real"
)
_CONSTANT: Final = "make it a buffer in `__init__`: it depends on no input"
_TRANSFORM: Final = "multiply by tables of cosines and sines that are buffers"
_DRAWN: Final = "draw it in the app, and make it an input"
_RESIZED: Final = (
    "resizing is a product with a table for each axis: make `rows = F.interpolate(torch.eye(height)[None, "
    "None], (new_height, height), mode=..., antialias=True)[0, 0]` and the like of the width in `__init__`, "
    "and write `rows @ x @ columns.T`"
)

WAYS_OUT: Final[Mapping[str, str]] = {
    "upsample_bicubic2d": (
        "the coremltools release after 9.0 has it (apple/coremltools#2818); until then resize bilinearly"
    ),
    "linalg_solve": "multiply by the inverse, made in `__init__` or written out for a small matrix",
    "linalg_det": (
        "for a small matrix write it out: `x[..., 0, 0] * x[..., 1, 1] - x[..., 0, 1] * x[..., 1, 0]`"
    ),
    "grid_sampler_3d": (
        "Core ML samples grids of images, of 4 axes: sample two slices with `F.grid_sample` and mix them"
    ),
    "as_strided": "write the slices and `reshape` that give the same elements",
    "fractional_max_pool2d": "use `F.adaptive_max_pool2d`",
    "adaptive_avg_pool3d": "use `F.avg_pool3d` with a window of numbers",
    "adaptive_max_pool3d": "use `F.max_pool3d` with a window of numbers",
    "istft": "multiply by the inverse tables, and add the frames with `F.conv_transpose1d`",
    "ctc_loss": "return the prediction: losses belong to training",
    "embedding_renorm": (
        "bound the table once, in `__init__`: `table.weight.data.renorm_(2, 0, max_norm)`, and leave "
        "`max_norm` of the embedding out"
    ),
    "matrix_exp": (
        "sum the series for a 64th, `s = x / 64` and `y = I + s @ (I + s @ (I + s / 3) / 2)`, and square it "
        "six times: `y = y @ y`"
    ),
    "linalg_cholesky": (
        "for a small matrix go by columns, with `l` of zeros, `low = torch.ones(n, n).tril()` and `one = "
        "torch.eye(n)`: `for j in range(n): v = x[:, j] - (l * l[j]).sum(1); l = l + (v / v[j].sqrt() * "
        "low[:, j])[:, None] * one[j]`"
    ),
    "polar": "write `torch.complex(x * torch.cos(y), x * torch.sin(y))`: its `real` and `imag` convert",
    "*sparse*": (
        "Core ML has no sparse tensors: keep the matrix dense (`a.to_dense()`), or gather and `scatter_add`"
    ),
    **dict.fromkeys(("*nested*", "to_padded_tensor"), _PADDED),
    "index_add[open]": (
        "how many rows there are is known only when it runs: compute every row, and multiply by a mask of "
        "those that are meant, `y = y + (choice == k)[:, None] * expert(x)`"
    ),
    "flex_attention": (
        "use `F.scaled_dot_product_attention(q, k, v, attn_mask=bias)`, with what the score function adds as "
        "a `bias` of all pairs of positions"
    ),
    **dict.fromkeys(("torchvision::roi_align", "torchvision::ps_roi_align", "*deform_conv2d"), _SAMPLED),
    "cond": "compute both branches and choose: `torch.where(condition, a, b)`",
    "while_loop": "unroll it to its greatest number of steps: `x = torch.where(condition, step(x), x)`",
    **dict.fromkeys(
        ("scan", "map_impl", "associative_scan"), "loop over the axis in Python, and `torch.stack`"
    ),
    **dict.fromkeys(("_upsample_bicubic2d_aa", "_upsample_lanczos2d_aa"), _RESIZED),
    **dict.fromkeys(
        (
            *("*cholesky*", "*svd", "linalg_eig*", "_linalg_eigh", "linalg_qr", "linalg_lu*", "linalg_ldl*"),
            *("linalg_pinv*", "pinverse", "linalg_lstsq", "*logdet", "*solve_triangular", "triangular_solve"),
            *("linalg_matrix_rank", "linalg_cond"),
        ),
        _MATRICES,
    ),
    **dict.fromkeys(("view_as_complex", "conj", "conj_physical"), _COMPLEX),
    **dict.fromkeys(
        (
            *("triu_indices", "tril_indices", "hamming_window", "kaiser_window"),
            *("blackman_window", "bartlett_window", "fft_fftfreq", "fft_rfftfreq"),
        ),
        _CONSTANT,
    ),
    **dict.fromkeys(("_fft_*", "fft_*"), _TRANSFORM),
    **dict.fromkeys(("randperm", "poisson", "binomial", "randint_like"), _DRAWN),
}
"""Advice in words, if one expression is not enough; names may be globs, and the first match counts."""
_OPERATOR: Final = re.compile(r"__i?(or|xor)__")
_PREFIXES: Final = ("special_", "linalg_", "_")
"""Prefixes that do not change the function: ``special_digamma``, ``linalg_matrix_exp``."""
_WHOLE: Final = re.compile(r"u?int\d+")
_ANY_OPERATION: Final = (
    "write the operation with others, or register a converter with "
    "`coremltools.converters.mil.register_torch_op` in the source's file"
)
_SCRIPT: Final = (
    "TorchScript keeps Python's checks, dicts and strings as operations, and an export leaves them out: give "
    "`source` the callable that builds the module, in the place of the script"
)
_PARAMETRISED: Final = ".parametrizations."


def missing_hint(
    missing: Sequence[MissingOperation], graph: TorchGraph | None = None, *, scripted: bool = False
) -> str:
    """The fixes: those known for the operation, then one that works for every operation.

    ``graph`` has the calls, whose arguments select among several fixes; ``scripted`` means that the source is
    TorchScript.
    """
    ways = {item.operation: way_out(item.operation, graph) for item in missing}
    known = [f"`{operation}`: {way}" for operation, way in ways.items() if way]
    before = [_SCRIPT] if scripted else []
    return "; ".join([*before, *_removed(missing), *known, _ANY_OPERATION]) + "."


def _removed(missing: Sequence[MissingOperation]) -> Iterator[str]:
    """How to compute a weight once instead of in each run, if a parametrisation computes it."""
    paths = (path for item in missing for path in item.modules if _PARAMETRISED in path)
    for path in dict.fromkeys(paths):
        module, _, rest = path.partition(_PARAMETRISED)
        name = rest.partition(".")[0]
        yield (
            f"`{module}.{name}` is computed at each run: compute it once, after loading, by "
            f'`torch.nn.utils.parametrize.remove_parametrizations(model.{module}, "{name}")`'
        )


def way_out(operation: str, graph: TorchGraph | None = None) -> str:
    """The fix known for one operation; empty if there is none."""
    exact = filter(None, map(_in_the_tables, _names_of(operation, graph)))
    globs = (words for glob, words in WAYS_OUT.items() if fnmatchcase(operation.partition(".")[0], glob))
    return next(exact, "") or next(globs, "") or _without_an_argument(operation)


def _in_the_tables(name: str) -> str:
    return f"write `{REPLACEMENTS[name]}`" if name in REPLACEMENTS else WAYS_OUT.get(name, "")


def _names_of(operation: str, graph: TorchGraph | None) -> Iterator[str]:
    """The names of an operation in the tables, most specific first."""
    names = tuple(_plain_names(operation))
    call = _call_of(names, graph)
    for said in _said(call, graph) if call is not None and graph is not None else ():
        yield from (f"{name}[{said}]" for name in names)
    yield from names


def _plain_names(operation: str) -> Iterator[str]:
    """Names without overload (``median.dim``), in-place or operator form, and torch's namespace."""
    plain = operation.partition(".")[0]
    yield from (operation, plain, plain.removesuffix("_"))
    if operator := _OPERATOR.fullmatch(plain):
        yield f"bitwise_{operator[1]}"
    for prefix in _PREFIXES:
        yield plain.removesuffix("_").removeprefix(prefix)


def _call_of(names: Sequence[str], graph: TorchGraph | None) -> TorchCall | None:
    calls = () if graph is None else graph.calls
    return next((call for call in calls if call.operation.removeprefix("aten::") in names), None)


def _said(call: TorchCall, graph: TorchGraph) -> Iterator[str]:
    """The conditions that select among several fixes: arguments, whole numbers, and data-dependent sizes."""
    yield from (f"{name}={value}" for name, value in call.constants.items())
    if _WHOLE.fullmatch(call.dtype):
        yield "whole"
    open_values = {other.name for other in graph.calls if other.dtype and other.shape is None}
    if open_values & set(call.inputs.values()):
        yield "open"


def _without_an_argument(operation: str) -> str:
    """What to omit, if another form of the same operation has a converter."""
    plain, _, overload = operation.partition(".")
    packet = getattr(torch.ops.aten, plain, None)
    if packet is None or not overload or not is_convertible(plain) or "default" not in packet.overloads():
        return ""
    taken = {argument.name for argument in packet.default._schema.arguments}  # noqa: SLF001  # torch offers no public way
    own = getattr(packet, overload)._schema.arguments  # noqa: SLF001  # as above
    more = [f"`{argument.name}`" for argument in own if argument.name not in taken]
    return f"leave {' and '.join(more)} out: without it, `{plain}` has a converter" if more else ""
