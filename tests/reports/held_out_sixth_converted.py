"""Held out, a sixth set: what converts, wrongly or soundly, written with its right result before any ran."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal
from tests.reports.held_out_numbers import integers

_HALVING: Final = """
@torch.jit.script
def halved(x):
    while bool(x.abs().max() > 1.0) and bool(x.abs().max() < 1e9):
        x = x * 0.5
    return x
"""
_HOOKED: Final = "self.l.register_forward_hook(lambda module, inputs, output: output * 2 + 1)"

CASES: Final = (
    Case(
        "hash-of-an-id",
        "E",
        "return self.e(ids.long() * 2654435761 % 97)",
        integers("1, 60000", "1, 6"),
        setup="self.e = nn.Embedding(97, 8)",
        takes="ids",
        says=(fails("parity", f"net.py:{LINE}", "beyond 32 bits", "hash in the app"),),
        first_run="wrong",
    ),
    Case(
        "bytes-that-wrap",
        "E",
        "return (x + 200).float() / 255",
        "for _ in range(4): yield torch.randint(0, 256, (1, 16), generator=g, dtype=torch.uint8)",
        says=(fails("source", "uint8", "`x`", "`x = x.int()`"),),
        first_run="wrong",
    ),
    Case(
        "packed-sentences",
        "E",
        (
            "p = nn.utils.rnn.pack_padded_sequence(x, n.long(), batch_first=True)\n"
            "y, _ = self.r(p)\n"
            "return nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0]"
        ),
        "for k in (3, 4, 5, 6): yield torch.randn(2, 8, 4, generator=g), torch.tensor([8, k]).int()",
        setup="self.r = nn.LSTM(4, 6, batch_first=True, bidirectional=True)",
        takes="x, n",
        says=(fails("parity", f"net.py:{LINE}", "packs sequences", "padded batch"),),
        first_run="wrong",
    ),
    Case(
        "dropout-that-never-stops",
        "L",
        "return self.o(F.dropout(F.relu(self.l(x)), 0.5))",
        normal("2, 16"),
        setup="self.l, self.o = nn.Linear(16, 64), nn.Linear(64, 4)",
        says=(fails("parity", "dropout", f"net.py:{LINE}", "training=self.training"),),
        first_run="wrong",
    ),
    Case(
        "memory-in-an-attribute",
        "J",
        "self.h = torch.tanh(self.l(x) + self.h)\nreturn self.h * 1.0",
        normal("1, 8"),
        setup="self.l, self.h = nn.Linear(8, 8), torch.zeros(1, 8)",
        says=(fails("parity", "returns other results when it runs again", "registered buffer"),),
        first_run="wrong",
    ),
    Case(
        "distance-between-places",
        "L",
        "d = (a - b) * 0.017453293\nreturn 12742 * torch.sin(d / 2).square().sum(-1).sqrt()",
        (
            "for _ in range(4):\n"
            "    p = torch.rand(1, 6, 2, generator=g) * 40 + 10\n"
            "    yield p, p + torch.randn(1, 6, 2, generator=g) * 0.01"
        ),
        takes="a, b",
        says=(fails("precision"), fails("hazards", f"net.py:{LINE}", "cancel")),
        first_run="right",
    ),
    Case(
        "inverse-depth",
        "E",
        "d = self.c(x).sigmoid() * 1e-5 + 1e-6\nreturn 1 / d",
        normal("1, 3, 8, 8"),
        setup="self.c = nn.Conv2d(3, 1, 3, padding=1)",
        says=(fails("parity", f"net.py:{LINE + 1}", "1 / (x + 1e-4)", "torch.ones_like(x) / x"),),
    ),
    Case(
        "bin-of-a-value",
        "N",
        "return self.e((x * 4000).long())",
        "for _ in range(4): yield torch.rand(1, 16, generator=g)",
        setup="self.e = nn.Embedding(4001, 4)",
        says=(
            fails("precision"),
            fails("hazards", f"net.py:{LINE}", "whole numbers"),
        ),
        first_run="right",
    ),
    Case(
        "bilinear-form",
        "S",
        "return torch.einsum('bi,ij,bj->b', a, self.w, b)",
        normal("3, 8", ", torch.randn(3, 8, generator=g)"),
        setup="self.w = nn.Parameter(torch.randn(8, 8))",
        takes="a, b",
        first_run="right",
    ),
    Case(
        "product-of-kronecker",
        "S",
        "return torch.kron(self.k, x)",
        normal("3, 4"),
        setup="self.register_buffer('k', torch.randn(2, 2))",
        first_run="right",
    ),
    Case(
        "messages-of-a-graph",
        "S",
        "m = F.relu(self.l(x[self.s]))\nreturn torch.zeros(5, 8).index_add(0, self.d, m)",
        normal("5, 8"),
        setup=(
            "self.l = nn.Linear(8, 8); "
            "self.register_buffer('s', torch.tensor([0, 1, 2, 3, 4, 0])); "
            "self.register_buffer('d', torch.tensor([1, 2, 3, 4, 0, 3]))"
        ),
        first_run="right",
    ),
    Case(
        "shuffled-channels",
        "S",
        "return self.d(F.channel_shuffle(F.relu(self.c(x)), 2))",
        normal("1, 4, 8, 8"),
        setup="self.c, self.d = nn.Conv2d(4, 8, 1, groups=2), nn.Conv2d(8, 4, 3, groups=2)",
        first_run="right",
    ),
    Case(
        "mapped-over-a-batch",
        "S",
        "return torch.vmap(lambda p, q: torch.outer(p, q).sum(0) + self.l(p))(a, b)",
        normal("3, 8", ", torch.randn(3, 8, generator=g)"),
        setup="self.l = nn.Linear(8, 8)",
        takes="a, b",
        first_run="right",
    ),
    Case(
        "mean-of-the-chosen",
        "S",
        "return x[m > 0].mean()",
        normal("3, 8", ", (torch.rand(3, 8, generator=g) > 0.4).int()"),
        takes="x, m",
        first_run="right",
    ),
    Case(
        "halved-until-small",
        "S",
        "return halved(x) + 1",
        "for s in (0.5, 3.0, 9.0, 1.0): yield torch.randn(2, 8, generator=g) * s",
        tail=_HALVING,
        first_run="wrong",
    ),
    Case(
        "hooked",
        "S",
        "return F.relu(self.l(x))",
        normal("2, 8"),
        setup=f"self.l = nn.Linear(8, 4); {_HOOKED}",
        first_run="right",
    ),
    Case(
        "parametrised",
        "S",
        "return self.b(F.leaky_relu(self.a(x), 0.2))",
        normal("1, 3, 16"),
        setup=(
            "from torch.nn.utils import parametrizations as p; "
            "self.a = p.weight_norm(nn.Conv1d(3, 8, 3)); self.b = p.spectral_norm(nn.Conv1d(8, 4, 3))"
        ),
        first_run="right",
    ),
    Case(
        "outputs-by-name",
        "S",
        "return {'boxes': self.l(x), 'more': {'score': self.l(x).sigmoid().amax(1)}}",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        first_run="right",
    ),
    Case(
        "no-second-output",
        "S",
        "return self.l(x) if m is None else self.l(x * m), None",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        takes="x, m=None",
        first_run="right",
    ),
    Case(
        "mask-of-truths",
        "S",
        "return self.l(x).masked_fill(~m, 0.0).sum(1)",
        normal("2, 6, 8", ", torch.rand(2, 6, 1, generator=g) > 0.5"),
        setup="self.l = nn.Linear(8, 4)",
        takes="x, m",
        first_run="right",
    ),
    Case(
        "safe-division",
        "S",
        "return torch.where(b == 0, torch.zeros(()), a / b)",
        normal("2, 8", ", torch.randint(0, 4, (2, 8), generator=g).float()"),
        takes="a, b",
        first_run="right",
    ),
    Case(
        "table-of-many-words",
        "S",
        "return self.e(ids).sum(1)",
        integers("0, 70000", "1, 6"),
        setup="self.e = nn.Embedding(70000, 4)",
        takes="ids",
        first_run="right",
    ),
    Case(
        "input-scaled-in-place",
        "S",
        "x.mul_(2)\nreturn self.l(x) + x.mean()",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        first_run="right",
    ),
    Case(
        "pyramid-of-pools",
        "S",
        (
            "y = [F.adaptive_avg_pool2d(x, n) for n in (1, 2, 3, 6)]\n"
            "y = [F.interpolate(p, (10, 10), mode='bilinear') for p in y]\n"
            "return self.c(torch.cat([x, *y], 1))"
        ),
        normal("1, 4, 10, 10"),
        setup="self.c = nn.Conv2d(20, 4, 1)",
        first_run="right",
    ),
    Case(
        "dilated-patches",
        "S",
        (
            "y = F.unfold(F.pixel_unshuffle(x, 2), 3, dilation=2, padding=2, stride=2)\n"
            "return self.l(y.transpose(1, 2))"
        ),
        normal("1, 3, 16, 16"),
        setup="self.l = nn.Linear(108, 8)",
        first_run="right",
    ),
)
