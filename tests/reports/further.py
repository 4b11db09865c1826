"""Further models of the kinds: states, masks, norms, recurrent layers, images, compression."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal, warns

STEPS: Final = ({"name": "x", "shape": [1, [2, 12], 8]},)
GREY: Final = "torch.randint(0, 256, (1, 1, 32, 32), generator=g).float()"
TRAINED: Final = """
self.a, self.b = nn.Linear(8, 32), nn.Linear(32, 3)
optimizer = torch.optim.Adam(self.parameters(), 0.02)
data = torch.randn(256, 8)
for _ in range(100):
    loss = (self(data) - data[:, :3].sin()).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

CLASSIFIER: Final = """
import coremltools as ct
import torch


def to_coreml(module, compute_precision=None):
    return ct.convert(
        torch.jit.trace(module, torch.zeros(1, 8)),
        inputs=[ct.TensorType(name="x", shape=(1, 8))],
        classifier_config=ct.ClassifierConfig(["owl", "cat", "dog"]),
        compute_precision=compute_precision,
        skip_model_load=True,
    )
"""

CASES: Final = (
    Case("trained-regression", "S", "return self.b(torch.relu(self.a(x)))", normal("1, 8"), setup=TRAINED),
    Case(
        "two-way-gru",
        "J",
        "y, h = self.r(x)\nreturn y, h",
        normal("1, 10, 8"),
        setup="self.r = nn.GRU(8, 6, batch_first=True, bidirectional=True)",
        options={"input": STEPS},
    ),
    Case(
        "lstm-with-its-state",
        "J",
        "y, (h, c) = self.r(x, (h, c))\nreturn y, h, c",
        "for _ in range(4):\n"
        "    x, h, c = (torch.randn(*shape, generator=g) for shape in ((1, 5, 8), (1, 1, 6), (1, 1, 6)))\n"
        "    yield x, h, c",
        takes="x, h, c",
        setup="self.r = nn.LSTM(8, 6, batch_first=True)",
    ),
    Case(
        "grey-image",
        "C",
        "return self.c(image).mean((2, 3))",
        f"for _ in range(4): yield {GREY} / 255 - 0.5",
        takes="image",
        setup="self.c = nn.Conv2d(1, 4, 3)",
        options={
            "input": ({"name": "image", "image": {"scale": 1 / 255, "bias": [-0.5], "color": "GRAYSCALE"}},)
        },
    ),
    Case(
        "grey-image-of-another-scale",
        "C",
        "return self.c(image).mean((2, 3))",
        f"for _ in range(4): yield {GREY} / 127.5 - 1",
        takes="image",
        setup="self.c = nn.Conv2d(1, 4, 3)",
        options={
            "input": ({"name": "image", "image": {"scale": 1 / 255, "bias": [0.0], "color": "GRAYSCALE"}},)
        },
        says=(fails("source", "scale = 0.007843137, bias = [-1]"),),
    ),
    Case(
        "cache-of-keys",
        "S",
        "self.keys[:, :4] = self.k(x)\nreturn F.softmax(self.q(x) @ self.keys.mT, -1)",
        normal("1, 4, 64"),
        setup="self.q, self.k = nn.Linear(64, 64), nn.Linear(64, 64)\n"
        'self.register_buffer("keys", torch.zeros(1, 16, 64))',
        options={"deployment_target": "iOS18"},
    ),
    Case(
        "row-that-is-masked-everywhere",
        "D",
        "return F.scaled_dot_product_attention(x, x, x, attn_mask=self.m)",
        normal("1, 6, 8"),
        setup='self.register_buffer("m", torch.zeros(6, 6).index_fill(0, torch.tensor([2]), float("-inf")))',
        says=(
            fails("parity", "scaled_dot_product_attention", f"net.py:{LINE}", 'conversion = "decomposed"'),
        ),
    ),
    Case(
        "group-norm-far-from-zero",
        "N",
        "return self.n(x + 300)",
        normal("1, 8, 6, 6"),
        setup="self.n = nn.GroupNorm(2, 8)",
        says=(fails("precision"), fails("hazards", f"net.py:{LINE}")),
    ),
    Case(
        "rms-norm-of-large-values",
        "N",
        "y = x * 600\nreturn y * torch.rsqrt(y.square().mean(-1, keepdim=True) + 1e-5)",
        normal("1, 8, 32"),
        says=(fails("precision"), fails("hazards", "65,504", f"net.py:{LINE + 1}")),
    ),
    Case(
        "norm-of-small-values",
        "N",
        "y = x * 1e-6\nreturn y / y.square().sum(-1, keepdim=True).sqrt()",
        normal("1, 8, 32"),
        says=(fails("precision"), fails("hazards", f"net.py:{LINE}", "1 more operation")),
    ),
    Case(
        "four-colours-of-weights",
        "N",
        "return self.b(torch.relu(self.a(x)))",
        normal("1, 64"),
        setup="self.a, self.b = nn.Linear(64, 128), nn.Linear(128, 10)",
        options={"compress": {"method": "palettize", "bits": 2}},
        says=(fails("precision", "2-bit palettised weights"),),
    ),
    Case(
        "reading-beyond-halves",
        "L",
        "return self.l(x * 1e-5)",
        "for _ in range(4): yield torch.rand(1, 16, generator=g) * 60000 + 30000",
        setup="self.l = nn.Linear(16, 4)",
        options={"input": ({"name": "x", "dtype": "float16"},)},
        says=(
            fails("parity", "has no number beyond 65504", '`dtype = "float32"` for `x`'),
            warns("hazards"),
        ),
    ),
    Case(
        "labels-of-a-classifier",
        "A",
        "return torch.softmax(self.l(x) * 3, 1)",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 3)",
        report="apple/coremltools#2627",
        options={"convert": "export.py:to_coreml"},
        script=CLASSIFIER,
    ),
)
