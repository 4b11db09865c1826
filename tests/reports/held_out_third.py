"""Held out, a third set, kinds A to H: written with their right results before they ran."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal, warns
from tests.reports.held_out_interface import TEAM, script
from tests.reports.held_out_numbers import integers


def _pixels(channels: int, after: str) -> str:
    numbers = f"torch.randint(0, 256, (1, {channels}, 24, 24), generator=g)"
    return f"for _ in range(4): yield {numbers}.float() {after}"


CASES: Final = (
    Case(
        "named-features",
        "A",
        "return torch.softmax(self.l(x),1)",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 3)",
        options=TEAM,
        script=script('["a", "b", "c"], predicted_feature_name="kind"'),
        first_run="right",
    ),
    Case(
        "conv-head",
        "A",
        "return torch.softmax(self.c(x).mean((2,3)),1)",
        normal("1, 3, 8, 8"),
        setup="self.c = nn.Conv2d(3, 4, 3)",
        options=TEAM,
        script=script('["a", "b", "c", "d"]', shape="1, 3, 8, 8"),
        first_run="right",
    ),
    Case(
        "trained-mode-script",
        "A",
        "return self.b(self.l(x))",
        normal("4, 8"),
        setup="self.l, self.b = nn.Linear(8, 4), nn.BatchNorm1d(4)",
        options=TEAM,
        script=script(shape="4, 8", before="module.train()"),
        says=(fails("parity"),),
        first_run="right",
    ),
    Case(
        "sliced-table",
        "B",
        "return self.e(x) + self.p[:, : int(x.shape[1])]",
        normal("1, 16, 8"),
        setup="self.e, self.p = nn.Linear(8, 8), nn.Parameter(torch.randn(1, 32, 8))",
        options={"input": ({"name": "x", "shape": [1, [4, 32], 8]},), "conversion": "trace"},
        says=(fails("parity", "rejects", f"net.py:{LINE}"),),
        first_run="right",
    ),
    Case(
        "sliced-table-auto",
        "B",
        "return self.e(x) + self.p[:, : x.shape[1]]",
        normal("1, 16, 8"),
        setup="self.e, self.p = nn.Linear(8, 8), nn.Parameter(torch.randn(1, 32, 8))",
        options={"input": ({"name": "x", "shape": [1, [4, 32], 8]},)},
        first_run="right",
    ),
    Case(
        "one-of-two-sizes",
        "B",
        "return self.l(x.flatten(1))",
        normal("1, 4, 8"),
        setup="self.l = nn.Linear(32, 3)",
        options={"input": ({"name": "x", "shapes": [[1, 4, 8], [1, 4, 12]]},)},
        says=(warns("parity", "(1, 4, 12)"),),
        first_run="right",
    ),
    Case(
        "odd-skip",
        "B",
        ("y = F.max_pool2d(x, 2)\nreturn torch.cat([x, F.interpolate(y, scale_factor=2)], 1)"),
        normal("1, 3, 16, 16"),
        options={"input": ({"name": "x", "shape": [1, 3, [16, 33], [16, 33]]},)},
        says=(warns("parity"),),
        first_run="right",
    ),
    Case(
        "baked-mask",
        "B",
        (
            "n = int(x.shape[1])\n"
            "m = torch.tril(torch.ones(n, n))\n"
            "return (x @ x.mT).masked_fill(m == 0, -1e4).softmax(-1) @ x"
        ),
        normal("1, 8, 16"),
        options={"input": ({"name": "x", "shape": [1, [4, 16], 16]},), "conversion": "trace"},
        says=(fails("conversion", "`mt`", f"net.py:{LINE + 2}", "x.transpose(-2, -1)"),),
        first_run="wrong",
    ),
    Case(
        "flexible-batch",
        "B",
        "return self.f(torch.relu(self.c(x)).mean((2, 3)))",
        normal("2, 3, 12, 12"),
        setup="self.c, self.f = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)",
        options={"input": ({"name": "x", "shape": [[1, 8], 3, 12, 12]},)},
        first_run="right",
    ),
    Case(
        "no-scale",
        "C",
        "return F.max_pool2d(F.relu(self.c(image)), 2)",
        _pixels(3, "/ 255"),
        setup="self.c = nn.Conv2d(3, 4, 3)",
        takes="image",
        options={"input": ({"name": "image", "image": {}},)},
        says=(warns("image-input", "0.003921569"),),
        first_run="right",
    ),
    Case(
        "gray",
        "C",
        "return F.max_pool2d(F.relu(self.c(image)), 2)",
        _pixels(1, "/ 255"),
        setup="self.c = nn.Conv2d(1, 4, 3)",
        takes="image",
        options={
            "input": ({"name": "image", "image": {"scale": 0.00392156862745098, "color": "GRAYSCALE"}},)
        },
        first_run="right",
    ),
    Case(
        "mean-half",
        "C",
        "return F.max_pool2d(F.relu(self.c(image)), 2)",
        _pixels(3, "/ 127.5 - 1"),
        setup="self.c = nn.Conv2d(3, 4, 3)",
        takes="image",
        options={
            "input": ({"name": "image", "image": {"scale": 0.00784313725490196, "bias": [-1.0, -1.0, -1.0]}},)
        },
        first_run="right",
    ),
    Case(
        "masked-attention-18",
        "D",
        "return F.scaled_dot_product_attention(self.q(x), x, x, attn_mask=self.m)",
        normal("1, 8, 16"),
        setup=(
            "self.q = nn.Linear(16, 16); self.m = torch.zeros(8, 8).masked_fill(torch.ones(8, "
            "8).triu(1).bool(), -1e4)"
        ),
        options={"deployment_target": "iOS18"},
        first_run="right",
    ),
    Case(
        "multihead-17",
        "D",
        "return self.a(x, x, x)[0]",
        normal("1, 8, 16"),
        setup="self.a = nn.MultiheadAttention(16, 4, batch_first=True)",
        first_run="right",
    ),
    Case(
        "clamped-large-integers",
        "E",
        "return torch.clamp(x, max=50000001) + 1",
        integers("16777216, 67108864", "1, 8"),
        says=(
            fails("parity", "torch `clamp`", f"net.py:{LINE}", "2^24"),
            fails("precision"),
            fails("hazards", f"net.py:{LINE}"),
        ),
        first_run="wrong",
    ),
    Case(
        "empty-slice",
        "F",
        "return torch.cat([x[:, :0], self.l(x)], 1)",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4)",
        first_run="right",
    ),
    Case(
        "circular",
        "F",
        "return self.c(x)",
        normal("1, 3, 8, 8"),
        setup="self.c = nn.Conv2d(3, 4, 3, padding=1, padding_mode='circular')",
        first_run="right",
    ),
    Case(
        "symmetric",
        "G",
        ("s = x @ x.mT\nreturn s - s.mT, s"),
        normal("1, 8, 16"),
        first_run="right",
    ),
    Case(
        "pythagoras",
        "G",
        ("y = self.l(x)\nreturn y.sin() ** 2 + y.cos() ** 2 - 1, y"),
        normal("4, 8"),
        setup="self.l = nn.Linear(8, 8)",
        first_run="right",
    ),
    Case(
        "there-and-back",
        "G",
        ("y = torch.exp(torch.log(x.abs() + 1))\nreturn y - (x.abs() + 1), y"),
        normal("4, 8"),
        first_run="right",
    ),
    Case(
        "offset-in-float32",
        "G",
        "return (x + 1e4) - 1e4 + self.l(x)",
        normal("4, 8"),
        setup="self.l = nn.Linear(8, 8)",
        options={"precision": "float32"},
        first_run="right",
    ),
    Case(
        "clamped-log-again",
        "H",
        "return torch.log(x.abs().clamp(min=1e-3))",
        normal("4, 16"),
        first_run="right",
    ),
    Case(
        "soft-sign",
        "H",
        "return self.l(x) / (1 + self.l(x).abs())",
        normal("4, 8"),
        setup="self.l = nn.Linear(8, 8)",
        first_run="right",
    ),
    Case(
        "root-of-one-plus",
        "H",
        "return torch.sqrt(x * x + 1) * torch.rsqrt(x.abs() + 1)",
        normal("4, 16"),
        first_run="right",
    ),
    Case(
        "thirds-of-small-ids",
        "H",
        "return self.e((ids / 3).floor().long()).mean(1)",
        integers("0, 100", "1, 12"),
        setup="self.e = nn.Embedding(40, 8)",
        takes="ids",
        first_run="right",
    ),
)
