"""Held out, kinds E to H, K, L and S: each was written with its right result before it was run."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal, warns


def integers(ends: str, shape: str) -> str:
    """The body of ``samples`` that yields four int32 tensors between these ends."""
    return f"for _ in range(4): yield torch.randint({ends}, ({shape},), generator=g, dtype=torch.int32)"


CASES: Final = (
    Case(
        "divisor-override",
        "E",
        "return F.avg_pool2d(x, 2, divisor_override=3)",
        normal("1, 2, 8, 8"),
        says=(fails("conversion", "avg_pool2d", f"net.py:{LINE}", "divisor_override"),),
        first_run="right",
    ),
    Case(
        "remainder-of-integers",
        "E",
        "return x % 3 + 1",
        integers("-20, 20", "1, 16"),
        report="apple/coremltools#2778",
        first_run="wrong",
    ),
    Case(
        "ties-of-rounding",
        "E",
        "return torch.round(x)",
        "for _ in range(4): yield torch.randint(-9, 9, (1, 16), generator=g).float() + 0.5",
        report="webmachinelearning/webnn#817",
        says=(warns("rules", "round"),),
        first_run="wrong",
        not_right="the rule on ties of the Neural Engine only informs, whatever the samples are",
    ),
    Case(
        "sum-of-large-integers",
        "E",
        "return (x.abs() + self.o).sum(1)",
        integers("16777216, 67108864", "1, 8"),
        setup='self.register_buffer("o", torch.tensor(1, dtype=torch.int32))',
        report="rustnn/rustnn#183",
        says=(fails("parity", "torch `abs`", f"net.py:{LINE}", "2^24"),),
        first_run="wrong",
    ),
    Case(
        "flexible-roll",
        "E",
        "return torch.roll(x, -2, 1) * 1.5",
        normal("1, 8, 4"),
        report="apple/coremltools#2838",
        options={"conversion": "trace", "input": ({"name": "x", "shape": [1, [4, 16], 4]},)},
        says=(fails("parity", f"net.py:{LINE}", "torch.cat([x[:, k:], x[:, :k]], 1)"),),
        first_run="wrong",
    ),
    Case(
        "negative-gather",
        "E",
        "return x[:, i.long()]",
        normal("1, 6, 4", ", torch.randint(-3, 3, (5,), generator=g, dtype=torch.int32)"),
        takes="x, i",
        first_run="right",
    ),
    Case(
        "replicated-in-3d",
        "F",
        "return self.c(F.pad(x, (1, 1, 1, 1, 1, 1), mode='replicate'))",
        normal("1, 2, 4, 5, 6"),
        setup="self.c = nn.Conv3d(2, 2, 3)",
        report="pytorch/executorch#11709",
        options={"conversion": "trace"},
        says=(fails("rules", "replicate", "3 axes", "the other two"),),
        first_run="right",
    ),
    Case(
        "windows-of-six-axes",
        "F",
        ("y = x.reshape(1, 2, 4, 2, 4, 3).permute(0, 1, 3, 2, 4, 5)\nreturn self.l(y).amax(-1)"),
        normal("1, 8, 8, 3"),
        setup="self.l = nn.Linear(3, 5)",
        says=(fails("conversion", "more than 5 axes", f"net.py:{LINE}", "merge axes"),),
        first_run="wrong",
    ),
    Case(
        "vector-times-matrix",
        "F",
        "return torch.matmul(x, self.w)",
        normal("8"),
        setup="self.w = nn.Parameter(torch.randn(8, 6))",
        report="apple/coremltools#2719",
        first_run="right",
    ),
    Case(
        "state-100",
        "F",
        ("self.s.mul_(0.5).add_(x)\nreturn self.s + 0"),
        normal("1, 4, 100"),
        setup='self.register_buffer("s", torch.zeros(1, 4, 100))',
        options={"deployment_target": "iOS18"},
        says=(warns("rules", "rows of 100", "multiple of 32"),),
        first_run="right",
    ),
    Case(
        "instance-norm-of-a-volume",
        "F",
        "return self.n(x)",
        normal("1, 4, 4, 5, 6"),
        setup="self.n = nn.InstanceNorm3d(4, affine=True)",
        report="pytorch/executorch#11702",
        says=(fails("rules", "`instance_norm` of five axes", "InstanceNorm2d"),),
        first_run="right",
    ),
    Case(
        "centred",
        "G",
        ("y = x - x.mean(-1, keepdim=True)\nreturn y.mean(-1), y"),
        normal("2, 8, 32", " + 1"),
        first_run="right",
    ),
    Case(
        "one-sum-in-two-ways",
        "G",
        ("a = self.l(x)\nb = F.linear(x, self.l.weight) + self.l.bias\nreturn a - b, a"),
        normal("2, 16"),
        setup="self.l = nn.Linear(16, 32)",
        first_run="right",
    ),
    Case(
        "unit-norm-minus-one",
        "G",
        ("y = F.normalize(x, dim=-1)\nreturn (y * y).sum(-1) - 1, y"),
        normal("2, 8, 16"),
        first_run="right",
    ),
    Case(
        "variance-of-a-constant",
        "G",
        ("y = self.c(x * 0 + 0.3)\nreturn y.var((2, 3)), y"),
        normal("1, 3, 12, 12"),
        setup="self.c = nn.Conv2d(3, 4, 3)",
        first_run="right",
    ),
    Case(
        "log-sum-exp-twice",
        "G",
        ("a = torch.logsumexp(x, -1)\nreturn a - torch.log(torch.exp(x).sum(-1)), a"),
        normal("4, 16"),
        first_run="right",
    ),
    Case(
        "even-ceil", "H", "return F.avg_pool2d(x, 2, ceil_mode=True)", normal("1, 2, 8, 8"), first_run="right"
    ),
    Case(
        "softplus-near-zero",
        "H",
        "return F.softplus(self.l(x))",
        normal("1, 16"),
        setup="self.l = nn.Linear(16, 8)",
        first_run="right",
    ),
    Case(
        "division-of-large-floats",
        "H",
        "return x / 7.0",
        "for _ in range(4): yield torch.randint(0, 60000, (1, 16), generator=g).float()",
        options={"precision": "float32"},
        first_run="right",
    ),
    Case(
        "mean-of-floats",
        "H",
        "return (self.l(x) * 3).mean(-1)",
        normal("1, 8, 16", " + 2"),
        setup="self.l = nn.Linear(16, 8)",
        first_run="right",
    ),
    Case(
        "lost-epsilon",
        "H",
        ("p = torch.softmax(self.l(x) * 12, -1)\nreturn torch.log(p + 1e-9)"),
        normal("1, 16", " * 3"),
        setup="self.l = nn.Linear(16, 8)",
        says=(
            fails("precision"),
            fails("hazards", f"net.py:{LINE + 1}"),
        ),
        first_run="right",
    ),
    Case(
        "heads-by-view",
        "K",
        (
            "b, n, _ = x.shape\n"
            "y = self.l(x).view(b, n, 4, 8).transpose(1, 2)\n"
            "return (y @ y.transpose(-1, -2)).softmax(-1) @ y"
        ),
        normal("1, 10, 32"),
        setup="self.l = nn.Linear(32, 32)",
        first_run="right",
    ),
    Case(
        "state-of-zeros",
        "K",
        ("h = torch.zeros(1, x.shape[0], 6)\nreturn self.r(x, h)[0]"),
        normal("1, 5, 8"),
        setup="self.r = nn.GRU(8, 6, batch_first=True)",
        first_run="right",
    ),
    Case(
        "class-as-int32",
        "K",
        "return self.l(x).argmax(-1).to(torch.int32)",
        normal("4, 8"),
        setup="self.l = nn.Linear(8, 10)",
        first_run="right",
    ),
    Case(
        "assert-on-channels",
        "K",
        ("assert x.shape[1] == 3\nreturn self.c(x) * torch.tensor(self.s)"),
        normal("1, 3, 9, 9"),
        setup="self.c, self.s = nn.Conv2d(3, 4, 3), 0.25",
        first_run="right",
    ),
    Case(
        "mask-of-positions",
        "K",
        (
            "i = torch.arange(x.shape[1])\n"
            "m = i[None] <= i[:, None]\n"
            "a = (x @ x.mT).masked_fill(~m, -1e4)\n"
            "return a.softmax(-1) @ x"
        ),
        normal("1, 8, 16"),
        first_run="right",
    ),
    Case(
        "cast-overflow",
        "L",
        "return (x * 1000).int()",
        "for _ in range(4): yield torch.rand(1, 16, generator=g) * 60 + 60",
        says=(fails("hazards", f"net.py:{LINE}", "65,504"),),
        first_run="right",
    ),
    Case(
        "seconds-since-1970",
        "L",
        "return torch.sin(t / 86400.0)",
        "for _ in range(4): yield 1.7e9 + torch.rand(1, 4, generator=g) * 1e6",
        takes="t",
        says=(
            fails("precision"),
            fails("hazards", "65,504"),
        ),
        first_run="right",
    ),
    Case(
        "ids-of-two-bytes",
        "L",
        ("i = a * 256.0 + b\nreturn self.e(i.long()).mean(1)"),
        (
            "for _ in range(4): yield torch.randint(20, 117, (1, 6), generator=g).float(), "
            "torch.randint(0, 256, (1, 6), generator=g).float()"
        ),
        setup="self.e = nn.Embedding(30208, 8)",
        takes="a, b",
        says=(
            fails("precision"),
            fails("hazards", f"net.py:{LINE}", "add", "whole numbers, which FP16 holds only up to 2048"),
        ),
        first_run="wrong",
    ),
    Case(
        "positions-by-cumsum",
        "L",
        ("p = torch.cumsum(m, 1)\nreturn self.e(p.long()).mean(1)"),
        "for _ in range(4): yield (torch.rand(1, 6000, generator=g) > 0.2).float()",
        setup="self.e = nn.Embedding(6001, 4)",
        takes="m",
        says=(
            fails("precision"),
            fails("hazards", f"net.py:{LINE}", "cumsum", "whole numbers, which FP16 holds only up to 2048"),
        ),
        first_run="wrong",
    ),
    Case(
        "selected-as-int16",
        "L",
        "return torch.index_select(ids, 1, k) + 1",
        (
            "for _ in range(4): yield torch.randint(40000, 90000, (1, 12), generator=g, "
            "dtype=torch.int32), torch.randint(0, 12, (3,), generator=g, dtype=torch.int32)"
        ),
        takes="ids, k",
        says=(
            fails("precision", "cuts integers to 16 bits", "add_int16_cast"),
            warns("rules"),
        ),
        first_run="wrong",
    ),
    Case(
        "depthwise",
        "S",
        "return self.f(F.silu(self.d(self.c(x))).mean((2, 3)))",
        normal("1, 3, 16, 16"),
        setup=("self.c, self.d = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, groups=8)\nself.f = nn.Linear(8, 5)"),
        first_run="right",
    ),
    Case(
        "transposed",
        "S",
        "return torch.tanh(self.u(F.leaky_relu(self.c(x), 0.2)))",
        normal("1, 3, 16, 16"),
        setup="self.c, self.u = nn.Conv2d(3, 8, 4, 2, 1), nn.ConvTranspose2d(8, 3, 4, 2, 1)",
        first_run="right",
    ),
    Case(
        "embedding-bag",
        "S",
        "return self.f(self.e(ids).amax(1))",
        integers("0, 100", "1, 12"),
        setup="self.e, self.f = nn.Embedding(100, 16), nn.Linear(16, 4)",
        takes="ids",
        first_run="right",
    ),
    Case(
        "wavenet",
        "S",
        ("y = torch.tanh(self.a(x)) * torch.sigmoid(self.b(x))\nreturn x[:, :, 4:] + y"),
        normal("1, 4, 32"),
        setup="self.a, self.b = nn.Conv1d(4, 4, 3, dilation=2), nn.Conv1d(4, 4, 3, dilation=2)",
        first_run="right",
    ),
    Case(
        "mixer",
        "S",
        ("y = x + self.t(self.n(x).transpose(1, 2)).transpose(1, 2)\nreturn y + self.c(self.m(y))"),
        normal("1, 9, 16"),
        setup=(
            "self.n, self.m, self.t, self.c = nn.LayerNorm(16), nn.LayerNorm(16), nn.Linear(9, 9), "
            "nn.Linear(16, 16)"
        ),
        first_run="right",
    ),
)
