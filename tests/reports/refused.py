"""Kinds I, K and S: conversions that are refused with a way out, and sound code that must stay unblamed."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal

CASES: Final = (
    Case(
        "output-padding-2d",
        "I",
        "return self.up(F.relu(self.down(x)))",
        normal("1, 3, 13, 13"),
        setup="self.down = nn.Conv2d(3, 5, 3, stride=2)\n"
        "self.up = nn.ConvTranspose2d(5, 5, 3, stride=2, output_padding=1)",
        report="pytorch/executorch#11705",
        says=(fails("conversion", "module `up`", "`output_padding`", "F.pad", f"net.py:{LINE + 1}"),),
        quick=True,
    ),
    Case(
        "output-padding-1d",
        "I",
        "return self.up(x)",
        normal("1, 4, 10"),
        setup="self.up = nn.ConvTranspose1d(4, 4, 3, stride=2, output_padding=1)",
        says=(fails("conversion", "`output_padding`", "F.pad", f"net.py:{LINE}"),),
    ),
    Case(
        "cumsum-from-the-end",
        "I",
        "return torch.cumsum(x, dim=-3) * 0.5",
        normal("2, 3, 4"),
        report="pytorch/executorch#11716",
        says=(fails("conversion", "`cumsum`", f"net.py:{LINE}", "`dim=0`"),),
    ),
    Case(
        "unsorted-topk",
        "I",
        "v, i = torch.topk(self.l(x), 5, sorted=False)\nreturn v, i",
        normal("1, 16"),
        setup="self.l = nn.Linear(16, 64)",
        report="pytorch/executorch#11698",
        options={"deployment_target": "iOS15"},
        says=(
            fails(
                "conversion",
                "`topk`",
                f"net.py:{LINE}",
                'converts with `deployment-target = "iOS16"` (tried)',
            ),
        ),
    ),
    Case(
        "flexible-chunks",
        "I",
        "a, b = torch.chunk(x, 2, dim=1)\nreturn a.sum(1) - b.sum(1)",
        "for n in (8, 12, 16, 8): yield torch.randn(1, n, 4, generator=g)",
        report="apple/coremltools#2811",
        options={"input": ({"name": "x", "shape": [1, [4, 32], 4]},)},
        says=(fails("conversion", "flexible axis", f"net.py:{LINE}", "`x[:, : n // 2]`"),),
    ),
    Case(
        "pass-that-changes-shapes",
        "I",
        "p = torch.sigmoid(self.c(x)).clamp(1e-4, 1 - 1e-4)\nn, r = self.n, self.r\n"
        "b = n * torch.log(n) - r * torch.log(r + 1e-7) - (n - r) * torch.log(n - r + 1e-7)\n"
        "return torch.softmax(b + r * torch.log(p) + (n - r) * torch.log(1 - p), 1)",
        normal("1, 3, 12, 12"),
        setup="self.c = nn.Conv2d(3, 1, 1)\n"
        'self.register_buffer("r", torch.arange(8.0).view(1, -1, 1, 1))\n'
        'self.register_buffer("n", torch.tensor([7.0]).view(1, -1, 1, 1))',
        report="apple/coremltools#2020",
        says=(
            fails(
                "conversion",
                '`converter = { skip-passes = ["common::fuse_elementwise_to_batchnorm"] }` (tried)',
            ),
        ),
    ),
    Case(
        "filled-sum",
        "I",
        "a = x + 1\na.fill_(3.0)\nreturn a * x",
        normal("3, 4"),
        report="apple/coremltools#1920",
        options={"conversion": "trace"},
        says=(fails("conversion", "`fill_`", f"net.py:{LINE + 1}", '`conversion = "export"` (tried)'),),
    ),
    Case(
        "uneven-factor",
        "I",
        'return F.interpolate(a, scale_factor=1.5, mode="bilinear", align_corners=False)',
        normal("1, 4, 37, 29"),
        takes="a",
        report="apple/coremltools#951",
        says=(fails("conversion", f"net.py:{LINE}", "`recompute_scale_factor=True`"),),
    ),
    Case(
        "cummax",
        "I",
        "return torch.cummax(x, 1)[0]",
        normal("2, 8"),
        says=(fails("conversion", "`cummax`", f"net.py:{LINE}", "register_torch_op"),),
    ),
    Case(
        "unpacked-projections",
        "K",
        "q, k, v = self.l(x).reshape(1, 7, 3, 8).permute(2, 0, 1, 3)\n"
        "return torch.softmax(q @ k.transpose(-2, -1), -1) @ v",
        normal("1, 7, 8"),
        setup="self.l = nn.Linear(8, 24)",
        report="apple/coremltools#1591",
        options={"conversion": "trace"},
        quick=True,
    ),
    Case(
        "ids-as-floats",
        "K",
        "return self.e(ids.long()).mean(1)",
        "for _ in range(4): yield torch.randint(0, 30000, (1, 6), generator=g).float()",
        takes="ids",
        setup="self.e = nn.Embedding(30000, 8)",
        report="apple/coremltools#1039",
    ),
    Case(
        "literal-tensor",
        "K",
        "return self.c(x) * torch.tensor([0.5, 2.0, 1.0, 0.25]).view(1, 4, 1, 1)",
        normal("1, 3, 16, 16"),
        setup="self.c = nn.Conv2d(3, 4, 3)",
    ),
    Case("rolled", "K", "return torch.roll(x, 2, 1)", normal("1, 8, 4")),
    Case(
        "small-cnn",
        "S",
        "return self.f(self.b(F.relu(self.c(x))).flatten(1))",
        normal("1, 3, 16, 16"),
        setup="self.c, self.b = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)\nself.f = nn.Linear(8 * 14 * 14, 10)",
    ),
    Case(
        "small-unet",
        "S",
        "a = F.relu(self.d(x))\n"
        'b = F.interpolate(self.m(F.max_pool2d(a, 2)), scale_factor=2, mode="nearest")\n'
        "return self.u(torch.cat([a, b], 1))",
        normal("1, 3, 32, 32"),
        setup="self.d, self.m = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)\n"
        "self.u = nn.Conv2d(16, 1, 1)",
    ),
    Case(
        "small-gru",
        "S",
        "return self.r(x)[0]",
        normal("1, 10, 8"),
        setup="self.r = nn.GRU(8, 6, batch_first=True)",
    ),
    Case(
        "rms-norm-by-hand",
        "S",
        "return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.w",
        normal("1, 8, 32"),
        setup="self.w = nn.Parameter(torch.ones(32))",
    ),
    Case(
        "small-state",
        "S",
        "self.total.add_(x)\nreturn self.total * 0.5",
        normal("1, 32"),
        setup='self.register_buffer("total", torch.zeros(1, 32))',
        options={"deployment_target": "iOS18"},
    ),
    Case(
        "int8-weights",
        "S",
        "return self.f(F.relu(self.e(x)))",
        normal("1, 64"),
        setup="self.e, self.f = nn.Linear(64, 256), nn.Linear(256, 10)",
        options={"compress": {"method": "linear-int8"}},
    ),
)
