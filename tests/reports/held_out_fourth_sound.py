"""Held out, a fourth set: sound code of kinds G, H and K, on which the gate has to be silent."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal
from tests.reports.held_out_numbers import integers

CASES: Final = (
    Case(
        "norm-of-flat-rows",
        "G",
        "return self.n(x)",
        "for _ in range(4): yield F.pad(torch.randn(1, 2, 32, generator=g), (0, 0, 0, 2), value=3.3)",
        setup="self.n = nn.LayerNorm(32)",
        first_run="right",
    ),
    Case(
        "linear-in-two-parts",
        "G",
        "return self.l(a + b) - self.l(a) - self.l(b), self.l(a)",
        normal("4, 16", ", torch.randn(4, 16, generator=g)"),
        setup="self.l = nn.Linear(16, 8, bias=False)",
        takes="a, b",
        first_run="right",
    ),
    Case(
        "what-a-projection-leaves",
        "G",
        "return x - (x @ self.q) @ self.q.T",
        normal("4, 16"),
        setup="self.register_buffer('q', torch.linalg.qr(torch.randn(16, 16))[0])",
        first_run="right",
    ),
    Case(
        "edges-of-a-flat-image",
        "G",
        "return F.conv2d(x, self.k, padding=1)[:, :, 1:-1, 1:-1]",
        "for v in (0.1, 0.3, 0.7, 1.0): yield torch.full((1, 1, 9, 9), v)",
        setup=(
            "self.register_buffer('k', "
            "torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]).view(1, 1, 3, 3) / 8)"
        ),
        first_run="right",
    ),
    Case(
        "probabilities-of-words",
        "H",
        "return F.log_softmax(self.l(x), -1)",
        normal("2, 16"),
        setup="self.l = nn.Linear(16, 40)",
        first_run="wrong",
    ),
    Case(
        "embedding-of-length-one",
        "H",
        "return F.normalize(self.l(x), dim=-1)",
        normal("2, 16"),
        setup="self.l = nn.Linear(16, 40)",
        first_run="right",
    ),
    Case(
        "angles",
        "H",
        "a, b = self.l(x).chunk(2, -1)\nreturn torch.atan2(a, b.abs() + 0.2)",
        normal("2, 16"),
        setup="self.l = nn.Linear(16, 40)",
        first_run="right",
    ),
    Case("narrowed", "H", "return x.narrow(1, 2, 4) * 2", normal("2, 9"), first_run="right"),
    Case(
        "softplus-of-beta",
        "H",
        "return F.softplus(self.l(x), beta=2)",
        normal("2, 16"),
        setup="self.l = nn.Linear(16, 8)",
        first_run="right",
    ),
    Case(
        "mean-of-few-ids",
        "H",
        "return ids.float().mean(1)",
        integers("0, 99", "2, 7"),
        takes="ids",
        first_run="right",
    ),
    Case(
        "first-columns-set",
        "K",
        "y = self.l(x).clone()\ny[:, :2] = 0\nreturn y",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 8)",
        first_run="right",
    ),
    Case(
        "shared-table",
        "K",
        "return F.linear(self.n(self.e(ids)), self.e.weight)",
        integers("0, 50", "1, 6"),
        setup="self.e, self.n = nn.Embedding(50, 16), nn.LayerNorm(16)",
        takes="ids",
        first_run="right",
    ),
    Case(
        "in-place-on-a-branch",
        "K",
        "y = self.c(x)\nz = F.relu_(y)\nreturn self.d(z) + y",
        normal("1, 3, 8, 8"),
        setup="self.c, self.d = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)",
        first_run="right",
    ),
    Case(
        "experts",
        "K",
        ("w = self.g(x).softmax(-1)\nreturn sum(w[:, i : i + 1] * e(x) for i, e in enumerate(self.m))"),
        normal("4, 8"),
        setup="self.g, self.m = nn.Linear(8, 3), nn.ModuleList(nn.Linear(8, 6) for _ in range(3))",
        first_run="right",
    ),
    Case(
        "padded-keys",
        "K",
        "return self.a(x, x, x, key_padding_mask=m > 0, need_weights=False)[0]",
        normal("1, 6, 16", ", (torch.arange(6) >= 4).int()[None]"),
        says=(fails("parity", "`masked_fill`", f"net.py:{LINE}", 'conversion = "decomposed"'),),
        setup="self.a = nn.MultiheadAttention(16, 2, batch_first=True)",
        takes="x, m",
    ),
    Case(
        "one-hot",
        "K",
        "return self.l(F.one_hot(ids.long(), 10).float())",
        integers("0, 10", "2, 5"),
        setup="self.l = nn.Linear(10, 4)",
        takes="ids",
        first_run="right",
    ),
    Case(
        "number-of-a-buffer",
        "K",
        "return self.l(x) * float(self.s)",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 8); self.register_buffer('s', torch.tensor(0.25))",
        first_run="right",
    ),
    Case(
        "branch-on-a-width",
        "K",
        "y = self.l(x)\nif x.shape[1] > 4:\n    y = F.relu(y)\nreturn y",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 8)",
        first_run="right",
    ),
    Case(
        "scattered-into-zeros",
        "K",
        "return torch.zeros(2, 12).scatter(1, self.i, self.l(x))",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 3); self.register_buffer('i', torch.tensor([[1, 5, 7], [0, 2, 11]]))",
        first_run="right",
    ),
    Case(
        "positions-of-a-mask",
        "K",
        "p = (m.cumsum(1) - 1).clamp(min=0)\nreturn self.e(p) * m[..., None]",
        "for _ in range(4): yield (torch.rand(1, 9, generator=g) > 0.3).int()",
        setup="self.e = nn.Embedding(16, 4)",
        takes="m",
        first_run="right",
    ),
    Case(
        "best-two-experts",
        "K",
        (
            "v, i = torch.topk(self.g(x), 2, dim=-1)\n"
            "w = torch.zeros(4, 6).scatter(1, i, v.softmax(-1))\n"
            "return (w[..., None] * torch.stack([e(x) for e in self.m], 1)).sum(1)"
        ),
        normal("4, 8"),
        setup="self.g, self.m = nn.Linear(8, 6), nn.ModuleList(nn.Linear(8, 5) for _ in range(6))",
        first_run="right",
    ),
)
