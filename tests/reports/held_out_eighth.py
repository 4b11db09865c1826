"""Held out, an eighth set, refused conversions: operations without a converter, or in a form that has none.

Each was written with its right result before any of them ran. As in the sixth set two results are right: a
route of the gate converts the model and the package agrees, or the refusal names the operation, its line and
a way out that works. The words are of the second.
"""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal
from tests.reports.held_out_numbers import integers

_REGIONS: Final = """
@torch.library.custom_op("torchvision::roi_align", mutates_args=())
def roi_align(x: torch.Tensor, boxes: torch.Tensor, size: int) -> torch.Tensor:
    out = []
    for box in boxes:
        xs = torch.linspace(0, 1, size) * (box[2] - box[0]) + box[0]
        ys = torch.linspace(0, 1, size) * (box[3] - box[1]) + box[1]
        grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1)[None]
        out.append(F.grid_sample(x, grid, align_corners=False))
    return torch.cat(out)


@roi_align.register_fake
def _(x, boxes, size):
    return x.new_empty(boxes.shape[0], x.shape[1], size, size)
"""

CASES: Final = (
    Case(
        "six-axes-and-back",
        "I",
        "y = x.reshape(1, 4, 2, 4, 2, 6).permute(0, 1, 3, 2, 4, 5)\nreturn self.l(y.reshape(16, 4, 6))",
        normal("1, 8, 8, 6"),
        setup="self.l = nn.Linear(6, 4)",
        report="apple/coremltools#1723",
        first_run="right",
    ),
    Case(
        "regions-of-boxes",
        "I",
        "return torch.ops.torchvision.roi_align(self.c(x), boxes, 3)",
        normal("1, 3, 8, 8", ", torch.rand(2, 4, generator=g) - 0.5"),
        takes="x, boxes",
        setup="self.c = nn.Conv2d(3, 4, 3, padding=1)",
        tail=_REGIONS,
        report="apple/coremltools#1793",
        says=(fails("conversion", "roi_align", f"net.py:{LINE}", "grid_sample"),),
        first_run="wrong",
    ),
    Case(
        "layer-of-a-spectral-norm",
        "I",
        "return torch.tanh(self.l(x))",
        normal("2, 8"),
        setup="self.l = nn.utils.parametrizations.spectral_norm(nn.Linear(8, 4))",
        first_run="right",
    ),
    Case(
        "layer-of-an-orthogonal-matrix",
        "I",
        "return torch.tanh(self.l(x))",
        normal("2, 6"),
        setup="self.l = nn.utils.parametrizations.orthogonal(nn.Linear(6, 6))",
        says=(fails("conversion", "`l.weight`", f"net.py:{LINE}", "remove_parametrizations"),),
        first_run="wrong",
    ),
    Case(
        "attention-with-a-score-of-its-own",
        "I",
        (
            "from torch.nn.attention.flex_attention import flex_attention\n"
            "q = self.l(x).view(1, 1, 6, 8)\n"
            "return flex_attention(q, q, q, score_mod=lambda s, b, h, i, j: s - (i - j).abs())"
        ),
        normal("1, 6, 8"),
        setup="self.l = nn.Linear(8, 8)",
        says=(fails("conversion", "flex_attention", f"net.py:{LINE + 2}", "scaled_dot_product_attention"),),
        first_run="wrong",
    ),
    Case(
        "mask-by-vmap",
        "I",
        (
            "i = torch.arange(6)\n"
            "m = torch.vmap(lambda q: torch.vmap(lambda k: (q >= k) & (q - k < 4))(i))(i)\n"
            "return (x @ x.mT).masked_fill(~m, -1e4).softmax(-1) @ x"
        ),
        normal("1, 6, 8"),
        report="huggingface/transformers#42721",
        first_run="right",
    ),
    Case(
        "gradient-of-a-function",
        "I",
        "e = lambda p: self.l(p).tanh().sum()\nreturn -torch.func.grad(e)(x)",
        normal("4, 3"),
        setup="self.l = nn.Linear(3, 8)",
        says=(fails("conversion", "computes a gradient", f"net.py:{LINE + 1}", "derivative"),),
        first_run="wrong",
    ),
    Case(
        "loop-of-export",
        "I",
        (
            "from torch._higher_order_ops.while_loop import while_loop\n"
            "def more(i, y): return i < 5\n"
            "def step(i, y): return i + 1, torch.tanh(self.l(y))\n"
            "return while_loop(more, step, (torch.zeros((), dtype=torch.int32), x))[1]"
        ),
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 8)",
        says=(fails("conversion", "while_loop", f"net.py:{LINE + 3}", "unroll"),),
        first_run="right",
    ),
    Case(
        "recurrence-by-scan",
        "I",
        (
            "from torch._higher_order_ops.scan import scan\n"
            "def step(h, u): return 0.9 * h + u, 0.9 * h + u\n"
            "return scan(step, torch.zeros(8), self.l(x))[1]"
        ),
        normal("5, 8"),
        setup="self.l = nn.Linear(8, 8)",
        says=(fails("conversion", "scan", f"net.py:{LINE + 2}", "torch.stack"),),
        first_run="right",
    ),
    Case(
        "packed-gru",
        "I",
        (
            "p = nn.utils.rnn.pack_padded_sequence(x, lens, batch_first=True, enforce_sorted=False)\n"
            "return nn.utils.rnn.pad_packed_sequence(self.r(p)[0], batch_first=True, total_length=6)[0]"
        ),
        "for n in (3, 5, 6, 2): yield torch.randn(2, 6, 4, generator=g), torch.tensor([6, n])",
        takes="x, lens",
        setup="self.r = nn.GRU(4, 5, batch_first=True)",
        report="apple/coremltools#2798",
        says=(fails("conversion", "packed", "net.py:", "mask"),),
        first_run="wrong",
    ),
    Case(
        "both-ways-of-a-simple-rnn",
        "I",
        "return self.r(x)[0]",
        normal("1, 5, 4"),
        setup="self.r = nn.RNN(4, 3, batch_first=True, bidirectional=True)",
        first_run="right",
    ),
    Case(
        "padded-by-its-length",
        "I",
        "return F.pad(x, (1, x.shape[-1])) * 2",
        "for n in (8, 4, 16, 8): yield torch.randn(1, n, generator=g)",
        options={"input": ({"name": "x", "shape": [1, [4, 32]]},)},
        report="apple/coremltools#2583",
        says=(fails("conversion", "`pad`", f"net.py:{LINE}", "torch.cat"),),
        first_run="wrong",
    ),
    Case(
        "ragged-batch",
        "I",
        "n = torch.nested.nested_tensor([a, b])\nreturn self.l(n).to_padded_tensor(0.0).sum(1)",
        normal("3, 8", ", torch.randn(5, 8, generator=g)"),
        takes="a, b",
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("conversion", "nested", f"net.py:{LINE}", "mask"),),
        first_run="wrong",
    ),
    Case(
        "phase-of-a-spectrum",
        "I",
        "return torch.angle(torch.fft.rfft(x))",
        normal("1, 16"),
        says=(fails("conversion", "`angle`", f"net.py:{LINE}", "torch.atan2("),),
        first_run="wrong",
    ),
    Case(
        "complex-input",
        "I",
        "return self.l(z.abs())",
        "for _ in range(4): yield torch.randn(2, 8, dtype=torch.complex64, generator=g)",
        takes="z",
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("source", "`z`", "complex", "two inputs"),),
        first_run="wrong",
    ),
    Case(
        "experts-by-index",
        "I",
        (
            "best, y = self.g(x).argmax(-1), torch.zeros_like(x)\n"
            "for k in range(3):\n"
            "    i = torch.where(best == k)[0]\n"
            "    y.index_add_(0, i, self.e[k](x[i]))\n"
            "return y"
        ),
        normal("12, 8"),
        setup="self.g, self.e = nn.Linear(8, 3), nn.ModuleList(nn.Linear(8, 8) for _ in range(3))",
        says=(fails("conversion", "`index_add`", f"net.py:{LINE + 3}", "multiply by a mask"),),
        first_run="wrong",
    ),
    Case(
        "assignment-by-a-mask",
        "I",
        "y, m = self.l(x), x < 0\nx = x.clone()\nx[m] = y[m]\nreturn x",
        normal("4, 8"),
        setup="self.l = nn.Linear(8, 8)",
        first_run="right",
    ),
    Case(
        "inverted-bits",
        "I",
        "return (x ^ 255).float() / 255",
        integers("0, 256", "1, 9"),
        says=(fails("conversion", "xor", f"net.py:{LINE}", "% 2 * 2**i"),),
        first_run="wrong",
    ),
    Case(
        "bits-of-a-byte",
        "I",
        "return ((x[..., None] >> torch.arange(8)) & 1).float() @ self.w",
        integers("0, 256", "1, 9"),
        setup="self.w = nn.Parameter(torch.randn(8, 4))",
        says=(fails("conversion", "rshift", f"net.py:{LINE}", 'rounding_mode="floor"', "% 2"),),
        first_run="wrong",
        not_right="what a converter refuses behind an operation that has none is not known until it has one",
    ),
    Case(
        "diagonal-by-einsum",
        "I",
        "return torch.einsum('bii->bi', self.l(x))",
        normal("2, 5, 5"),
        setup="self.l = nn.Linear(5, 5)",
        first_run="right",
    ),
)
