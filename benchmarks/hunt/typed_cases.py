"""Cases whose inputs are integers or booleans."""

from collections.abc import Iterator

import torch
from case import SHAPE, Case
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # as everybody writes it

_WHOLE = (torch.int32,)
_IDS = (torch.int64,)
_FLAGS = (torch.bool,)
_PAIR = (SHAPE, SHAPE)


def typed() -> Iterator[Case]:
    """All of them."""
    yield from _integers()
    yield from _indices()
    yield from _booleans()


def _integers() -> Iterator[Case]:
    both = (torch.int32, torch.int32)
    for name in (
        "add",
        "sub",
        "mul",
        "maximum",
        "minimum",
        "eq",
        "lt",
        "ge",
        "floor_divide",
        "remainder",
        "div",
    ):
        operation = getattr(torch, name)
        yield Case(f"int {name}", lambda x, y, o=operation: o(x, y.abs() + 1), _PAIR, both)
        yield Case(f"int {name} number", lambda x, o=operation: o(x, 3), dtypes=_WHOLE)
        yield Case(f"int {name} tensor", lambda x, y, o=operation: o(x, y), _PAIR, _WHOLE)
    for mode in ("floor", "trunc"):
        yield Case(f"int div {mode}", lambda x, m=mode: torch.div(x, 2, rounding_mode=m), dtypes=_WHOLE)
        yield Case(
            f"int div {mode} minus", lambda x, m=mode: torch.div(x, -2, rounding_mode=m), dtypes=_WHOLE
        )
        yield Case(
            f"int div {mode} tensor",
            lambda x, y, m=mode: torch.div(x, y.abs() + 1, rounding_mode=m),
            _PAIR,
            both,
        )
    for name in ("abs", "neg", "sign", "sqrt", "exp", "sigmoid", "tanh", "sin", "relu", "square", "float"):
        yield Case(f"int {name}", getattr(torch, name, torch.Tensor.float), dtypes=_WHOLE)
    for name in ("sum", "amax", "amin", "prod", "argmax", "argmin", "any", "all", "cumsum"):
        operation = getattr(torch, name)
        yield Case(f"int {name} axis", lambda x, o=operation: o(x, dim=-1), dtypes=_WHOLE)
    yield Case("int mean dtype", lambda x: x.mean(-1, dtype=torch.float32), dtypes=_WHOLE)
    yield Case("int mean of floats", lambda x: x.float().mean(-1), dtypes=_WHOLE)
    yield Case("int var of floats", lambda x: x.float().var(-1), dtypes=_WHOLE)
    yield Case("int power", lambda x: x**2, dtypes=_WHOLE)
    yield Case("int to the half", lambda x: x.abs() ** 0.5, dtypes=_WHOLE)
    yield Case("int over int", lambda x: x / 4, dtypes=_WHOLE)
    yield Case("int reversed division", lambda x: 7 / (x.abs() + 1), dtypes=_WHOLE)
    yield Case("int clamp", lambda x: x.clamp(-1, 2), dtypes=_WHOLE)
    yield Case("int clamp fraction", lambda x: x.clamp(-1.5, 2.5), dtypes=_WHOLE)
    yield Case("int where", lambda x: torch.where(x > 0, x, -x), dtypes=_WHOLE)
    yield Case("int where fraction", lambda x: torch.where(x > 0, x, 0.5), dtypes=_WHOLE)
    yield Case("int masked_fill", lambda x: x.masked_fill(x > 1, -7), dtypes=_WHOLE)
    yield Case("int full_like fraction", lambda x: torch.full_like(x, 2.7) + x, dtypes=_WHOLE)
    yield Case("int add alpha", lambda x: torch.add(x, x, alpha=3), dtypes=_WHOLE)
    yield Case("int sort", lambda x: torch.sort(x, dim=-1)[0], dtypes=_WHOLE)
    yield Case("int topk", lambda x: torch.topk(x, 2)[0], dtypes=_WHOLE)
    yield Case("int matmul", lambda x, y: x.float() @ y.float().mT, _PAIR, both)
    yield Case("int shift", lambda x: x * 4 + (x >= 0).int(), dtypes=_WHOLE)
    yield Case("int parity", lambda x: (x % 2 == 0).float() * 2 - 1, dtypes=_WHOLE)
    yield Case("int softmax", lambda x: torch.softmax(x.float(), -1), dtypes=_WHOLE)
    yield Case("int cat with floats", lambda x, y: torch.cat((x, y), -1), _PAIR, _WHOLE)
    yield Case("int stack with floats", lambda x, y: torch.stack((x, y)), _PAIR, _WHOLE)
    yield Case("int new_full", lambda x: x.new_full((4,), 3) * x, dtypes=_WHOLE)
    yield Case("int ones_like over", lambda x: torch.ones_like(x) / 2 + x, dtypes=_WHOLE)
    yield Case("int type_as", lambda x, y: y.type_as(x) + x, _PAIR, _WHOLE)
    yield Case("int bitwise and", lambda x: torch.bitwise_and(x, 3), dtypes=_WHOLE)
    yield Case("int lerp", lambda x, y: torch.lerp(x.float(), y, 0.25), _PAIR, _WHOLE)
    yield Case("int logical_not", torch.logical_not, dtypes=_WHOLE)
    yield Case(
        "int sinusoid", lambda x: torch.sin(x[..., None] / 10000 ** (torch.arange(4) / 4)), dtypes=_IDS
    )


def _indices() -> Iterator[Case]:
    table = torch.arange(40.0).view(10, 4).sin()
    ids = ((2, 5),)
    yield Case("ids embedding", lambda i: F.embedding(i, table), ids, _IDS)
    yield Case("ids embedding padding", lambda i: F.embedding(i, table, padding_idx=1), ids, _IDS)
    yield Case("ids indexing", lambda i: table[i], ids, _IDS)
    yield Case("ids negative", lambda i: table[i - 5], ids, _IDS)
    yield Case("ids index_select", lambda i: torch.index_select(table, 0, i[0]), ids, _IDS)
    yield Case("ids gather", lambda i, x: torch.gather(x, -1, i.clamp(0, 3)), ((2, 3, 2), SHAPE), _IDS)
    yield Case(
        "ids take_along_dim",
        lambda i, x: torch.take_along_dim(x, i.clamp(0, 3), -1),
        ((2, 3, 2), SHAPE),
        _IDS,
    )
    yield Case("ids one_hot", lambda i: F.one_hot(i, 10).float(), ids, _IDS)
    yield Case("ids compare", lambda i: (i[:, None] == i[..., None]).float(), ids, _IDS)
    yield Case("ids scatter", lambda i, x: x.scatter(-1, i.clamp(0, 3), 1.0), ((2, 3, 1), SHAPE), _IDS)
    yield Case("ids scatter_add", lambda i, x: x.scatter_add(-1, i.clamp(0, 3), x), (SHAPE, SHAPE), _IDS)
    yield Case("ids index_add", lambda i, x: x.index_add(1, i.clamp(0, 2), x[:, :2]), ((2,), SHAPE), _IDS)
    yield Case("ids mask lengths", lambda i: (torch.arange(6) < i[:, :1]).float(), ids, _IDS)
    yield Case("ids position", lambda i: (i != 0).cumsum(-1) * (i != 0), ids, _IDS)
    yield Case("ids difference", lambda i: (i[:, 1:] - i[:, :-1]).abs(), ids, _IDS)


def _booleans() -> Iterator[Case]:
    with_numbers = (torch.bool,)
    yield Case("mask where", lambda m, x: torch.where(m, x, -x), _PAIR, with_numbers)
    yield Case("mask fill", lambda m, x: x.masked_fill(m, -1e4), _PAIR, with_numbers)
    yield Case("mask fill infinite", lambda m, x: x.masked_fill(m, float("-inf")).exp(), _PAIR, with_numbers)
    yield Case("mask softmax", _masked_softmax, _PAIR, with_numbers)
    yield Case("mask not", lambda m, x: x * ~m, _PAIR, with_numbers)
    yield Case("mask and", lambda m, x: (m & (x > 0)).float(), _PAIR, with_numbers)
    yield Case("mask or", lambda m, x: (m | (x > 0)).float(), _PAIR, with_numbers)
    yield Case("mask xor", lambda m, x: (m ^ (x > 0)).float(), _PAIR, with_numbers)
    yield Case("mask sum", lambda m: m.sum(-1), dtypes=_FLAGS)
    yield Case("mask mean", lambda m: m.float().mean(-1), dtypes=_FLAGS)
    yield Case("mask any", lambda m: m.any(-1), dtypes=_FLAGS)
    yield Case("mask all", lambda m: m.all(-1), dtypes=_FLAGS)
    yield Case("mask cumsum", lambda m: m.cumsum(-1), dtypes=_FLAGS)
    yield Case("mask argmax", lambda m: m.int().argmax(-1), dtypes=_FLAGS)
    yield Case("mask plus", lambda m: m + 1, dtypes=_FLAGS)
    yield Case("mask plus mask", lambda m, n: m + n, _PAIR, (torch.bool, torch.bool))
    yield Case("mask times mask", lambda m, n: (m * n).float(), _PAIR, (torch.bool, torch.bool))
    yield Case("mask times fraction", lambda m: m * 0.5, dtypes=_FLAGS)
    yield Case("mask minus", lambda m: 1 - m.int(), dtypes=_FLAGS)
    yield Case("mask equal", lambda m, n: (m == n).float(), _PAIR, (torch.bool, torch.bool))
    yield Case("mask pooling", _masked_mean, _PAIR, with_numbers)
    yield Case("mask attention", _masked_attention, ((2, 1, 3, 3), (2, 1, 3, 4)), with_numbers)


def _masked_softmax(mask: Tensor, x: Tensor) -> Tensor:
    return torch.softmax(x.masked_fill(mask, torch.finfo(torch.float32).min), -1)


def _masked_mean(mask: Tensor, x: Tensor) -> Tensor:
    return (x * mask).sum(-1) / mask.sum(-1).clamp(min=1)


def _masked_attention(mask: Tensor, x: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(x, x, x, attn_mask=mask)
