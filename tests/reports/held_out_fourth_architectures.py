"""Held out, a fourth set: sound models of many architectures, on which the gate has to be silent."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal

CASES: Final = (
    Case(
        "convnext",
        "S",
        (
            "y = self.d(x).permute(0, 2, 3, 1)\n"
            "y = self.b(F.gelu(self.a(self.n(y)))) * self.g\n"
            "return x + y.permute(0, 3, 1, 2)"
        ),
        normal("1, 8, 9, 9"),
        setup=(
            "self.d, self.n = nn.Conv2d(8, 8, 7, padding=3, groups=8), nn.LayerNorm(8, eps=1e-6); "
            "self.a, self.b = nn.Linear(8, 32), nn.Linear(32, 8); "
            "self.g = nn.Parameter(torch.full((8,), 1e-6))"
        ),
        first_run="right",
    ),
    Case(
        "vision-transformer",
        "S",
        (
            "y = self.c(x).flatten(2).transpose(1, 2)\n"
            "y = torch.cat([self.t.expand(x.shape[0], -1, -1), y], 1) + self.p\n"
            "return self.h(self.n(self.e(y))[:, 0])"
        ),
        normal("1, 3, 16, 16"),
        setup=(
            "self.c, self.h, self.n = nn.Conv2d(3, 16, 4, 4), nn.Linear(16, 5), nn.LayerNorm(16); "
            "self.t, self.p = nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.randn(1, 17, 16)); "
            "self.e = nn.TransformerEncoderLayer(16, 2, 32, activation='gelu', batch_first=True, "
            "norm_first=True)"
        ),
        first_run="right",
    ),
    Case(
        "conformer-convolution",
        "S",
        (
            "y = F.glu(self.a(self.n(x).transpose(1, 2)), 1)\n"
            "return x + self.c(F.silu(self.b(self.d(y)))).transpose(1, 2)"
        ),
        normal("1, 12, 8"),
        setup=(
            "self.n, self.a, self.c = nn.LayerNorm(8), nn.Conv1d(8, 16, 1), nn.Conv1d(8, 8, 1); "
            "self.d, self.b = nn.Conv1d(8, 8, 5, padding=2, groups=8), nn.BatchNorm1d(8)"
        ),
        first_run="right",
    ),
    Case(
        "mobile-block",
        "S",
        (
            "y = F.hardswish(self.b(self.a(x)))\n"
            "y = y * F.hardsigmoid(self.f(F.relu(self.e(F.adaptive_avg_pool2d(y, 1)))))\n"
            "return x + self.c(y)"
        ),
        normal("1, 8, 8, 8"),
        setup=(
            "self.a, self.b, self.c = nn.Conv2d(8, 16, 1), nn.Conv2d(16, 16, 3, 1, 1, groups=16), "
            "nn.Conv2d(16, 8, 1); self.e, self.f = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)"
        ),
        first_run="right",
    ),
    Case(
        "speech-denoiser",
        "S",
        (
            "y = F.glu(self.b(F.relu(self.a(x))), 1)\n"
            "z = self.r(y.transpose(1, 2))[0].transpose(1, 2)\n"
            "return self.t(F.relu(y + z))[..., : x.shape[-1]]"
        ),
        normal("1, 1, 64"),
        setup=(
            "self.a, self.b = nn.Conv1d(1, 8, 8, 4), nn.Conv1d(8, 16, 1); "
            "self.r, self.t = nn.LSTM(8, 8, batch_first=True), nn.ConvTranspose1d(8, 1, 8, 4)"
        ),
        first_run="right",
    ),
    Case(
        "llama-block",
        "S",
        (
            "n = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.w\n"
            "q, k, v = (f(n).view(1, 6, 2, 8).transpose(1, 2) for f in (self.q, self.k, self.v))\n"
            "q, k = (a * self.c + torch.cat([-a[..., 4:], a[..., :4]], -1) * self.s for a in (q, k))\n"
            "y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(1, 6, 16)\n"
            "x = x + y\n"
            "return x + self.d(F.silu(self.g(x)) * self.u(x))"
        ),
        normal("1, 6, 16"),
        setup=(
            "self.q, self.k, self.v = (nn.Linear(16, 16, bias=False) for _ in range(3)); "
            "self.g, self.u, self.d = nn.Linear(16, 40), nn.Linear(16, 40), nn.Linear(40, 16); "
            "self.w = nn.Parameter(torch.ones(16)); "
            "a = torch.outer(torch.arange(6.0), torch.rand(4)).repeat(1, 2); "
            "self.register_buffer('c', a.cos()); self.register_buffer('s', a.sin())"
        ),
        options={"deployment_target": "iOS18"},
        first_run="right",
    ),
    Case(
        "selective-scan",
        "S",
        (
            "d, b, c = F.softplus(self.d(x)), self.b(x), self.c(x)\n"
            "h, ys = torch.zeros(1, 8, 4), []\n"
            "for i in range(6):\n"
            "    e = d[:, i, :, None]\n"
            "    h = torch.exp(-e * self.a) * h + e * b[:, i, None] * x[:, i, :, None]\n"
            "    ys.append((h * c[:, i, None]).sum(-1))\n"
            "return torch.stack(ys, 1)"
        ),
        normal("1, 6, 8"),
        setup=(
            "self.d, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 4), nn.Linear(8, 4); "
            "self.a = nn.Parameter(torch.rand(8, 4) + 0.5)"
        ),
        first_run="right",
    ),
    Case(
        "spectrum-by-convolution",
        "S",
        (
            "r, i = F.conv1d(x, self.k, stride=8).chunk(2, 1)\n"
            "return torch.log((r * r + i * i).clamp(min=1e-4))"
        ),
        normal("1, 1, 128"),
        setup=(
            "t = torch.outer(torch.arange(9.0), torch.arange(16.0)) * (6.2831853 / 16); "
            "w = torch.hann_window(16) / 4; "
            "self.register_buffer('k', torch.cat([t.cos() * w, -t.sin() * w])[:, None])"
        ),
        first_run="right",
    ),
    Case(
        "magnitude-of-a-transform",
        "S",
        "return self.l(torch.fft.rfft(x).abs())",
        normal("1, 16"),
        setup="self.l = nn.Linear(9, 4)",
        first_run="right",
    ),
    Case(
        "boxes-of-a-detector",
        "S",
        (
            "y = self.c(x).flatten(2).transpose(1, 2)\n"
            "d = y[..., :16].reshape(1, 16, 4, 4).softmax(-1) @ self.b\n"
            "box = torch.cat([self.p - d[..., :2], self.p + d[..., 2:]], -1) * 8\n"
            "return box, y[..., 16:].sigmoid()"
        ),
        normal("1, 3, 32, 32"),
        setup=(
            "self.c = nn.Conv2d(3, 18, 8, 8); self.register_buffer('b', torch.arange(4.0)); "
            "self.register_buffer('p', torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0)) + 0.5)"
        ),
        first_run="right",
    ),
    Case(
        "key-points",
        "S",
        (
            "p = self.c(x).flatten(2).softmax(-1).view(1, 4, 8, 8)\n"
            "return torch.stack([(p.sum(2) * self.t).sum(-1), (p.sum(3) * self.t).sum(-1)], -1)"
        ),
        normal("1, 3, 8, 8"),
        setup="self.c = nn.Conv2d(3, 4, 3, padding=1); self.register_buffer('t', torch.linspace(-1, 1, 8))",
        first_run="right",
    ),
    Case(
        "twin-towers",
        "S",
        "return F.cosine_similarity(self.l(a), self.l(b)) * 5",
        normal("2, 16", ", torch.randn(2, 16, generator=g)"),
        setup="self.l = nn.Linear(16, 8)",
        takes="a, b",
        first_run="right",
    ),
    Case(
        "graph-convolution",
        "S",
        (
            "d = (a.sum(-1) + 1e-3).rsqrt()\n"
            "return self.w(F.relu(self.v((d[..., None] * a * d[:, None]) @ x)))"
        ),
        normal("1, 6, 8", ", (torch.rand(1, 6, 6, generator=g) > 0.5).float() + torch.eye(6)"),
        setup="self.v, self.w = nn.Linear(8, 16), nn.Linear(16, 3)",
        takes="x, a",
        first_run="right",
    ),
    Case(
        "cloud-of-points",
        "S",
        ("t = self.t(x).amax(-1).view(1, 3, 3) + torch.eye(3)\nreturn self.o(self.c(t @ x).amax(-1))"),
        normal("1, 3, 20"),
        setup="self.t, self.c, self.o = nn.Conv1d(3, 9, 1), nn.Conv1d(3, 16, 1), nn.Linear(16, 4)",
        first_run="right",
    ),
    Case(
        "adaptive-instance-norm",
        "S",
        (
            "y = self.c(F.pad(x, (1, 1, 1, 1), mode='reflect'))\n"
            "m, s = y.mean((2, 3), keepdim=True), y.std((2, 3), keepdim=True)\n"
            "a, b = self.f(z)[..., None, None].chunk(2, 1)\n"
            "return self.o(F.interpolate((y - m) / (s + 1e-5) * a + b, scale_factor=2))"
        ),
        normal("1, 3, 8, 8", ", torch.randn(1, 6, generator=g)"),
        setup="self.c, self.f, self.o = nn.Conv2d(3, 8, 3), nn.Linear(6, 16), nn.Conv2d(8, 3, 3)",
        takes="x, z",
        first_run="right",
    ),
    Case(
        "super-resolution",
        "S",
        (
            "y = F.pixel_shuffle(self.b(F.prelu(self.a(x), self.p)), 2)\n"
            "return y + F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False)"
        ),
        "for _ in range(4): yield torch.rand(1, 3, 8, 8, generator=g)",
        setup=(
            "self.a, self.b = nn.Conv2d(3, 8, 5, padding=2), nn.Conv2d(8, 12, 3, padding=1); "
            "self.p = nn.Parameter(torch.rand(8))"
        ),
        first_run="right",
    ),
    Case(
        "two-kinds-of-tokens",
        "S",
        (
            "y = self.n(self.w(ids) + self.t(kinds) + self.p(torch.arange(8)))\n"
            "y = self.e(y, src_key_padding_mask=mask == 0)\n"
            "return torch.tanh(self.o(y[:, 0]))"
        ),
        (
            "for _ in range(4): yield torch.randint(0, 60, (1, 8), generator=g).int(), "
            "torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1]]).int(), (torch.arange(8) < 6).int()[None]"
        ),
        setup=(
            "self.w, self.t, self.p = nn.Embedding(60, 16), nn.Embedding(2, 16), nn.Embedding(8, 16); "
            "self.n, self.o = nn.LayerNorm(16, eps=1e-12), nn.Linear(16, 16); "
            "self.e = nn.TransformerEncoderLayer(16, 4, 32, activation='gelu', batch_first=True)"
        ),
        takes="ids, kinds, mask",
        says=(fails("parity", "`masked_fill`", f"net.py:{LINE + 1}", 'conversion = "decomposed"'),),
    ),
    Case(
        "paths-through-labels",
        "S",
        (
            "a = x[:, 0]\n"
            "for i in range(1, 5):\n"
            "    a = torch.logsumexp(a[:, :, None] + self.t, 1) + x[:, i]\n"
            "return torch.logsumexp(a, 1)"
        ),
        normal("1, 5, 4"),
        setup="self.t = nn.Parameter(torch.randn(4, 4))",
        first_run="right",
    ),
    Case(
        "linear-attention",
        "S",
        (
            "q, k, v = F.elu(self.q(x)) + 1, F.elu(self.k(x)) + 1, self.v(x)\n"
            "s = torch.cumsum(k[..., None] * v[:, :, None], 1)\n"
            "return (q[..., None] * s).sum(2) / (q * torch.cumsum(k, 1)).sum(-1, keepdim=True)"
        ),
        normal("1, 8, 8"),
        setup="self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))",
        first_run="right",
    ),
    Case(
        "trend-and-season",
        "S",
        ("t = F.avg_pool1d(F.pad(x, (2, 2), mode='replicate'), 5, 1)\nreturn self.a(t) + self.b(x - t)"),
        normal("1, 3, 24"),
        setup="self.a, self.b = nn.Linear(24, 12), nn.Linear(24, 12)",
        first_run="right",
    ),
    Case(
        "dilated-segmentation",
        "S",
        (
            "y = torch.cat([F.relu(c(x)) for c in self.m] + [x.mean((2, 3), keepdim=True).expand_as(x)], 1)\n"
            "return F.interpolate(self.o(y), size=(32, 32), mode='bilinear', align_corners=False)"
        ),
        normal("1, 4, 16, 16"),
        setup=(
            "self.m = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=d, dilation=d) for d in (1, 2, 4)); "
            "self.o = nn.Conv2d(16, 3, 1)"
        ),
        first_run="right",
    ),
    Case(
        "table-of-customers",
        "S",
        (
            "y = torch.cat([e(c[:, i]) for i, e in enumerate(self.e)] + [self.n(x)], -1)\n"
            "return torch.sigmoid(self.o(F.relu(self.l(y)))).squeeze(-1)"
        ),
        normal("4, 3", ", torch.randint(0, 5, (4, 2), generator=g).int()"),
        setup=(
            "self.e, self.n = nn.ModuleList(nn.Embedding(5, 4) for _ in range(2)), nn.BatchNorm1d(3); "
            "self.l, self.o = nn.Linear(11, 16), nn.Linear(16, 1)"
        ),
        takes="x, c",
        first_run="right",
    ),
    Case(
        "joiner-of-a-transducer",
        "S",
        "return self.o(torch.tanh(self.a(x)[:, :, None] + self.b(y)[:, None])).log_softmax(-1)",
        normal("1, 5, 8", ", torch.randn(1, 4, 8, generator=g)"),
        setup="self.a, self.b, self.o = nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(12, 20)",
        takes="x, y",
        first_run="right",
    ),
    Case(
        "block-of-a-diffusion-model",
        "S",
        (
            "e = torch.cat([(t[:, None] * self.f).sin(), (t[:, None] * self.f).cos()], -1)\n"
            "y = self.a(F.silu(self.m(x))) + self.t(F.silu(e))[..., None, None]\n"
            "return x + self.b(F.silu(self.n(y)))"
        ),
        normal("1, 8, 8, 8", ", torch.rand(1, generator=g) * 4"),
        setup=(
            "self.m, self.n, self.t = nn.GroupNorm(2, 8), nn.GroupNorm(2, 8), nn.Linear(8, 8); "
            "self.a, self.b = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1); "
            "self.register_buffer('f', torch.rand(4))"
        ),
        takes="x, t",
        first_run="right",
    ),
    Case(
        "squashed-capsules",
        "S",
        (
            "u = (x[:, None, :, None] @ self.w).squeeze(-2)\n"
            "n = u.sum(2).pow(2).sum(-1, keepdim=True)\n"
            "return n / (1 + n) * u.sum(2) / torch.sqrt(n + 1e-8)"
        ),
        normal("1, 6, 4"),
        setup="self.w = nn.Parameter(torch.randn(1, 3, 6, 4, 8) / 3)",
        first_run="right",
    ),
    Case(
        "normed-weights",
        "S",
        "return self.b(F.leaky_relu(self.a(x), 0.1))",
        normal("1, 4, 32"),
        setup=(
            "self.a = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 8, 3, padding=1)); "
            "self.b = nn.utils.parametrizations.spectral_norm(nn.Conv1d(8, 2, 3, padding=1))"
        ),
        first_run="right",
    ),
    Case(
        "mixture-of-densities",
        "S",
        ("y = torch.tanh(self.l(x))\nreturn self.p(y).softmax(-1), self.m(y), F.softplus(self.s(y)) + 1e-3"),
        normal("4, 8"),
        setup=(
            "self.l, self.p = nn.Linear(8, 16), nn.Linear(16, 3); "
            "self.m, self.s = nn.Linear(16, 3), nn.Linear(16, 3)"
        ),
        first_run="right",
    ),
    Case(
        "drawn-latent",
        "S",
        "m, v = self.e(x).chunk(2, -1)\nreturn self.d(m + torch.exp(0.5 * v) * noise), m",
        normal("2, 16", ", torch.randn(2, 4, generator=g)"),
        setup="self.e, self.d = nn.Linear(16, 8), nn.Linear(4, 16)",
        takes="x, noise",
        first_run="right",
    ),
    Case(
        "attention-decoder-step",
        "S",
        (
            "s = torch.tanh(self.a(m) + self.b(h)[:, None])\n"
            "c = (self.v(s).softmax(1) * m).sum(1)\n"
            "h = self.r(torch.cat([self.e(ids), c], -1), h)\n"
            "return self.o(h), h"
        ),
        (
            "for _ in range(4): yield torch.randint(0, 20, (1,), generator=g).int(), "
            "torch.randn(1, 8, generator=g), torch.randn(1, 5, 8, generator=g)"
        ),
        setup=(
            "self.a, self.b, self.v = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 1); "
            "self.e, self.r, self.o = nn.Embedding(20, 8), nn.GRUCell(16, 8), nn.Linear(8, 20)"
        ),
        takes="ids, h, m",
        first_run="right",
    ),
)
