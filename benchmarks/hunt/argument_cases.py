"""Cases for arguments that converters tend to leave aside, and layers with parameters."""

from collections.abc import Iterator
from itertools import product

import torch
from case import IMAGE, SHAPE, Case
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody writes it

_PAIR = (SHAPE, SHAPE)
_SEQUENCE = (1, 5, 4)
_SIGNAL = (1, 4, 16)
_VOLUME = (1, 2, 4, 6, 6)


def arguments() -> Iterator[Case]:  # noqa: PLR0915  # a list
    """Arguments away from their defaults."""
    edges = torch.tensor([-1.0, 0.0, 0.5, 1.0])
    statistics = (torch.tensor([0.3, -0.2, 0.1, 0.5]), torch.tensor([0.5, 1.5, 2.0, 0.7]))
    yield Case(
        "argument instance_norm statistics",
        lambda x: F.instance_norm(x, *statistics, use_input_stats=False),
        (IMAGE,),
    )
    yield Case("argument instance_norm eps", lambda x: F.instance_norm(x, eps=0.1), (IMAGE,))
    yield Case("argument batch_norm eps", lambda x: F.batch_norm(x, *statistics, eps=0.1), (IMAGE,))
    yield Case("argument layer_norm weight", lambda x: F.layer_norm(x, (4,), *statistics, eps=0.1))
    for dtype in (torch.int32, torch.float32):
        yield Case(f"argument full_like {dtype}", lambda x, d=dtype: torch.full_like(x, 2.7, dtype=d) * x)
        yield Case(f"argument new_full {dtype}", lambda x, d=dtype: x.new_full((4,), 2.7, dtype=d) * x)
        yield Case(f"argument cumprod {dtype}", lambda x, d=dtype: torch.cumprod(x, -1, dtype=d))
        yield Case(f"argument cumsum {dtype}", lambda x, d=dtype: torch.cumsum(x * 2, -1, dtype=d))
        yield Case(f"argument sum {dtype}", lambda x, d=dtype: torch.sum(x * 2, -1, dtype=d))
        yield Case(f"argument prod {dtype}", lambda x, d=dtype: torch.prod(x * 2, -1, dtype=d))
        yield Case(f"argument scalar_tensor {dtype}", lambda x, d=dtype: torch.tensor(2.7, dtype=d) * x)
        yield Case(f"argument arange {dtype}", lambda x, d=dtype: torch.arange(0.5, 4, dtype=d) * x)
        yield Case(f"argument eye {dtype}", lambda x, d=dtype: torch.eye(4, dtype=d) / 3 + x[:, :1])
        yield Case(f"argument linspace {dtype}", lambda x, d=dtype: torch.linspace(0, 2, 4, dtype=d) / 2 + x)
    yield Case("argument searchsorted right", lambda x: torch.searchsorted(edges, x.round(), right=True))
    yield Case("argument searchsorted left", lambda x: torch.searchsorted(edges, x.round()))
    yield Case("argument bucketize right", lambda x: torch.bucketize(x.round(), edges, right=True))
    yield Case("argument topk axis", lambda x: torch.topk(x, 2, dim=1, largest=False)[0])
    yield Case("argument sort descending", lambda x: torch.sort(x, dim=1, descending=True)[0])
    yield Case("argument argmax keepdim", lambda x: torch.argmax(x, dim=1, keepdim=True))
    yield Case("argument argmin keepdim", lambda x: torch.argmin(x, dim=0, keepdim=True))
    yield Case("argument var axes", lambda x: torch.var(x, dim=(0, -1), correction=0, keepdim=True))
    yield Case("argument std correction", lambda x: torch.std(x, dim=-1, correction=2))
    yield Case("argument std biased", lambda x: torch.std(x, unbiased=False))
    yield Case("argument var unbiased", lambda x: torch.var(x, unbiased=False))
    yield Case("argument median axis", lambda x: torch.quantile(x, 0.5, dim=-1))
    yield Case("argument clamp tensors", lambda x, y: torch.clamp(x, min=y, max=y + 1), _PAIR)
    yield Case("argument clamp reversed", lambda x: torch.clamp(x, 0.5, -0.5))
    yield Case("argument hardshrink", lambda x: F.hardshrink(x, 0.7))
    yield Case("argument softshrink", lambda x: F.softshrink(x, 0.7))
    yield Case("argument leaky_relu", lambda x: F.leaky_relu(x, 0.3))
    yield Case("argument leaky_relu negative", lambda x: F.leaky_relu(x, -0.3))
    yield Case("argument softplus both", lambda x: F.softplus(x, beta=3, threshold=2))
    yield Case("argument softplus image", lambda x: F.softplus(x, beta=3, threshold=2), (IMAGE,))
    yield Case("argument logit eps", lambda x: torch.logit(torch.sigmoid(x), eps=0.2))
    yield Case("argument glu axis", lambda x: F.glu(x, dim=0))
    yield Case("argument log_softmax axis", lambda x: F.log_softmax(x, dim=0))
    yield Case("argument gumbel", lambda x: torch.softmax(x / 0.3, dim=0))
    yield Case("argument nan_to_num", lambda x: torch.nan_to_num(torch.log(x)))
    yield Case("argument addcmul value", lambda x, y: torch.addcmul(x, y, y, value=-2), _PAIR)
    yield Case(
        "argument addmm beta", lambda x, y: torch.addmm(x[0, :3, :3], x[0], y[0].T, beta=3, alpha=0.2), _PAIR
    )
    yield Case("argument addmv beta", lambda x: torch.addmv(x[0, :, 0], x[1], x[0, 0], beta=0.25))
    yield Case("argument addr", lambda x: torch.addr(x[0, :, :3], x[1, :, 0], x[1, :, 1], alpha=0.5))
    yield Case("argument lerp tensor", lambda x, y: torch.lerp(x, y, torch.sigmoid(x)), _PAIR)
    yield Case("argument cosine eps", lambda x, y: F.cosine_similarity(x, y, dim=1, eps=0.5), _PAIR)
    yield Case("argument pairwise p", lambda x, y: F.pairwise_distance(x, y, p=1, keepdim=True), _PAIR)
    yield Case("argument cdist p", lambda x, y: torch.cdist(x, y, p=1), _PAIR)
    yield Case("argument matrix_norm", torch.linalg.matrix_norm)
    yield Case("argument matrix_norm 1", lambda x: torch.linalg.matrix_norm(x, 1))
    yield Case("argument norm axes", lambda x: torch.norm(x, p=2, dim=(0, 2)))
    yield Case("argument norm p", lambda x: torch.norm(x, p=3, dim=-1, keepdim=True))
    yield Case("argument norm all", torch.norm)
    yield Case("argument repeat_interleave all", lambda x: torch.repeat_interleave(x, 2))
    yield Case(
        "argument repeat_interleave counts",
        lambda x: torch.repeat_interleave(x, torch.tensor([1, 0, 2]), dim=1),
    )
    yield Case("argument flip one", lambda x: torch.flip(x, (1,)))
    yield Case("argument diff", lambda x: torch.diff(x, dim=-1))
    yield Case("argument diff twice", lambda x: torch.diff(x, n=2, dim=-1))
    yield Case("argument trapezoid", lambda x: torch.trapezoid(x, dx=0.5, dim=-1))
    yield Case("argument squeeze axes", lambda x: x[:, :1, :1].squeeze((1, 2)))
    yield Case("argument unflatten", lambda x: x.unflatten(-1, (2, -1)))
    yield Case("argument flatten middle", lambda x: x.flatten(0, 1))
    yield Case("argument select negative", lambda x: x.select(-1, -2))
    yield Case("argument slice reversed ends", lambda x: x[:, 1:-1, -3:-1])
    yield Case("argument as_strided", lambda x: torch.as_strided(x, (2, 2), (1, 2)))
    yield Case("argument hstack", lambda x, y: torch.hstack((x, y)), _PAIR)
    yield Case("argument dstack", lambda x, y: torch.dstack((x, y)), _PAIR)
    yield Case("argument swapaxes", lambda x: torch.swapaxes(x, 0, -1))
    yield Case("argument einsum trace", lambda x: torch.einsum("bii->b", x[:, :3, :3]))
    yield Case("argument einsum diagonal", lambda x: torch.einsum("bii->bi", x[:, :3, :3]))
    yield Case("argument einsum outer", lambda x, y: torch.einsum("bi,bj->bij", x[:, 0], y[:, 0]), _PAIR)
    yield Case(
        "argument embedding_bag", lambda x: F.embedding_bag(torch.tensor([[0, 2], [1, 1]]), x[0], mode="mean")
    )
    yield Case(
        "argument cross_entropy weight",
        lambda x: F.cross_entropy(x[0], torch.tensor([0, 1, 2]), weight=torch.tensor([1.0, 2.0, 0.5, 1.0])),
    )
    yield Case(
        "argument nll ignore",
        lambda x: F.nll_loss(F.log_softmax(x[0], -1), torch.tensor([0, 1, 2]), ignore_index=1),
    )
    yield Case(
        "argument bce logits",
        lambda x, y: F.binary_cross_entropy_with_logits(x, torch.sigmoid(y), pos_weight=torch.tensor(2.0)),
        _PAIR,
    )
    yield Case(
        "argument local_response_norm",
        lambda x: F.local_response_norm(x, 2, alpha=0.5, beta=0.5, k=2.0),
        (IMAGE,),
    )
    yield Case("argument lp_pool ceil", lambda x: F.lp_pool2d(x, 3, 3, ceil_mode=True), (IMAGE,))
    yield Case(
        "argument unfold dilation", lambda x: F.unfold(x, 2, dilation=2, padding=1, stride=2), (IMAGE,)
    )
    yield Case("argument pad negative", lambda x: F.pad(x, (-1, 2, 1, -1), value=3.0), (IMAGE,))
    yield Case("argument pad three axes", lambda x: F.pad(x, (1, 0, 0, 1, 1, 0), value=-1.0))
    yield Case("argument pixel_shuffle wide", lambda x: F.pixel_shuffle(x, 2), ((2, 8, 3, 5),))
    yield Case(
        "argument affine_grid",
        lambda x: F.grid_sample(
            x,
            F.affine_grid(
                torch.tensor([[[0.8, 0.1, 0.0], [0.0, 1.1, 0.2]]]), (1, 4, 8, 8), align_corners=False
            ),
            align_corners=False,
        ),
        (IMAGE,),
    )
    for mode, corners in product(("bilinear", "bicubic"), (False, True)):
        yield Case(
            f"argument grid_sample {mode} reflection {corners}",
            lambda x, g, m=mode, a=corners: F.grid_sample(x, g, m, "reflection", align_corners=a),
            (IMAGE, (1, 5, 5, 2)),
        )
    for antialias in (False, True):
        yield Case(
            f"argument interpolate smaller {antialias}",
            lambda x, a=antialias: F.interpolate(x, size=(3, 5), mode="bilinear", antialias=a),
            (IMAGE,),
        )
    yield Case(
        "argument interpolate recompute",
        lambda x: F.interpolate(x, scale_factor=1.3, mode="bilinear", recompute_scale_factor=True),
        (IMAGE,),
    )
    yield Case(
        "argument interpolate nearest-exact",
        lambda x: F.interpolate(x, size=(5, 11), mode="nearest-exact"),
        (IMAGE,),
    )
    yield Case("argument interpolate linear", lambda x: F.interpolate(x, size=11, mode="linear"), (_SIGNAL,))
    yield Case("argument interpolate area", lambda x: F.interpolate(x, size=(3, 5), mode="area"), (IMAGE,))
    yield Case(
        "argument conv1d same",
        lambda x: F.conv1d(x, torch.ones(4, 4, 4).cumsum(-1), padding="same"),
        (_SIGNAL,),
    )
    yield Case(
        "argument conv1d circular",
        lambda x: F.conv1d(F.pad(x, (1, 1), mode="circular"), torch.ones(4, 4, 3).cumsum(-1)),
        (_SIGNAL,),
    )
    yield Case(
        "argument conv_transpose groups",
        lambda x: F.conv_transpose2d(x, torch.ones(4, 2, 3, 3).cumsum(0), stride=2, groups=2, dilation=2),
        (IMAGE,),
    )
    for ceil, counted in product((False, True), (False, True)):
        yield Case(
            f"argument avg_pool1d {ceil} {counted}",
            lambda x, c=ceil, i=counted: F.avg_pool1d(x, 3, 2, 1, c, i),
            (_SIGNAL,),
        )
        yield Case(
            f"argument avg_pool3d {ceil} {counted}",
            lambda x, c=ceil, i=counted: F.avg_pool3d(x, 3, 2, 1, c, i),
            (_VOLUME,),
        )
    yield Case("argument max_pool dilation", lambda x: F.max_pool2d(x, 2, 1, dilation=2), (IMAGE,))
    yield Case("argument max_pool1d ceil", lambda x: F.max_pool1d(x, 3, 2, ceil_mode=True), (_SIGNAL,))
    yield Case("argument adaptive uneven", lambda x: F.adaptive_avg_pool2d(x, (3, 7)), (IMAGE,))
    yield Case(
        "argument attention scale mask",
        lambda x, y: F.scaled_dot_product_attention(x, y, y, attn_mask=x[..., :3], scale=0.3),
        _PAIR,
    )
    yield Case("argument softmax half", lambda x: torch.softmax(x, -1, dtype=torch.float32))
    yield Case("argument round half", lambda x: torch.round(x * 2) / 2)
    yield Case("argument heaviside tensor", lambda x: torch.heaviside(x, torch.tensor(0.5)))
    yield Case("argument isclose", lambda x, y: torch.isclose(x, y, atol=0.5), _PAIR)
    yield Case("argument cumsum reversed", lambda x: x.flip(-1).cumsum(-1).flip(-1))
    yield Case("argument logaddexp2", torch.logaddexp2, _PAIR)
    yield Case("argument fill_diagonal", lambda x: x[0, :, :3].clone().fill_diagonal_(7.0))
    yield Case("argument masked_scatter", lambda x, y: x.masked_scatter(x > 0, y), _PAIR)
    yield Case("argument tril ones", lambda x: torch.ones(4, 4).tril(-1) * x[:, :1])
    yield Case("argument kron", lambda x: torch.kron(x[0, :2, :2], x[1, :2, :2]))
    yield Case("argument vander", lambda x: torch.vander(x[0, 0], 3))
    yield Case("argument renorm", lambda x: torch.renorm(x, 2, 0, 1.0))
    yield Case("argument polar", lambda x, y: x * torch.cos(y) + torch.sin(y), _PAIR)


def layers() -> Iterator[Case]:
    """Layers with parameters, as modules."""
    torch.manual_seed(3)
    for kind, both, first in product((nn.LSTM, nn.GRU, nn.RNN), (False, True), (False, True)):
        layer = kind(4, 3, bidirectional=both, batch_first=first)
        yield Case(f"layer {kind.__name__} {both} {first}", _Sequence(layer), (_SEQUENCE,))
    yield Case("layer LSTM two", _Sequence(nn.LSTM(4, 3, num_layers=2, batch_first=True)), (_SEQUENCE,))
    yield Case("layer LSTM projection", _Sequence(nn.LSTM(4, 4, proj_size=2, batch_first=True)), (_SEQUENCE,))
    yield Case(
        "layer LSTM without bias", _Sequence(nn.LSTM(4, 3, bias=False, batch_first=True)), (_SEQUENCE,)
    )
    yield Case("layer RNN relu", _Sequence(nn.RNN(4, 3, nonlinearity="relu", batch_first=True)), (_SEQUENCE,))
    yield Case("layer LSTMCell", _First(nn.LSTMCell(4, 3)), ((2, 4),))
    yield Case("layer GRUCell", _First(nn.GRUCell(4, 3)), ((2, 4),))
    yield Case("layer attention", _Attention(), (_SEQUENCE,))
    yield Case("layer transformer", nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), (_SEQUENCE,))
    yield Case(
        "layer transformer gelu",
        nn.TransformerEncoderLayer(4, 2, 8, activation="gelu", batch_first=True, norm_first=True),
        (_SEQUENCE,),
    )
    tracked = nn.InstanceNorm2d(4, affine=True, track_running_stats=True)
    yield Case("layer InstanceNorm2d tracked", _warmed(tracked), (IMAGE,))
    yield Case("layer InstanceNorm2d", nn.InstanceNorm2d(4, affine=True), (IMAGE,))
    yield Case("layer BatchNorm2d", _warmed(nn.BatchNorm2d(4)), (IMAGE,))
    yield Case("layer BatchNorm2d untracked", nn.BatchNorm2d(4, track_running_stats=False), (IMAGE,))
    yield Case("layer BatchNorm1d", nn.BatchNorm1d(3))
    yield Case("layer GroupNorm", nn.GroupNorm(2, 4, eps=0.1), (IMAGE,))
    yield Case("layer RMSNorm", nn.RMSNorm(4))
    yield Case("layer PReLU", nn.PReLU(4), (IMAGE,))
    yield Case("layer Bilinear", nn.Bilinear(4, 4, 2), _PAIR)
    yield Case("layer ConvTranspose1d", nn.ConvTranspose1d(4, 2, 3, stride=2, output_padding=1), (_SIGNAL,))
    yield Case("layer Conv2d reflect", nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"), (IMAGE,))
    yield Case("layer Conv2d circular", nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular"), (IMAGE,))
    yield Case("layer Conv3d", nn.Conv3d(2, 2, 3, stride=(1, 2, 1)), (_VOLUME,))
    yield Case("layer Conv2d depthwise", nn.Conv2d(4, 8, 3, groups=4, dilation=2), (IMAGE,))
    yield Case("layer SELU", nn.Sequential(nn.Linear(4, 4), nn.SELU()))
    yield Case("layer Softmax2d", nn.Softmax2d(), (IMAGE,))
    yield Case("layer Upsample", nn.Upsample(scale_factor=(2, 1.5), mode="bilinear"), (IMAGE,))
    yield Case("layer ReplicationPad2d", nn.ReplicationPad2d((1, 2, 0, 1)), (IMAGE,))
    yield Case("layer ZeroPad2d", nn.ZeroPad2d((1, -1, 0, 1)), (IMAGE,))
    yield Case("layer weight_norm", nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)))


class _Sequence(nn.Module):
    """Gives the outputs of a recurrent layer without its states."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.layer(x)[0]
        return outputs


class _First(nn.Module):
    """Gives the first of several results, or the only one."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        result = self.layer(x)
        first: Tensor = result[0] if isinstance(result, tuple) else result
        return first


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x, x, x, need_weights=False)[0]
        return result


def _warmed(layer: nn.Module) -> nn.Module:
    """With statistics that no single sample has."""
    layer.train()
    with torch.no_grad():
        layer(torch.randn(8, *IMAGE[1:], generator=torch.Generator().manual_seed(2)) * 2 + 1)
    return layer.eval()
