"""Held out, a third set, kinds I to N: written with their right results before they ran."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal, warns
from tests.reports.held_out_numbers import integers

CASES: Final = (
    Case(
        "inverse-matrix",
        "I",
        "return torch.linalg.inv(x @ x.mT + 3 * torch.eye(4)) @ x",
        normal("1, 4, 4"),
        says=(fails("conversion", "inverse of a matrix", f"net.py:{LINE}"),),
        first_run="wrong",
    ),
    Case(
        "buckets",
        "I",
        "return self.e(torch.bucketize(x, self.b))",
        normal("1, 8"),
        setup="self.e, self.b = nn.Embedding(5, 4), torch.tensor([-1.0, 0.0, 1.0, 2.0])",
        notes=("decomposes `bucketize` further",),
        first_run="wrong",
    ),
    Case(
        "median",
        "I",
        "return x.median(-1).values",
        normal("4, 9"),
        says=(fails("conversion", "`median.dim`", f"net.py:{LINE}", "x.sort(dim).values"),),
        first_run="wrong",
    ),
    Case(
        "masked-select",
        "I",
        "return x[x > 0].sum()",
        normal("1, 32"),
        first_run="right",
    ),
    Case(
        "distances",
        "I",
        "return torch.cdist(x, self.c)",
        normal("1, 6, 8"),
        setup="self.c = nn.Parameter(torch.randn(1, 3, 8))",
        says=(fails("conversion", "`cdist`", f"net.py:{LINE}", "pow(2).sum(-1).sqrt()"),),
        first_run="wrong",
    ),
    Case(
        "no-nan",
        "I",
        "return torch.nan_to_num(self.l(x))",
        normal("4, 8"),
        setup="self.l = nn.Linear(8, 4)",
        first_run="right",
    ),
    Case(
        "drawn",
        "I",
        "return torch.multinomial(torch.softmax(x, -1), 1)",
        normal("1, 8"),
        first_run="wrong",
    ),
    Case(
        "scalar",
        "J",
        "return self.l(x).mean()",
        normal("4, 8"),
        setup="self.l = nn.Linear(8, 4)",
        first_run="right",
    ),
    Case(
        "no-mask",
        "J",
        ("y = self.l(x)\nreturn y if mask is None else y * mask"),
        normal("4, 8"),
        setup="self.l = nn.Linear(8, 4)",
        takes="x, mask=None",
        first_run="right",
    ),
    Case(
        "named-tuple",
        "J",
        "return self.t(self.l(x), self.l(x).argmax(-1))",
        normal("4, 8"),
        setup=(
            "import collections; self.l, self.t = nn.Linear(8, 4), collections.namedtuple('Out', 'scores "
            "best')"
        ),
        first_run="right",
    ),
    Case(
        "bool-mask",
        "J",
        "return x.masked_fill(m, 0.0) * 2",
        normal("1, 8", ", torch.rand(1, 8, generator=g) > 0.5"),
        takes="x, m",
        first_run="right",
    ),
    Case(
        "doubles",
        "J",
        "return self.l(x.float())",
        normal("1, 8", ".double()"),
        setup="self.l = nn.Linear(8, 4)",
        first_run="right",
    ),
    Case(
        "nanoseconds",
        "J",
        "return x.long() * 1000000000",
        integers("3, 2000", "1, 8"),
        says=(fails("parity", f"net.py:{LINE}"),),
        first_run="right",
    ),
    Case(
        "drops-always",
        "J",
        "return F.dropout(self.l(x), 0.5, training=True)",
        normal("4, 8"),
        setup="self.l = nn.Linear(8, 8)",
        says=(
            fails("parity", f"At net.py:{LINE} dropout is active in the source", "model.eval()"),
            warns("rules", "dropout"),
        ),
        first_run="wrong",
    ),
    Case(
        "rotary",
        "K",
        (
            "a, b = self.l(x).chunk(2, -1)\n"
            "t = torch.arange(x.shape[1]).float()[:, None] * self.f\n"
            "return torch.cat([a * t.cos() - b * t.sin(), a * t.sin() + b * t.cos()], -1)"
        ),
        normal("1, 12, 16"),
        setup="self.l = nn.Linear(16, 16); self.f = 1 / 100 ** (torch.arange(8) / 8)",
        first_run="right",
    ),
    Case(
        "rms-norm",
        "K",
        "return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.w",
        normal("1, 12, 16"),
        setup="self.w = nn.Parameter(torch.rand(16) + 0.5)",
        first_run="right",
    ),
    Case(
        "gated",
        "K",
        ("a, b = self.l(x).chunk(2, -1)\nreturn F.silu(a) * b"),
        normal("1, 12, 16"),
        setup="self.l = nn.Linear(16, 32)",
        first_run="right",
    ),
    Case(
        "minus-infinity",
        "K",
        (
            "m = torch.triu(torch.ones(8, 8), diagonal=1).bool()\n"
            "return (x @ x.mT).masked_fill(m, float('-inf')).softmax(-1) @ x"
        ),
        normal("1, 8, 16"),
        first_run="right",
    ),
    Case(
        "squeezed",
        "K",
        (
            "y = self.c(x)\n"
            "s = torch.sigmoid(self.b(F.relu(self.a(y.mean((2, 3), keepdim=True)))))\n"
            "return y * s"
        ),
        normal("1, 3, 12, 12"),
        setup="self.c, self.a, self.b = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)",
        first_run="right",
    ),
    Case(
        "every-second",
        "K",
        "return self.l(x[:, ::2].flip(-1))",
        normal("1, 8, 6"),
        setup="self.l = nn.Linear(6, 4)",
        first_run="right",
    ),
    Case(
        "shuffled",
        "K",
        "return F.pixel_shuffle(self.n(self.c(x)), 2)",
        normal("1, 3, 8, 8"),
        setup="self.c, self.n = nn.Conv2d(3, 16, 3, padding=1), nn.GroupNorm(4, 16)",
        first_run="right",
    ),
    Case(
        "shifted-window",
        "K",
        (
            "y = torch.roll(x, (-2, -2), (1, 2))\n"
            "y = y.view(1, 2, 4, 2, 4, 8).transpose(2, 3).reshape(4, 16, 8)\n"
            "return self.l(y)"
        ),
        normal("1, 8, 8, 8"),
        setup="self.l = nn.Linear(8, 8)",
        first_run="right",
    ),
    Case(
        "variance-by-squares",
        "L",
        ("y = x + 60\nreturn (y * y).mean(-1) - y.mean(-1) ** 2"),
        normal("4, 64"),
        says=(fails("precision"), fails("hazards", f"net.py:{LINE + 1}", "cancel")),
        first_run="right",
    ),
    Case(
        "counted-to-a-share",
        "L",
        "return (x > 0).float().sum(-1) / x.shape[-1]",
        normal("1, 5000"),
        first_run="right",
    ),
    Case(
        "fourth-power",
        "N",
        "return (x * 20).pow(4).mean(-1).pow(0.25)",
        normal("4, 32"),
        says=(fails("precision"), fails("hazards", f"net.py:{LINE}", "65,504")),
        first_run="right",
    ),
    Case(
        "exponential",
        "N",
        "return torch.log1p(torch.exp(x * 5).sum(-1))",
        normal("4, 32"),
        says=(fails("precision"), fails("hazards", f"net.py:{LINE}", "65,504")),
        first_run="right",
    ),
    Case(
        "surprise",
        "N",
        "return -torch.log(1 - torch.sigmoid(x * 4))",
        normal("4, 32"),
        says=(fails("precision"), fails("hazards", f"net.py:{LINE}")),
        first_run="right",
    ),
    Case(
        "unscaled-scores",
        "N",
        ("q = self.q(x) * 60\ns = q @ q.mT\nreturn (s / 1e4).softmax(-1) @ x"),
        normal("1, 8, 64"),
        setup="self.q = nn.Linear(64, 64)",
        says=(fails("precision"), fails("hazards", f"net.py:{LINE + 1}", "65,504")),
        first_run="right",
    ),
    Case(
        "scikit-image",
        "M",
        ("import skimage\nreturn self.l(x)"),
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("source", "scikit-image"),),
        first_run="right",
    ),
    Case(
        "nan-weights",
        "M",
        "return self.l(x)",
        normal("4, 8"),
        setup=("self.l = nn.Linear(8, 4)\nnn.init.constant_(self.l.weight, float('nan'))"),
        says=(fails("source", "NaN or infinite everywhere", "`l.weight` holds NaN"),),
        first_run="wrong",
    ),
)
