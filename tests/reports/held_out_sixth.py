"""Held out, a sixth set, refused conversions: written with their right results before any of them ran.

Of a model that coremltools refuses as documented, two results are right: a route of the gate converts it and
the package agrees, or the refusal names the operation, its line and a way out that works. The words are of
the second.
"""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal
from tests.reports.held_out_numbers import integers

_DYNAMIC: Final = """
def quantised():
    return torch.ao.quantization.quantize_dynamic(build(), {nn.Linear}, dtype=torch.qint8)
"""
_TARGETS: Final = "torch.tensor([[1, 2, 1]]), torch.tensor([9]), torch.tensor([3])"

CASES: Final = (
    Case(
        "spectrum-and-back",
        "I",
        (
            "s = torch.stft(x, 16, 4, window=self.w, return_complex=True)\n"
            "return torch.istft(s, 16, 4, window=self.w)"
        ),
        normal("1, 64"),
        setup="self.register_buffer('w', torch.hann_window(16))",
        says=(fails("conversion", "`istft`", f"net.py:{LINE + 1}", "F.conv_transpose1d"),),
        first_run="right",
    ),
    Case(
        "filter-of-frequencies",
        "I",
        "y = torch.fft.rfft(x, dim=1)\ny = y * self.h\nreturn torch.fft.irfft(y, n=16, dim=1)",
        normal("1, 16, 4"),
        setup="self.register_buffer('h', torch.view_as_complex(torch.randn(9, 4, 2)))",
        says=(fails("conversion", "`mul`", f"net.py:{LINE + 1}", "`torch.complex(x.real * h.real -"),),
        first_run="wrong",
    ),
    Case(
        "magnitude-and-phase",
        "I",
        "c = torch.polar(F.softplus(a), b)\nreturn torch.view_as_real(c).sum(-1)",
        normal("1, 8", ", torch.randn(1, 8, generator=g)"),
        takes="a, b",
        says=(fails("conversion", "`polar`", f"net.py:{LINE}", "torch.cos("),),
        first_run="wrong",
    ),
    Case(
        "loss-of-an-alignment",
        "I",
        f"p = self.l(x).log_softmax(-1)\nreturn F.ctc_loss(p, {_TARGETS}), p",
        normal("9, 1, 8"),
        setup="self.l = nn.Linear(8, 5)",
        says=(fails("conversion", "`ctc_loss", f"net.py:{LINE + 1}", "loss"),),
        first_run="right",
    ),
    Case(
        "forces-of-an-energy",
        "I",
        (
            "with torch.enable_grad():\n"
            "    p = x.detach().requires_grad_()\n"
            "    e = self.l(p).tanh().sum()\n"
            "    return -torch.autograd.grad(e, p)[0]"
        ),
        normal("4, 3"),
        setup="self.l = nn.Linear(3, 8)",
        says=(fails("conversion", "computes a gradient", f"net.py:{LINE + 3}", "derivative"),),
        first_run="wrong",
    ),
    Case(
        "sparse-adjacency",
        "I",
        "return torch.sparse.mm(self.a, self.l(x))",
        normal("5, 8"),
        setup="self.l = nn.Linear(8, 4); self.register_buffer('a', torch.eye(5).roll(1, 0).to_sparse())",
        says=(fails("source", "`a`", "sparse", "`a.to_dense()`"),),
        first_run="wrong",
    ),
    Case(
        "dynamically-quantised",
        "I",
        "return self.o(F.relu(self.l(x)))",
        normal("2, 16"),
        setup="self.l, self.o = nn.Linear(16, 32), nn.Linear(32, 4)",
        tail=_DYNAMIC,
        options={"source": "net.py:quantised"},
        says=(fails("conversion", "linear_dynamic", "float"),),
        first_run="wrong",
    ),
    Case(
        "table-of-a-bounded-norm",
        "I",
        "return self.e(ids).sum(1)",
        integers("0, 30", "1, 6"),
        setup="self.e = nn.Embedding(30, 8, max_norm=1.0)",
        takes="ids",
        says=(fails("conversion", "`embedding_renorm", f"net.py:{LINE}", "max_norm"),),
        first_run="wrong",
    ),
    Case(
        "antialiased-thumbnail",
        "I",
        "return F.interpolate(x, size=(7, 7), mode='bicubic', antialias=True)",
        normal("1, 3, 16, 16"),
        says=(fails("conversion", "bicubic2d_aa", f"net.py:{LINE}", "`rows @ x @ columns.T`"),),
        first_run="wrong",
    ),
    Case(
        "warped-by-cubic-splines",
        "I",
        "return F.grid_sample(x, grid, mode='bicubic', align_corners=True)",
        normal("1, 2, 8, 8", ", torch.rand(1, 5, 5, 2, generator=g) * 2 - 1"),
        takes="x, grid",
        says=(fails("conversion", "not by cubic", f"net.py:{LINE}", "bilinear"),),
        first_run="right",
    ),
    Case(
        "reflected-volume",
        "I",
        "return self.c(F.pad(x, (1, 1, 1, 1, 1, 1), mode='reflect'))",
        normal("1, 2, 4, 5, 6"),
        setup="self.c = nn.Conv3d(2, 3, 3)",
        says=(fails("rules", "`pad` with mode reflect over 3 axes", "x.flatten(1, 2)"),),
        first_run="wrong",
    ),
    Case(
        "panorama",
        "I",
        "return self.c(x)",
        normal("1, 3, 8, 12"),
        setup="self.c = nn.Conv2d(3, 4, 3, padding=1, padding_mode='circular')",
        first_run="right",
    ),
    Case(
        "pool-of-a-clip",
        "I",
        "return self.l(F.adaptive_avg_pool3d(self.c(x), 1).flatten(1))",
        normal("1, 3, 4, 6, 6"),
        setup="self.c, self.l = nn.Conv3d(3, 8, 3), nn.Linear(8, 4)",
        first_run="right",
    ),
    Case(
        "length-of-a-gradient",
        "I",
        "a, b = self.c(x).chunk(2, 1)\nreturn torch.hypot(a, b)",
        normal("1, 3, 8, 8"),
        setup="self.c = nn.Conv2d(3, 4, 3, padding=1)",
        says=(fails("conversion", "`hypot`", f"net.py:{LINE + 1}", "torch.sqrt("),),
        first_run="right",
    ),
    Case(
        "angle-within-a-turn",
        "I",
        "return torch.fmod(self.l(x) * 5, 3.0)",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("conversion", "`fmod", f"net.py:{LINE}", "rounding_mode"),),
        first_run="right",
    ),
    Case(
        "images-among-words",
        "I",
        ("y = self.e(ids)\nm = (ids == 3)[..., None].expand_as(y)\nreturn y.masked_scatter(m, image)"),
        (
            "for i in range(4):\n"
            "    ids = torch.randint(4, 30, (1, 9), generator=g).int(); ids[0, i : i + 3] = 3\n"
            "    yield ids, torch.randn(3, 8, generator=g)"
        ),
        setup="self.e = nn.Embedding(30, 8)",
        takes="ids, image",
        says=(fails("conversion", "`masked_scatter`", f"net.py:{LINE + 2}", "torch.where(mask, "),),
        first_run="wrong",
    ),
    Case(
        "whitened",
        "I",
        "c = x.T @ x / x.shape[0] + 0.1 * torch.eye(4)\nreturn torch.linalg.cholesky(c)",
        normal("16, 4"),
        says=(fails("conversion", "cholesky", f"net.py:{LINE + 1}", "by columns"),),
        first_run="wrong",
    ),
    Case(
        "rotation-of-an-algebra",
        "I",
        "a = self.l(x).view(2, 3, 3)\nreturn torch.matrix_exp(a - a.transpose(1, 2))",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 9)",
        says=(fails("conversion", "matrix_exp", f"net.py:{LINE + 1}", "square it six times"),),
        first_run="wrong",
    ),
    Case(
        "collapsed-letters",
        "I",
        "return torch.unique_consecutive(self.l(x).argmax(-1))",
        normal("12, 8"),
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("conversion", "`unique_consecutive`", f"net.py:{LINE}", "[1:] != "),),
        first_run="wrong",
    ),
    Case(
        "histogram-of-an-image",
        "I",
        "return torch.histc(x, bins=8, min=0.0, max=1.0) / x.numel()",
        "for _ in range(4): yield torch.rand(1, 1, 9, 9, generator=g)",
        says=(fails("conversion", "`histc`", f"net.py:{LINE}", ".sum("),),
        first_run="right",
    ),
    Case(
        "either-mask",
        "I",
        "m = (a > 0) | (b > 0)\nreturn torch.where(m, a + b, a - b)",
        normal("2, 8", ", torch.randn(2, 8, generator=g)"),
        takes="a, b",
        says=(fails("conversion", "or", f"net.py:{LINE}", "torch.logical_or("),),
        first_run="wrong",
    ),
    Case(
        "brain-floats",
        "I",
        "return self.o(F.gelu(self.l(x.bfloat16()))).float()",
        normal("2, 16"),
        setup="self.l, self.o = nn.Linear(16, 32).bfloat16(), nn.Linear(32, 4).bfloat16()",
        says=(fails("source", "BFloat16", f"net.py:{LINE}", "instead of `.bfloat16()`"),),
        first_run="wrong",
    ),
    Case(
        "branch-of-export",
        "I",
        (
            "def up(y): return self.a(y)\n"
            "def down(y): return self.b(y)\n"
            "return torch.cond(x.sum() > 0, up, down, (x,))"
        ),
        "for s in (0.5, -0.5, 1.0, -1.0): yield torch.randn(2, 8, generator=g) * 0.1 + s",
        setup="self.a, self.b = nn.Linear(8, 4), nn.Linear(8, 4)",
        says=(fails("conversion", "cond", f"net.py:{LINE + 2}", "torch.where("),),
        first_run="wrong",
    ),
    Case(
        "exactly-the-nearest",
        "I",
        "return F.interpolate(self.c(x), size=(11, 11), mode='nearest-exact')",
        normal("1, 3, 8, 8"),
        setup="self.c = nn.Conv2d(3, 4, 3, padding=1)",
        first_run="right",
    ),
    Case(
        "spikes",
        "I",
        "return torch.heaviside(self.l(x) - 0.1, torch.tensor(0.5))",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        first_run="right",
    ),
)
