"""Kinds E, F, G, H, L, M, N: numbers that differ, and numbers that only look as if they did."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal, warns

IDS: Final = "torch.randint({}, ({}), generator=g{})"
EMBEDDING: Final = "self.e = nn.Embedding(30000, 8)"

CASES: Final = (
    Case(
        "ceil-of-2d",
        "E",
        "return F.avg_pool2d(x, 2, stride=3, ceil_mode=True)",
        "yield torch.arange(49.0).reshape(1, 1, 7, 7)\n" + normal("1, 1, 7, 7"),
        report="apple/coremltools#2772",
        says=(
            fails("parity", "source 48, float32 package 12", f"net.py:{LINE}", "count_include_pad=False"),
            warns("rules"),
        ),
        quick=True,
    ),
    Case(
        "ceil-of-1d",
        "E",
        "return F.avg_pool1d(x, 3, stride=2, ceil_mode=True)",
        normal("1, 4, 10"),
        says=(fails("parity", "avg_pool1d", f"net.py:{LINE}", "count_include_pad=False"), warns("rules")),
    ),
    Case(
        "ceil-without-padding",
        "E",
        "return F.avg_pool2d(x, 2, stride=3, ceil_mode=True, count_include_pad=False)",
        normal("1, 2, 7, 7"),
    ),
    Case(
        "powers-of-two",
        "E",
        "return torch.pow(2.0, x)",
        normal("1, 16"),
        report="apple/coremltools#2628",
        says=(fails("parity", "pow", f"net.py:{LINE}", "torch.exp(y * math.log(2))"), warns("rules")),
    ),
    Case(
        "product-of-integers",
        "E",
        "return x * 3 + 1",
        "for _ in range(4): yield torch.randint(2**25, 2**28, (1, 16), generator=g, dtype=torch.int32)",
        report="rustnn/rustnn#183",
        says=(fails("parity", "mul", f"net.py:{LINE}", "2^24"),),
    ),
    Case(
        "reflected-in-3d",
        "F",
        "return self.c(self.p(x))",
        normal("1, 2, 4, 5, 6"),
        setup="self.p, self.c = nn.ReflectionPad3d(1), nn.Conv3d(2, 2, 3)",
        report="apple/coremltools#2576",
        options={"conversion": "trace"},
        says=(fails("rules", "over 3 axes", "the other two by `F.pad`"),),
        quick=True,
    ),
    Case(
        "matmul-of-integers",
        "F",
        "return torch.mm(x, self.w)",
        "for _ in range(4): yield torch.randint(0, 100, (3, 8), generator=g, dtype=torch.int32)",
        setup='self.register_buffer("w", torch.randint(0, 100, (8, 6), dtype=torch.int32))',
        report="apple/coremltools#2575",
        says=(fails("rules", "int32", "-14", ".float()"),),
    ),
    Case(
        "state-of-270",
        "F",
        "h = torch.tanh(self.a(torch.cat([x, self.hidden], 1)))\n"
        "self.hidden.mul_(0).add_(h)\nreturn self.b(h)",
        normal("1, 3, 16, 270"),
        setup="self.a, self.b = nn.Conv2d(7, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1)\n"
        'self.register_buffer("hidden", torch.zeros(1, 4, 16, 270))',
        report="apple/coremltools#2631",
        options={"deployment_target": "iOS18"},
        says=(warns("rules", "rows of 270", "multiple of 32"),),
    ),
    Case(
        "mean-of-an-instance-norm",
        "G",
        "y = self.n(x)\nreturn y.mean((2, 3)), y",
        normal("1, 4, 12, 12", " * 2 + 1"),
        setup="self.n = nn.InstanceNorm2d(4)",
        report="apple/coremltools#1051",
    ),
    Case(
        "batch-norm-of-zeros",
        "G",
        "return self.b(self.c(x)).mean((2, 3))",
        normal("4, 3, 12, 12", " * 2 + 1"),
        setup="self.c, self.b = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, track_running_stats=False)",
        report="apple/coremltools#784",
    ),
    Case(
        "small-grids",
        "G",
        "return F.grid_sample(feature, grid, align_corners=False)",
        "for _ in range(4):\n"
        "    grid = torch.rand(1, 64, 64, 2, generator=g) * 2.2 - 1.1\n"
        "    yield torch.randn(1, 4, 256, 1024, generator=g), grid",
        takes="feature, grid",
        report="apple/coremltools#2068",
        says=(fails("precision"), fails("hazards", "resample", f"net.py:{LINE}")),
    ),
    Case(
        "sum-of-a-layer-norm",
        "G",
        "y = F.layer_norm(x, (16,))\nreturn y.sum(-1), y",
        normal("2, 8, 16"),
        quick=True,
    ),
    Case("softmax-minus-one", "G", "p = F.softmax(x, -1)\nreturn p.sum(-1) - 1, p", normal("2, 8, 16")),
    Case(
        "log-after-an-epsilon",
        "H",
        "s = torch.stft(x, 64, 16, 64, self.w, center=True, return_complex=True)\n"
        "return torch.log(s.abs() ** 2 + 1e-6)",
        normal("1, 640"),
        setup='self.register_buffer("w", torch.hann_window(64))',
        report="apple/coremltools#2504",
        not_right="the converter's Fourier transform rounds more than the source's, and log shows it",
    ),
    Case("log-of-magnitudes", "H", "return torch.log(x.abs() + 1e-5)", normal("1, 64")),
    Case(
        "gathered-as-int16",
        "L",
        "token = torch.gather(ids, 1, last)\nreturn self.e(token), token",
        "for n in (3, 7, 5, 2):\n"
        "    ids = torch.randint(33000, 60000, (1, 8), generator=g, dtype=torch.int32)\n"
        "    yield ids, torch.full((1, 1), n)",
        takes="ids, last",
        setup="self.e = nn.Embedding(60000, 8)",
        report="apple/coremltools#2222",
        says=(
            fails("precision", "cuts integers to 16 bits", '`skip-passes = ["common::add_int16_cast"]`'),
            warns("rules"),
        ),
        quick=True,
    ),
    Case(
        "ids-as-halves",
        "L",
        "return self.e(ids.long()).mean(1)",
        "for _ in range(4): yield torch.randint(0, 30000, (1, 6), generator=g).float()",
        takes="ids",
        setup=EMBEDDING,
        report="apple/coremltools#2193",
        options={"input": ({"name": "ids", "dtype": "float16"},)},
        says=(
            fails(
                "parity", "input `ids` is float16", "rounds 29721 at (0, 5)", '`dtype = "float32"` for `ids`'
            ),
            warns("rules"),
        ),
        quick=True,
    ),
    Case(
        "halves-of-a-sound-model",
        "L",
        "return self.l(x)",
        normal("1, 16"),
        setup="self.l = nn.Linear(16, 4)",
        options={"input": ({"name": "x", "dtype": "float16"},)},
    ),
    Case(
        "grown-constant",
        "M",
        "n = x.shape[1]\nt = torch.arange(n, dtype=torch.float32)\n"
        "rel = torch.exp(-(t[:, None] - t[None]).abs()[None] / (1 + self.f.abs()[:, None, None]))\n"
        'return torch.einsum("hij,bjh->bih", rel, self.l(x))',
        normal("1, 512, 8"),
        setup="self.l, self.f = nn.Linear(8, 8), nn.Parameter(torch.randn(8))",
        report="apple/coremltools#1551",
        says=(warns("conversion", "80 parameters", "[8, 512, 512]", f"net.py:{LINE + 2}"),),
    ),
    Case(
        "clamped-epsilon",
        "N",
        "small = x * 1e-5\nreturn small / small.square().mean().clamp(min=1e-12).sqrt()",
        normal("2, 64", " + 2"),
        says=(fails("precision"), fails("hazards", f"net.py:{LINE + 1}")),
    ),
    Case(
        "vanishing-scale",
        "N",
        "return (x * 1e-6 * 1e-3) * 1e9",
        normal("1, 32"),
        says=(fails("precision"), fails("hazards", f"net.py:{LINE}")),
    ),
    Case(
        "group-norm-overflow",
        "N",
        "return self.n(x * 600)",
        normal("1, 16, 8, 8"),
        setup="self.n = nn.GroupNorm(4, 16)",
        says=(fails("precision"), fails("hazards", "65,504", f"net.py:{LINE}")),
    ),
    Case(
        "cancellation",
        "N",
        "return (x + 1000) - 1000",
        normal("1, 16"),
        says=(fails("precision"), fails("hazards", f"net.py:{LINE}")),
    ),
    Case(
        "mask-of-minus-1e9",
        "N",
        "return F.softmax(x @ x.mT + self.m, -1) @ x",
        normal("1, 8, 16"),
        setup='self.register_buffer("m", torch.triu(torch.full((8, 8), -1e9), 1))',
    ),
    Case(
        "mask-of-infinities",
        "N",
        'return F.softmax((x @ x.mT).masked_fill(self.m, float("-inf")), -1) @ x',
        normal("1, 8, 16"),
        setup='self.register_buffer("m", torch.ones(8, 8, dtype=torch.bool).triu(1))',
    ),
)
