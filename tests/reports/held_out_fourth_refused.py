"""Held out, a fourth set, kinds I to N: written with their right results before they ran."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal
from tests.reports.held_out_interface import TEAM
from tests.reports.held_out_numbers import integers

_SCRIPTED: Final = "def scripted():\n    return torch.jit.script(build())"
_EXPORTED: Final = "def exported():\n    return torch.export.export(build(), (torch.zeros(1, 8),))"
_FUNCTIONS: Final = """
import coremltools as ct
import torch


def to_coreml(module):
    for size, name in ((1, "one"), (4, "four")):
        ct.convert(
            torch.jit.trace(module, torch.zeros(size, 8)),
            inputs=[ct.TensorType(name="x", shape=(size, 8))],
            minimum_deployment_target=ct.target.iOS18,
            skip_model_load=True,
        ).save(f"{name}.mlpackage")
    both = ct.utils.MultiFunctionDescriptor()
    both.add_function("one.mlpackage", src_function_name="main", target_function_name="one")
    both.add_function("four.mlpackage", src_function_name="main", target_function_name="four")
    both.default_function_name = "one"
    ct.utils.save_multifunction(both, "both.mlpackage")
    return "both.mlpackage"
"""
_CUSTOM: Final = """
@torch.library.custom_op("house::blur", mutates_args=())
def blur(x: torch.Tensor) -> torch.Tensor:
    return x * 0.5


@blur.register_fake
def _(x):
    return torch.empty_like(x)
"""
_GRADIENT: Final = """
class Slow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1.0

    @staticmethod
    def backward(ctx, g):
        return g * 0.1
"""

CASES: Final = (
    Case(
        "rotary-by-complex-numbers",
        "I",
        (
            "c = torch.view_as_complex(self.l(x).reshape(1, 6, 8, 2))\n"
            "return torch.view_as_real(c * self.r).flatten(2)"
        ),
        normal("1, 6, 16"),
        setup=(
            "self.l = nn.Linear(16, 16); "
            "self.r = torch.polar(torch.ones(6, 8), torch.outer(torch.arange(6.0), torch.rand(8)))"
        ),
        says=(fails("conversion", "`view_as_complex`", f"net.py:{LINE}", "cos"),),
        first_run="wrong",
    ),
    Case(
        "overlapped-frames",
        "I",
        "return F.fold(self.l(x).transpose(1, 2), (1, 40), (1, 8), stride=(1, 4))",
        normal("1, 9, 8"),
        setup="self.l = nn.Linear(8, 8)",
        says=(fails("conversion", "fold", f"net.py:{LINE}", "F.conv_transpose"),),
        first_run="right",
    ),
    Case(
        "unpooled",
        "I",
        "y, i = F.max_pool2d(self.c(x), 2, return_indices=True)\nreturn F.max_unpool2d(F.relu(y), i, 2)",
        normal("1, 3, 8, 8"),
        setup="self.c = nn.Conv2d(3, 4, 3, padding=1)",
        says=(fails("conversion", "max_unpool2d", f"net.py:{LINE + 1}", "== F.interpolate("),),
        first_run="wrong",
    ),
    Case(
        "grid-of-a-volume",
        "I",
        "return F.grid_sample(x, grid, align_corners=False)",
        normal("1, 2, 4, 4, 4", ", torch.rand(1, 3, 3, 3, 3, generator=g) - 0.5"),
        takes="x, grid",
        says=(fails("conversion", "grid_sampler", f"net.py:{LINE}", "4 axes"),),
        first_run="wrong",
    ),
    Case(
        "resized-volume",
        "I",
        "return F.interpolate(self.c(x), scale_factor=2, mode='trilinear')",
        normal("1, 2, 4, 4, 4"),
        setup="self.c = nn.Conv3d(2, 3, 3, padding=1)",
        first_run="right",
    ),
    Case(
        "log-gamma",
        "I",
        "return torch.lgamma(F.softplus(self.l(x)) + 1)",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 8)",
        says=(fails("conversion", "`lgamma`", f"net.py:{LINE}", "torch.log("),),
        first_run="wrong",
    ),
    Case(
        "shifted-bits",
        "I",
        "return (x << 2) + 1",
        integers("0, 99", "1, 8"),
        says=(fails("conversion", "lshift", f"net.py:{LINE}", "x * 2**n"),),
        first_run="wrong",
    ),
    Case(
        "operation-of-the-house",
        "I",
        "return self.l(torch.ops.house.blur(x))",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 8)",
        tail=_CUSTOM,
        says=(fails("conversion", "blur", f"net.py:{LINE}", "register_torch_op"),),
        first_run="right",
    ),
    Case(
        "boundaries",
        "I",
        "return self.e(torch.searchsorted(self.b, x))",
        normal("1, 8"),
        setup="self.e = nn.Embedding(6, 4); self.register_buffer('b', torch.arange(5.0) - 2)",
        says=(fails("conversion", "searchsorted", f"net.py:{LINE}", "> boundaries).sum(-1)"),),
        first_run="wrong",
    ),
    Case(
        "sum-by-einsum",
        "I",
        "return torch.einsum('bij->', self.l(x))",
        normal("1, 3, 3"),
        setup="self.l = nn.Linear(3, 3)",
        report="apple/coremltools#2845",
        first_run="right",
    ),
    Case(
        "outer-product-of-positions",
        "I",
        "t = torch.einsum('..., f -> ... f', x, self.f)\nreturn torch.cat([t.sin(), t.cos()], -1)",
        normal("1, 5"),
        setup="self.register_buffer('f', torch.rand(4))",
        report="apple/coremltools#2644",
        first_run="right",
    ),
    Case(
        "determinant",
        "I",
        "return torch.linalg.det(self.l(x))",
        normal("3, 3"),
        setup="self.l = nn.Linear(3, 3)",
        says=(fails("conversion", "`linalg_det`", f"net.py:{LINE}", "small"),),
        first_run="wrong",
    ),
    Case(
        "counted-ids",
        "I",
        "return torch.bincount(x.flatten(), minlength=6)",
        integers("0, 6", "1, 12"),
        says=(fails("conversion", "`bincount`", f"net.py:{LINE}", "== "),),
        first_run="wrong",
    ),
    Case(
        "greatest-by-group",
        "I",
        "return torch.zeros(2, 4).scatter_reduce(1, i.long(), x, 'amax', include_self=False)",
        "for _ in range(4): yield torch.rand(2, 9, generator=g), (torch.arange(9) % 4).expand(2, 9).int()",
        takes="x, i",
        says=(fails("conversion", "`scatter_reduce", f"net.py:{LINE}", "amax"),),
        first_run="wrong",
    ),
    Case(
        "slow-gradient",
        "I",
        "return self.l(Slow.apply(x))",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 8)",
        tail=_GRADIENT,
        report="apple/coremltools#2051",
        first_run="right",
    ),
    Case(
        "filled-columns",
        "I",
        "return self.l(x).index_fill(1, self.i, 0.0)",
        normal("2, 9"),
        setup="self.l = nn.Linear(9, 9); self.register_buffer('i', torch.tensor([1, 3]))",
        says=(fails("conversion", "`index_fill", f"net.py:{LINE}", "torch.where("),),
        first_run="wrong",
    ),
    Case(
        "loudest-sample-is-one",
        "I",
        "p = x.abs().max()\nif p > 1:\n    x = x / p\nreturn x * 0.5",
        "for s in (0.1, 0.2, 3.0, 0.1): yield torch.rand(1, 16, generator=g) * s",
        says=(fails("parity", f"net.py:{LINE + 1}", "torch.where"),),
        first_run="right",
    ),
    Case(
        "length-of-a-tensor",
        "I",
        "n = int(lengths[0])\nreturn x[:, :n].sum(1)",
        "for n in (3, 5, 8, 2): yield torch.randn(1, 8, 4, generator=g), torch.tensor([n]).int()",
        takes="x, lengths",
        says=(fails("parity", f"net.py:{LINE}", "mask"),),
        first_run="wrong",
    ),
    Case(
        "median-as-a-quantile",
        "I",
        "return torch.quantile(self.l(x), 0.5, dim=1)",
        normal("2, 9"),
        setup="self.l = nn.Linear(9, 9)",
        first_run="right",
    ),
    Case(
        "scripted",
        "J",
        "return torch.relu(self.l(x))",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4)",
        tail=_SCRIPTED,
        options={"source": "net.py:scripted"},
        first_run="right",
    ),
    Case(
        "exported",
        "J",
        "return torch.relu(self.l(x))",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4)",
        tail=_EXPORTED,
        options={"source": "net.py:exported"},
        first_run="right",
    ),
    Case(
        "samples-by-name",
        "J",
        "return self.l(x) * scale",
        "for _ in range(4): yield {'scale': torch.rand(1, 4), 'x': torch.randn(1, 8, generator=g)}",
        setup="self.l = nn.Linear(8, 4)",
        takes="x, scale",
        first_run="right",
    ),
    Case(
        "two-functions",
        "J",
        "return torch.relu(self.l(x))",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4)",
        options=TEAM | {"deployment_target": "iOS18"},
        script=_FUNCTIONS,
        first_run="right",
    ),
    Case(
        "streamed-convolution",
        "J",
        "y = torch.cat([self.b, x], 2)\nself.b.copy_(y[:, :, -4:])\nreturn self.c(y)",
        normal("1, 32, 8"),
        setup="self.c = nn.Conv1d(32, 8, 5); self.register_buffer('b', torch.zeros(1, 32, 4))",
        options={"deployment_target": "iOS18"},
        first_run="right",
    ),
    Case(
        "running-mean",
        "J",
        "self.m.mul_(0.9).add_(0.1 * x)\nreturn x - self.m",
        normal("1, 32"),
        setup="self.register_buffer('m', torch.zeros(1, 32))",
        says=(fails("conversion", "iOS 18"),),
        first_run="right",
    ),
    Case(
        "long-ids",
        "J",
        "return self.e(ids).mean(1)",
        "for _ in range(4): yield torch.randint(0, 50, (1, 12), generator=g)",
        setup="self.e = nn.Embedding(50, 8)",
        takes="ids",
        first_run="right",
    ),
    Case(
        "bytes-of-an-image",
        "J",
        "return self.c(x.float() / 255).mean((2, 3))",
        "for _ in range(4): yield torch.randint(0, 256, (1, 3, 9, 9), generator=g, dtype=torch.uint8)",
        setup="self.c = nn.Conv2d(3, 4, 3)",
        first_run="right",
    ),
    Case(
        "source-in-halves",
        "J",
        "return self.o(F.gelu(self.l(x)))",
        normal("1, 16", ".half()"),
        setup="self.l, self.o = nn.Linear(16, 32).half(), nn.Linear(32, 8).half()",
        first_run="right",
    ),
    Case(
        "power-of-samples",
        "L",
        "y = x * 32767\ns = F.conv1d(y, self.k).square()\nreturn torch.log10(s.mean(-1) + 1)",
        "for _ in range(4): yield torch.rand(1, 1, 400, generator=g) * 2 - 1",
        setup="self.register_buffer('k', torch.randn(8, 1, 16) / 4)",
        says=(fails("precision"), fails("hazards", f"net.py:{LINE + 1}", "65,504")),
        first_run="right",
    ),
    Case(
        "sum-before-the-mean",
        "L",
        "return x.sum((2, 3)) / (x.shape[2] * x.shape[3])",
        "for _ in range(4): yield torch.rand(1, 2, 128, 128, generator=g) * 20",
    ),
    Case(
        "expanded-distances",
        "L",
        (
            "a = (x * x).sum(-1, keepdim=True)\n"
            "b = (y * y).sum(-1, keepdim=True).transpose(1, 2)\n"
            "return torch.exp(-(a + b - 2 * x @ y.transpose(1, 2)))"
        ),
        "for _ in range(4):\n    m = torch.randn(1, 8, 4, generator=g) / 4 + 30\n    yield m, m.flip(1)",
        takes="x, y",
        says=(fails("precision"), fails("hazards", f"net.py:{LINE + 2}", "cancel")),
        first_run="right",
    ),
    Case(
        "norm-plus-a-small-number",
        "L",
        "return x / (x.norm(dim=-1, keepdim=True) + 1e-8)",
        "for _ in range(4): yield torch.cat([torch.randn(1, 3, 16, generator=g), torch.zeros(1, 1, 16)], 1)",
    ),
    Case(
        "no-cuda-here",
        "M",
        "return self.l(x) + torch.zeros(1, 4, device='cuda')",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("source", f"net.py:{LINE}", "CUDA", "device=x.device"),),
        first_run="right",
    ),
    Case(
        "weights-that-are-not-there",
        "M",
        "return self.l(x)",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4); self.load_state_dict(torch.load('weights/net.pt'))",
        says=(fails("source", "weights/net.pt", "net.py:10", "commit the file"),),
        first_run="right",
    ),
    Case(
        "samples-too-narrow",
        "M",
        "return self.l(x)",
        normal("1, 7"),
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("source", "1x7 and 8x4", f"net.py:{LINE}"),),
        first_run="right",
    ),
    Case(
        "sample-of-another-name",
        "M",
        "return self.l(x)",
        "for _ in range(4): yield {'y': torch.randn(1, 8, generator=g)}",
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("source", "`y`"),),
        first_run="right",
    ),
    Case(
        "no-samples",
        "M",
        "return self.l(x)",
        "yield from ()",
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("source", "samples"),),
        first_run="right",
    ),
    Case(
        "least-number-as-a-mask",
        "N",
        (
            "b = (1 - m.float()) * torch.finfo(torch.float32).min\n"
            "return (self.q(x) @ x.transpose(1, 2) + b[:, None]).softmax(-1) @ x"
        ),
        normal("1, 6, 16", ", (torch.arange(6) < 4).int()[None]"),
        setup="self.q = nn.Linear(16, 16)",
        takes="x, m",
        report="apple/coremltools#2669",
        says=(fails("precision"), fails("hazards", f"net.py:{LINE}")),
        first_run="right",
    ),
    Case(
        "softmax-by-hand",
        "N",
        "s = self.q(x) @ x.transpose(1, 2) * 6\ne = torch.exp(s)\nreturn e / e.sum(-1, keepdim=True) @ x",
        normal("1, 8, 32"),
        setup="self.q = nn.Linear(32, 32)",
        says=(fails("precision"), fails("hazards", f"net.py:{LINE + 1}", "65,504")),
        first_run="right",
    ),
    Case(
        "phase-of-a-tone",
        "N",
        "return torch.sin(torch.cumsum(f, -1) * (6.2831853 / 16000))",
        "for _ in range(4): yield torch.rand(1, 4000, generator=g) * 300 + 100",
        takes="f",
        says=(fails("precision"), fails("hazards", f"net.py:{LINE}", "cumsum")),
        first_run="right",
    ),
    Case(
        "logits-times-a-temperature",
        "N",
        "return (self.l(x) * 40000).softmax(-1)",
        normal("4, 32"),
        setup="self.l = nn.Linear(32, 8)",
    ),
)
