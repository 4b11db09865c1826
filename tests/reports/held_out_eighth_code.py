"""Held out, the eighth set's other half: pooling, drawing, spectra, scripts, types, Python around forward.

Written with their right results before any of them ran; what is right is said in ``held_out_eighth``.
"""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal

_SCRIPTED: Final = "def scripted():\n    return torch.jit.script(build())"
_DATACLASS: Final = """
import dataclasses


@dataclasses.dataclass
class Output:
    logits: torch.Tensor
    hidden: torch.Tensor = None
"""

CASES: Final = (
    Case(
        "mean-by-group",
        "I",
        (
            "i = group.long()[:, None].expand_as(x)\n"
            "return torch.zeros(4, 8).scatter_reduce(0, i, x, 'mean', include_self=False)"
        ),
        "for _ in range(4): yield torch.randn(9, 8, generator=g), (torch.arange(9) % 4).int()",
        takes="x, group",
        says=(fails("conversion", "`scatter_reduce", f"net.py:{LINE + 1}", "/ (index[..., None]"),),
        first_run="wrong",
    ),
    Case(
        "smaller-clip",
        "I",
        "return F.interpolate(self.c(x), size=(2, 3, 3), mode='area')",
        normal("1, 3, 6, 8, 8"),
        setup="self.c = nn.Conv3d(3, 4, 3)",
        says=(fails("conversion", "adaptive_avg_pool3d", f"net.py:{LINE}", "F.avg_pool3d"),),
        first_run="right",
    ),
    Case(
        "dilated-pool",
        "I",
        "return F.max_pool2d(self.c(x), 3, stride=1, dilation=2)",
        normal("1, 3, 9, 9"),
        setup="self.c = nn.Conv2d(3, 4, 3, padding=1)",
        says=(fails("conversion", "dilation", f"net.py:{LINE}", ".amax("),),
        first_run="wrong",
    ),
    Case(
        "divisor-of-a-pool",
        "I",
        "return F.avg_pool2d(x, 3, divisor_override=10)",
        normal("1, 3, 16, 16"),
        report="pytorch/executorch#11695",
        says=(fails("conversion", "divisor_override", f"net.py:{LINE}", "multiply the result"),),
        first_run="right",
    ),
    Case(
        "latent-of-an-encoder",
        "I",
        (
            "m, s = self.l(x).chunk(2, -1)\n"
            "z = torch.distributions.Normal(m, F.softplus(s)).rsample()\n"
            "return self.o(z)"
        ),
        normal("2, 8"),
        setup="self.l, self.o = nn.Linear(8, 8), nn.Linear(4, 4)",
        says=(fails("conversion", "normal", f"net.py:{LINE + 1}", "randn_like"),),
        first_run="wrong",
    ),
    Case(
        "entropy-of-a-categorical",
        "I",
        "return torch.distributions.Categorical(logits=self.l(x)).entropy()",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 5)",
        first_run="wrong",
    ),
    Case(
        "through-numpy",
        "I",
        "import numpy as np\ny = np.clip(x.numpy(), -0.5, 0.5)\nreturn self.l(torch.from_numpy(y))",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("parity", "numpy", f"net.py:{LINE + 1}"),),
        first_run="wrong",
    ),
    Case(
        "fake-quantised",
        "I",
        "return self.l(torch.fake_quantize_per_tensor_affine(x, 0.05, 0, -128, 127))",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("conversion", "fake_quantize_per_tensor_affine", f"net.py:{LINE}", "torch.round("),),
        first_run="wrong",
    ),
    Case(
        "bag-of-features",
        "I",
        "return self.o(self.e(ids))",
        "for _ in range(4): yield torch.randint(0, 30, (2, 6), generator=g).int()",
        takes="ids",
        setup="self.e, self.o = nn.EmbeddingBag(30, 8, mode='sum'), nn.Linear(8, 4)",
        says=(fails("conversion", "embedding_bag", f"net.py:{LINE}", "F.embedding(", ".sum("),),
        first_run="wrong",
    ),
    Case(
        "spectrogram-of-any-length",
        "I",
        "return torch.stft(x, 16, 4, window=self.w, return_complex=True).abs()",
        "for n in (64, 96, 128, 64): yield torch.randn(1, n, generator=g)",
        setup="self.register_buffer('w', torch.hann_window(16))",
        options={"input": ({"name": "x", "shape": [1, [64, 256]]},)},
        report="apple/coremltools#2211",
        first_run="right",
    ),
    Case(
        "scaled-spectrum",
        "I",
        ("s = torch.stft(x, 16, 4, window=self.w, return_complex=True)\nreturn torch.view_as_real(s / 4.0)"),
        normal("1, 64"),
        setup="self.register_buffer('w', torch.hann_window(16))",
        report="apple/coremltools#2212",
        says=(fails("conversion", "complex", f"net.py:{LINE + 1}", ".real", ".imag"),),
        first_run="right",
    ),
    Case(
        "frequencies-of-an-image",
        "I",
        "return self.c(torch.fft.rfft2(x).abs())",
        normal("1, 3, 8, 8"),
        setup="self.c = nn.Conv2d(3, 4, 1)",
        report="apple/coremltools#1311",
        says=(fails("conversion", "fft_rfft2", f"net.py:{LINE}", "torch.fft.rfftn("),),
        first_run="wrong",
    ),
    Case(
        "stable-order",
        "I",
        (
            "i = self.g(x).squeeze(-1).argsort(dim=-1, stable=True)\n"
            "return x.gather(1, i[..., None].expand_as(x))"
        ),
        normal("2, 6, 8"),
        setup="self.g = nn.Linear(8, 1)",
        says=(fails("conversion", "sort", f"net.py:{LINE}", "leave `stable` out"),),
        first_run="wrong",
    ),
    Case(
        "queries-in-groups",
        "I",
        (
            "q = self.q(x).view(1, 6, 4, 8).transpose(1, 2)\n"
            "k = self.k(x).view(1, 6, 2, 8).transpose(1, 2)\n"
            "return F.scaled_dot_product_attention(q, k, k, is_causal=True, enable_gqa=True)"
        ),
        normal("1, 6, 16"),
        setup="self.q, self.k = nn.Linear(16, 32), nn.Linear(16, 16)",
        first_run="right",
    ),
    Case(
        "autocast-inside",
        "I",
        (
            "with torch.autocast('cpu', dtype=torch.bfloat16):\n"
            "    y = F.gelu(self.l(x))\n"
            "return self.o(y.float())"
        ),
        normal("2, 16"),
        setup="self.l, self.o = nn.Linear(16, 32), nn.Linear(32, 4)",
        says=(fails("conversion", "autocast", f"net.py:{LINE + 1}", "disable"),),
        first_run="wrong",
    ),
    Case(
        "counted-calls",
        "I",
        "self.n.add_(1)\nreturn self.l(x) * (self.n > 0)",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4); self.register_buffer('n', torch.zeros(1, dtype=torch.long))",
        options={"deployment_target": "iOS18"},
        first_run="right",
    ),
    Case(
        "output-of-a-dataclass",
        "I",
        "return Output(self.l(x))",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        tail=_DATACLASS,
        first_run="right",
    ),
    Case(
        "scripted-dictionary",
        "I",
        "d = {'a': self.l(x), 'b': x}\nreturn torch.relu(d['a']) + d['b'].sum()",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4)",
        tail=_SCRIPTED,
        options={"source": "net.py:scripted"},
        report="apple/coremltools#1767",
        says=(fails("conversion", "dict", f"net.py:{LINE + 1}", "builds the module"),),
        first_run="wrong",
    ),
    Case(
        "scripted-check",
        "I",
        "if x.shape[0] > 4:\n    raise ValueError('too many')\nreturn torch.relu(self.l(x))",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4)",
        tail=_SCRIPTED,
        options={"source": "net.py:scripted"},
        says=(fails("conversion", "raise", f"net.py:{LINE + 1}", "builds the module"),),
        first_run="wrong",
    ),
    Case(
        "scripted-lstm",
        "I",
        "return self.r(x)[0]",
        normal("1, 5, 8"),
        setup="self.r = nn.LSTM(8, 6, batch_first=True)",
        tail=_SCRIPTED,
        options={"source": "net.py:scripted"},
        report="apple/coremltools#1171",
        says=(fails("conversion", "script", "builds the module"),),
        first_run="wrong",
    ),
)
