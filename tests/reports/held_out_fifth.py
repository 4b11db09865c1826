"""Held out, a fifth set: written with their right results after the repairs that followed the fourth."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal, warns
from tests.reports.held_out_interface import PIXELS, TEAM, image_input, script
from tests.reports.held_out_numbers import integers

_GREY_OUT: Final = """
import coremltools as ct
import torch


def to_coreml(module, compute_precision=None):
    return ct.convert(
        torch.jit.trace(module, torch.zeros(1, 3, 24, 24)),
        inputs=[ct.ImageType(name="image", shape=(1, 3, 24, 24), scale=1 / 255)],
        outputs=[ct.ImageType(name="mask", color_layout=ct.colorlayout.GRAYSCALE)],
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=compute_precision,
        skip_model_load=True,
    )
"""
_FOUR_BITS: Final = """
import coremltools as ct
import coremltools.optimize.coreml as cto
import torch


def to_coreml(module):
    model = ct.convert(
        torch.jit.trace(module, torch.zeros(1, 96)),
        inputs=[ct.TensorType(name="x", shape=(1, 96))],
        minimum_deployment_target=ct.target.iOS17,
        skip_model_load=True,
    )
    few = cto.OpPalettizerConfig(mode="uniform", nbits=1)
    return cto.palettize_weights(model, cto.OptimizationConfig(global_config=few))
"""

CASES: Final = (
    Case(
        "one-output-too-many",
        "A",
        "y = self.l(x)\nreturn torch.softmax(y, 1), y.argmax(1)",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 3)",
        options=TEAM,
        script=script('["a", "b", "c"]'),
        says=(fails("conversion", "return the scores alone"),),
        first_run="wrong",
    ),
    Case(
        "scores-of-two",
        "A",
        "s = torch.sigmoid(self.l(x))\nreturn torch.cat([1 - s, s], 1)",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 1)",
        options=TEAM,
        script=script('["no", "yes"]'),
        first_run="right",
    ),
    Case(
        "windows-of-a-frozen-count",
        "B",
        "n = int(x.shape[1])\nreturn torch.stack([x[:, i : i + 4].mean(1) for i in range(0, n, 4)], 1)",
        normal("1, 16, 6"),
        options={"conversion": "trace", "input": ({"name": "x", "shape": [1, [8, 32], 6]},)},
        says=(fails("parity", f"net.py:{LINE}"),),
        first_run="right",
    ),
    Case(
        "convolution-and-attention-over-a-range",
        "B",
        (
            "y = F.gelu(self.c(x.transpose(1, 2))).transpose(1, 2)\n"
            "return F.scaled_dot_product_attention(y, y, y) + x"
        ),
        normal("1, 10, 8"),
        setup="self.c = nn.Conv1d(8, 8, 3, padding=1)",
        options={"input": ({"name": "x", "shape": [1, [4, 40], 8]},)},
        first_run="right",
    ),
    Case(
        "mask-as-a-grey-image",
        "C",
        "return torch.sigmoid(self.c(image)) * 255",
        f"for _ in range(4): yield {PIXELS} / 255",
        setup="self.c = nn.Conv2d(3, 1, 3, padding=1)",
        takes="image",
        options=TEAM | image_input(1 / 255),
        script=_GREY_OUT,
        first_run="right",
    ),
    Case(
        "one-bit-of-a-team",
        "D",
        "return self.o(F.relu(self.l(x)))",
        normal("1, 96"),
        setup="self.l, self.o = nn.Linear(96, 96), nn.Linear(96, 32)",
        options=TEAM,
        script=_FOUR_BITS,
        says=(fails("parity", "more bits"),),
        first_run="wrong",
    ),
    Case(
        "doubled-by-the-script",
        "D",
        "return self.l(x)",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 3)",
        options=TEAM,
        script=script(before="old = module.forward; module.forward = lambda x: old(x) * 2"),
        says=(fails("parity", "computes the source's `output_0` times 2", "remove that step"),),
        first_run="right",
    ),
    Case(
        "modulo-of-floats",
        "E",
        "return torch.remainder(x * 3, 2.0)",
        "for _ in range(4): yield torch.rand(1, 16, generator=g) * 4 - 2",
        first_run="right",
    ),
    Case(
        "counter-of-bits",
        "E",
        "return (x * 65537 + 12345) % 65521",
        integers("1, 60000", "1, 8"),
        says=(fails("parity", f"net.py:{LINE}", "2^24"),),
        first_run="right",
    ),
    Case(
        "zero-mean-of-rows",
        "G",
        "y = self.l(x)\nreturn (y - y.mean(-1, keepdim=True)).sum(-1), y",
        normal("4, 16"),
        setup="self.l = nn.Linear(16, 32)",
        first_run="right",
    ),
    Case(
        "entropy",
        "H",
        "p = self.l(x).softmax(-1)\nreturn -(p * torch.log(p + 1e-6)).sum(-1)",
        normal("4, 16"),
        setup="self.l = nn.Linear(16, 10)",
        first_run="right",
    ),
    Case(
        "cross-entropy-inside",
        "H",
        "return F.log_softmax(self.l(x) * 2, -1)[:, :3]",
        normal("4, 16"),
        setup="self.l = nn.Linear(16, 10)",
        first_run="right",
    ),
    Case(
        "gumbel",
        "I",
        "return F.gumbel_softmax(self.l(x), hard=False)",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 6)",
        says=(fails("conversion", "exponential", f"net.py:{LINE}", "torch.rand_like"),),
        first_run="right",
    ),
    Case(
        "eigenvalues",
        "I",
        "y = self.l(x)\nreturn torch.linalg.eigh(y + y.T)[0]",
        normal("4, 4"),
        setup="self.l = nn.Linear(4, 4)",
        says=(fails("conversion", "linalg_eigh", f"net.py:{LINE + 1}", "`__init__`"),),
        first_run="right",
    ),
    Case(
        "most-frequent",
        "I",
        "return torch.mode(x, 1)[0].float()",
        integers("0, 4", "2, 9"),
        says=(fails("conversion", "`mode", f"net.py:{LINE}", "argmax"),),
        first_run="wrong",
    ),
    Case(
        "upper-triangle",
        "I",
        "i = torch.triu_indices(4, 4)\nreturn (x @ x.transpose(1, 2))[:, i[0], i[1]]",
        normal("1, 4, 6"),
        notes=("decomposes `triu_indices` further",),
        first_run="right",
    ),
    Case(
        "negative-padding",
        "I",
        "return F.pad(self.l(x), (-1, -2))",
        normal("2, 9"),
        setup="self.l = nn.Linear(9, 9)",
        says=(fails("conversion", "pad", f"net.py:{LINE}", "slice"),),
        first_run="wrong",
    ),
    Case(
        "correlations",
        "I",
        "return torch.corrcoef(self.l(x))",
        normal("3, 9"),
        setup="self.l = nn.Linear(9, 9)",
        says=(fails("conversion", "corrcoef", f"net.py:{LINE}", "mean("),),
        first_run="wrong",
    ),
    Case(
        "swapped-halves-of-a-spectrum",
        "I",
        "return torch.fft.fftshift(self.l(x), dim=-1)",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 8)",
        says=(fails("conversion", "fft_fftshift", f"net.py:{LINE}", "torch.roll"),),
        first_run="wrong",
    ),
    Case(
        "threshold-of-a-batch",
        "I",
        "m = x.mean()\nreturn torch.relu(x) if float(m) > 0 else torch.tanh(x)",
        "for s in (0.5, 1.0, -0.5, 0.7): yield torch.randn(2, 8, generator=g) * 0.1 + s",
        says=(fails("parity", f"net.py:{LINE + 1}", "torch.where"),),
        first_run="right",
    ),
    Case(
        "nested-lists",
        "J",
        "return [self.l(x), [self.l(x).relu(), x.sum(1)]]",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        first_run="right",
    ),
    Case(
        "two-streams-of-state",
        "J",
        "self.a.copy_(self.a * 0.5 + x)\nself.b.copy_(self.b + self.a)\nreturn self.a + self.b",
        normal("1, 32"),
        setup="self.register_buffer('a', torch.zeros(1, 32)); self.register_buffer('b', torch.zeros(1, 32))",
        options={"deployment_target": "iOS18"},
        first_run="right",
    ),
    Case(
        "chunks-of-a-gate",
        "K",
        (
            "i, f, o, c = self.l(x).chunk(4, 1)\n"
            "return o.sigmoid() * torch.tanh(f.sigmoid() + i.sigmoid() * c.tanh())"
        ),
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 32)",
        first_run="right",
    ),
    Case(
        "scaled-in-place",
        "K",
        "y = self.l(x)\ny *= 0.5\ny += 1\nreturn y.clamp_(-1, 2)",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 6)",
        first_run="right",
    ),
    Case(
        "difference-of-large-sums",
        "L",
        "a = (x + 300).cumsum(-1)\nreturn a[..., 1:] - a[..., :-1]",
        normal("2, 64"),
        says=(warns("precision"), fails("hazards", f"net.py:{LINE + 1}", "cancel")),
    ),
    Case(
        "module-of-a-typo",
        "M",
        "return self.l(x)",
        normal("1, 8"),
        setup="self.k = nn.Linear(8, 4)",
        says=(fails("source", "no attribute 'l'", f"net.py:{LINE}"),),
        first_run="right",
    ),
    Case(
        "cubic-energy",
        "N",
        "return torch.sqrt(torch.relu((x * 60) ** 3).mean(-1))",
        normal("2, 32"),
        says=(fails("precision"), fails("hazards", f"net.py:{LINE}", "65,504")),
        first_run="right",
    ),
    Case(
        "recurrent-tagger",
        "S",
        "y = self.e(ids)\nreturn self.o(self.r(y)[0])",
        integers("0, 30", "1, 9"),
        setup=(
            "self.e, self.o = nn.Embedding(30, 8), nn.Linear(16, 5); "
            "self.r = nn.GRU(8, 8, batch_first=True, bidirectional=True)"
        ),
        takes="ids",
        first_run="right",
    ),
    Case(
        "inception",
        "S",
        "return torch.cat([self.a(x), self.c(self.b(x)), self.p(F.max_pool2d(x, 3, 1, 1))], 1)",
        normal("1, 8, 9, 9"),
        setup=(
            "self.a, self.b, self.p = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1); "
            "self.c = nn.Conv2d(4, 6, 3, padding=1)"
        ),
        first_run="right",
    ),
    Case(
        "gated-time-series",
        "S",
        "y = F.pad(x, (4, 0))\nreturn self.o(torch.tanh(self.a(y)) * torch.sigmoid(self.b(y))) + x",
        normal("1, 4, 30"),
        setup=(
            "self.a, self.b = nn.Conv1d(4, 8, 3, dilation=2), nn.Conv1d(4, 8, 3, dilation=2); "
            "self.o = nn.Conv1d(8, 4, 1)"
        ),
        first_run="right",
    ),
    Case(
        "residual-quantiser",
        "S",
        ("d = (x[:, :, None] - self.c).pow(2).sum(-1)\nreturn self.c[d.argmin(-1)]"),
        normal("1, 5, 4"),
        setup="self.register_buffer('c', torch.randn(6, 4) * 2)",
        first_run="right",
    ),
    Case(
        "low-rank-adapter",
        "S",
        "return self.l(x) + self.b(self.a(x)) * 0.25",
        normal("2, 32"),
        setup=(
            "self.l, self.a = nn.Linear(32, 32), nn.Linear(32, 4, bias=False); "
            "self.b = nn.Linear(4, 32, bias=False)"
        ),
        first_run="right",
    ),
    Case(
        "depth-from-two-views",
        "S",
        (
            "f, h = self.c(a), self.c(b)\n"
            "v = torch.stack([(f[..., 3:] * h[..., 3 - i : h.shape[-1] - i]).mean(1) for i in range(4)], 1)\n"
            "return (v.softmax(1) * torch.arange(4.0)[None, :, None, None]).sum(1)"
        ),
        normal("1, 3, 8, 12", ", torch.randn(1, 3, 8, 12, generator=g)"),
        setup="self.c = nn.Conv2d(3, 8, 3, padding=1)",
        takes="a, b",
        first_run="right",
    ),
)
