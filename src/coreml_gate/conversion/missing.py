"""All torch operations that have no converter, at once, and what to write in their place.

The converter itself stops at the first.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import coremltools as ct
import torch
from coremltools.converters.mil.frontend.torch.converter import TorchConverter
from coremltools.converters.mil.frontend.torch.utils import sanitize_op_kind
from torch._ops import OpOverload
from torch.export import ExportedProgram

from coreml_gate.conversion.graph_names import exported_name, module_path, readable
from coreml_gate.conversion.support import is_convertible
from coreml_gate.record import MissingOperation
from coreml_gate.wording import counted

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
    "scatter_reduce": (
        'torch.where(index[..., None] == torch.arange(n), x[..., None], float("-inf")).amax(-2)'
    ),
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
}
"""What to write in the place of an operation, by coremltools' own name of it.

``x`` and ``y`` are the operands in torch's order, ``v`` values; other names are those of torch's parameters.
A test compares each with torch's own and converts it.
"""

_MATRICES: Final = (
    "Core ML does not decompose matrices: compute it in `__init__` where the matrix is constant, write it "
    "out for 2 or 3 rows, or leave it to the app"
)
_COMPLEX: Final = (
    "keep real and imaginary parts as two tensors; a product with cos + i sin is `a * cos - b * sin` and "
    "`a * sin + b * cos`"
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
    **dict.fromkeys(
        ("to_sparse", "_to_sparse", "sparse_coo_tensor", "_sparse_mm", "_sparse_addmm", "_sparse_sum"),
        "Core ML has no sparse tensors: keep the matrix dense (`a.to_dense()`), or gather and `scatter_add`",
    ),
    "cond": "compute both branches and choose: `torch.where(condition, a, b)`",
    "while_loop": "unroll it to its greatest number of steps: `x = torch.where(condition, step(x), x)`",
    **dict.fromkeys(
        ("scan", "map_impl", "associative_scan"), "loop over the axis in Python, and `torch.stack`"
    ),
    **dict.fromkeys(("_upsample_bicubic2d_aa", "_upsample_lanczos2d_aa"), _RESIZED),
    **dict.fromkeys(
        (
            *("linalg_cholesky_ex", "cholesky_inverse", "cholesky_solve", "linalg_qr", "linalg_svd"),
            *(
                "_linalg_svd",
                "svd",
                "linalg_eigh",
                "_linalg_eigh",
                "linalg_eig",
                "linalg_pinv",
                "pinverse",
                "linalg_lstsq",
            ),
            *("linalg_slogdet", "_linalg_slogdet", "slogdet", "logdet"),
            *("linalg_solve_triangular", "triangular_solve", "linalg_lu", "linalg_lu_factor"),
            *("linalg_matrix_rank", "linalg_cond"),
        ),
        _MATRICES,
    ),
    **dict.fromkeys(("view_as_complex", "angle", "conj", "conj_physical"), _COMPLEX),
    **dict.fromkeys(
        (
            *("triu_indices", "tril_indices", "hamming_window", "kaiser_window"),
            *("blackman_window", "bartlett_window", "fft_fftfreq", "fft_rfftfreq"),
        ),
        _CONSTANT,
    ),
    **dict.fromkeys(("fft_fft2", "fft_ifft2", "fft_rfft2", "fft_irfft2", "_fft_r2c", "_fft_c2r"), _TRANSFORM),
    **dict.fromkeys(("randperm", "poisson", "binomial", "randint_like"), _DRAWN),
}
"""In words, where no single expression will do."""
_SHOWN_MODULES = 3
_OPERATOR: Final = re.compile(r"__i?(or|xor)__")
_PREFIXES: Final = ("special_", "linalg_", "_")
"""Of names that mean the function without them: ``special_digamma``, ``linalg_matrix_exp``."""


def missing_operations(
    model: ExportedProgram | torch.jit.ScriptModule, inputs: Sequence[ct.TensorType] = ()
) -> tuple[MissingOperation, ...]:
    """Which operations does coremltools have no working converter for, how often, and in which modules?

    One that is registered and calls a MIL operation that does not exist counts as well. The names are
    coremltools' own, after its sanitising. Empty when nothing is missing, and also when it is unknown. A
    TorchScript graph is only readable with its ``inputs``.
    """
    found = _missing_in_program(model) if isinstance(model, ExportedProgram) else _missing_in(model, inputs)
    places: dict[str, list[str]] = {}
    for operation, module in found:
        places.setdefault(operation, []).append(module)
    return tuple(
        MissingOperation(
            operation=operation,
            count=len(modules),
            modules=tuple(dict.fromkeys(module for module in modules if module))[:_SHOWN_MODULES],
        )
        for operation, modules in places.items()
    )


def missing_message(missing: Sequence[MissingOperation]) -> str:
    """One line per operation: its name, how often it occurs, and where."""
    lines = [f"coremltools {ct.__version__} has no converter for {counted(len(missing), 'torch operation')}:"]
    for item in missing:
        where = f" in {', '.join(f'`{module}`' for module in item.modules)}" if item.modules else ""
        lines.append(f"`{item.operation}`, {counted(item.count, 'time')}{where}")
    return "\n".join(lines)


def missing_hint(missing: Sequence[MissingOperation]) -> str:
    """The ways out: what is known for the operation, then what works for every one."""
    ways = {item.operation: _way_out(item.operation) for item in missing}
    known = [f"`{operation}`: {way}" for operation, way in ways.items() if way]
    general = (
        "write the operation with others, or register a converter with "
        "`coremltools.converters.mil.register_torch_op` in the source's file"
    )
    return "; ".join([*known, general]) + "."


def _way_out(operation: str) -> str:
    """Empty where none is known."""
    names = tuple(_names_of(operation))
    code = next((REPLACEMENTS[name] for name in names if name in REPLACEMENTS), None)
    if code is not None:
        return f"write `{code}`"
    return next((WAYS_OUT[name] for name in names if name in WAYS_OUT), "")


def _names_of(operation: str) -> Iterator[str]:
    """The names of an operation in the tables.

    Without an overload as in ``median.dim``, in place, as an operator, and without torch's namespace.
    """
    plain = operation.partition(".")[0]
    yield from (operation, plain, plain.removesuffix("_"))
    if operator := _OPERATOR.fullmatch(plain):
        yield f"bitwise_{operator[1]}"
    for prefix in _PREFIXES:
        yield plain.removesuffix("_").removeprefix(prefix)


def lacking(program: ExportedProgram) -> Iterator[OpOverload]:
    """The operations of torch in a program that have no working converter."""
    for node in _lacking_nodes(program):
        if isinstance(node.target, OpOverload):
            yield node.target


def _lacking_nodes(program: ExportedProgram) -> Iterator[torch.fx.Node]:
    for node in program.graph.nodes:
        if node.op == "call_function" and not is_convertible(sanitize_op_kind(exported_name(node.target))):
            yield node


def _missing_in_program(program: ExportedProgram) -> Iterator[tuple[str, str]]:
    for node in _lacking_nodes(program):
        yield sanitize_op_kind(exported_name(node.target)), module_path(node)


def _missing_in(script: torch.jit.ScriptModule, inputs: Sequence[ct.TensorType]) -> Iterator[tuple[str, str]]:
    try:
        graph = TorchConverter(script, list(inputs), opset_version=ct.target.iOS18).graph
    except Exception:  # noqa: BLE001 - the converter itself will say what is wrong with the graph
        return
    yield from _missing_in_block(graph)


def _missing_in_block(block: object) -> Iterator[tuple[str, str]]:
    for node in getattr(block, "nodes", ()):
        if not is_convertible(node.kind):
            names = node.get_scope_info()[0][:-1]
            yield node.kind, readable(".".join(names))
        for inner in node.blocks:
            yield from _missing_in_block(inner)
