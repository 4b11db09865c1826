"""Held out, an eleventh set, of the kinds that failed in the tenth.

Written after the repairs, before they ran. What is right is said in ``held_out_tenth``.
"""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal
from tests.reports.held_out_interface import TEAM

_CHANNELS: Final = """
def quantised():
    from torch.ao.quantization import QConfig, QuantStub, DeQuantStub, convert, prepare
    from torch.ao.quantization import MinMaxObserver, default_per_channel_weight_observer
    net = Net().eval()
    net.before, net.after = QuantStub(), DeQuantStub()
    net.qconfig = QConfig(activation=MinMaxObserver, weight=default_per_channel_weight_observer)
    ready = prepare(net)
    ready(torch.randn(8, 3, 8, 8))
    return convert(ready)
"""
_HALF_SIZE: Final = """
import coremltools as ct
import numpy as np
import torch


def to_coreml(module):
    ids = ct.TensorType(name="ids", shape=(1, 12), dtype=np.int32)
    gain = ct.TensorType(name="gain", shape=(1, 1), dtype=np.int32)
    traced = torch.jit.trace(module, (torch.zeros(1, 12).int(), torch.ones(1, 1)))
    return ct.convert(traced, inputs=[ids, gain], skip_model_load=True)
"""

CASES: Final = (
    Case(
        "pyramid-as-a-list",
        "I",
        "a, b = features\nreturn self.c(a) + F.interpolate(self.c(b), scale_factor=2)",
        "for _ in range(4): yield ([torch.randn(1, 3, n, n, generator=g) for n in (8, 4)],)",
        takes="features",
        setup="self.c = nn.Conv2d(3, 4, 1)",
        says=(fails("source", "`features`", "list", "return self.model([features_0, features_1])"),),
        first_run="right",
    ),
    Case(
        "strength-as-a-number",
        "I",
        "return x + strength * self.l(x)",
        "for s in (0.5, 0.1, 0.9, 0.5): yield {'x': torch.randn(2, 8, generator=g), 'strength': s}",
        takes="x, strength",
        setup="self.l = nn.Linear(8, 8)",
        says=(fails("source", "`strength`", "float", "torch.tensor([0.5])"),),
        first_run="right",
    ),
    Case(
        "spectrum-of-a-window-that-is-real",
        "I",
        "return torch.fft.ifft(self.l(x)).real",
        normal("2, 16"),
        setup="self.l = nn.Linear(16, 16)",
        says=(fails("conversion", "ifft", f"net.py:{LINE}", "torch.zeros_like("),),
        first_run="right",
    ),
    Case(
        "tokens-as-often-as-counted",
        "I",
        "y = self.e(ids)\nreturn y.repeat_interleave(n, dim=0).cumsum(0)",
        (
            "for _ in range(4): yield torch.randint(0, 9, (3,), generator=g).int(), "
            "torch.tensor([2, 1, 4]).int()"
        ),
        takes="ids, n",
        setup="self.e = nn.Embedding(9, 4)",
        says=(fails("conversion", "repeat_interleave", f"net.py:{LINE + 1}", ".cumsum("),),
        first_run="right",
    ),
    Case(
        "window-of-a-cache",
        "I",
        "k = torch.cat([cache, self.l(x)], 1)\nreturn torch.narrow(k, 1, end[0] - 4, 4)",
        (
            "for n in (5, 7, 9, 6): yield torch.randn(1, 2, 4, generator=g), "
            "torch.randn(1, 8, 4, generator=g), torch.tensor([n])"
        ),
        takes="x, cache, end",
        setup="self.l = nn.Linear(4, 4)",
        says=(fails("conversion", "narrow", f"net.py:{LINE + 1}", "torch.arange("),),
        first_run="right",
    ),
    Case(
        "mean-of-pieces",
        "I",
        "return self.l(torch.segment_reduce(x, 'mean', lengths=n, axis=0))",
        "for _ in range(4): yield torch.randn(6, 4, generator=g), torch.tensor([2, 3, 1])",
        takes="x, n",
        setup="self.l = nn.Linear(4, 4)",
        says=(fails("conversion", "segment_reduce", f"net.py:{LINE}", "/ lengths[:, None]"),),
        first_run="right",
    ),
    Case(
        "mean-bags-by-offsets",
        "I",
        "return self.e(ids, offsets)",
        "for k in (2, 4, 5, 3): yield torch.randint(0, 30, (8,), generator=g), torch.tensor([0, k])",
        takes="ids, offsets",
        setup="self.e = nn.EmbeddingBag(30, 8, mode='mean')",
        says=(fails("conversion", "embedding_bag", f"net.py:{LINE}", "offsets[:, None]", "/"),),
        first_run="wrong",
    ),
    Case(
        "field-of-a-ring",
        "I",
        "return torch.special.bessel_j1(self.l(x)) + torch.special.erfcx(x.abs())[:, :4]",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("conversion", "bessel_j1", "erfcx", f"net.py:{LINE}", "math.factorial(", "torch.erf("),),
        first_run="right",
    ),
    Case(
        "quantised-by-channel",
        "I",
        "return self.after(F.relu(self.c(self.before(x))))",
        normal("1, 3, 8, 8"),
        setup="self.c = nn.Conv2d(3, 4, 3)",
        tail=_CHANNELS,
        options={"source": "net.py:quantised"},
        first_run="right",
    ),
    Case(
        "whole-gain-of-a-script",
        "D",
        "return self.e(ids).mean(1) * gain",
        (
            "for s in (0.7, 1.4, 2.2, 0.7): yield torch.randint(0, 9, (1, 12), generator=g).int(), "
            "torch.full((1, 1), s)"
        ),
        takes="ids, gain",
        setup="self.e = nn.Embedding(9, 16)",
        options=TEAM,
        script=_HALF_SIZE,
        says=(fails("parity", "`gain`", "int32", "float32"),),
        first_run="right",
    ),
)
