"""What to write instead of an operation without a converter."""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

import torch

from coreml_gate.conversion.replacements import REPLACEMENTS
from coreml_gate.conversion.support import is_convertible
from coreml_gate.record import MissingOperation
from coreml_gate.torch_graph import TorchCall, TorchGraph

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
    " and multiply by a mask of the real elements"
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
    "*_loss": "return the prediction: losses belong to training",
    "pdist": (
        "with `i, j = torch.triu_indices(n, n, 1)` made in `__init__`, write `((x[i] - x[j]) ** 2).sum(-1)"
        ".sqrt()`"
    ),
    "erfinv": (
        "begin with `l = torch.log(1 - x * x)`, `t = 4.3307 + l / 2` and `y = torch.sign(x) * torch.sqrt("
        "torch.sqrt(t * t - l / 0.147) - t)`, and improve it twice: `y = y - (torch.erf(y) - x) * "
        "torch.exp(y * y) * 0.8862269`"
    ),
    "ndtri": (
        "with `z = 2 * x - 1`, `l = torch.log(1 - z * z)`, `t = 4.3307 + l / 2` and `y = torch.sign(z) * "
        "torch.sqrt(torch.sqrt(t * t - l / 0.147) - t)`, improved twice by `y = y - (torch.erf(y) - z) * "
        "torch.exp(y * y) * 0.8862269`, it is `1.4142136 * y`"
    ),
    "gcd": (
        "by Euclid, unrolled: 24 times `x, y = torch.where(y == 0, x, y), torch.where(y == 0, 0, x % y.clamp("
        "min=1))`, after which `x` holds it"
    ),
    "lcm": "divide `x * y` by the greatest common divisor, which Euclid's steps give when unrolled",
    "special_*_polynomial_*": (
        "write the polynomial of that degree out, or go up to it by its recurrence: for Legendre's "
        "`p, q = q, ((2 * k + 1) * x * q - k * p) / (k + 1)`, from `p = 1` and `q = x` at `k = 1`"
    ),
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
        "the number of rows is known only at run time: compute every row, and multiply by a mask of the "
        "selected ones, `y = y + (choice == k)[:, None] * expert(x)`"
    ),
    "flex_attention": (
        "use `F.scaled_dot_product_attention(q, k, v, attn_mask=bias)`, with the score function's summand "
        "as a `bias` for all pairs of positions"
    ),
    **dict.fromkeys(("torchvision::roi_align", "torchvision::ps_roi_align", "*deform_conv2d"), _SAMPLED),
    "cond": "compute both branches and choose: `torch.where(condition, a, b)`",
    "while_loop": "unroll it to its maximum number of steps: `x = torch.where(condition, step(x), x)`",
    **dict.fromkeys(
        ("scan", "map_impl", "associative_scan"), "loop over the axis in Python, and `torch.stack`"
    ),
    **dict.fromkeys(("_upsample_bicubic2d_aa", "_upsample_lanczos2d_aa"), _RESIZED),
    **dict.fromkeys(
        (
            *("*cholesky*", "*svd", "linalg_eig*", "_linalg_eigh", "linalg_qr", "linalg_lu*", "linalg_ldl*"),
            *("linalg_pinv*", "pinverse", "linalg_lstsq", "*logdet", "*solve_triangular", "triangular_solve"),
            *("linalg_matrix_rank", "linalg_cond", "linalg_householder_product"),
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
    **dict.fromkeys(
        ("randperm", "poisson", "binomial", "randint_like", "_standard_gamma", "_sample_dirichlet"), _DRAWN
    ),
}
"""Advice in words, if one expression is not enough; names may be globs, and the first match counts."""
_OPERATOR: Final = re.compile(r"__i?(or|xor)__")
_PREFIXES: Final = ("special_", "linalg_", "_")
"""Prefixes that do not change the function: ``special_digamma``, ``linalg_matrix_exp``."""
_MADE: Final = frozenset({"aten::arange"})
"""What makes an argument that a call computes itself, such as the offsets of bags that are rows."""
_WHOLE: Final = re.compile(r"u?int\d+")
_ANY_OPERATION: Final = (
    "write it with other operations, or register a converter with "
    "`coremltools.converters.mil.register_torch_op` in the source's file"
)
_SCRIPT: Final = (
    "TorchScript keeps Python's checks, dicts and strings as operations, which an export omits: let "
    "`source` name the callable that builds the module instead of the script"
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
    makers = {other.name: other.operation for other in graph.calls}
    given = [name for name, value in call.inputs.items() if makers.get(value) not in _MADE]
    constants = [f"{name}={value}" for name, value in call.constants.items()]
    yield from (f"{name}, {constant}" for name in given for constant in constants)
    yield from (*constants, *given)
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
