"""Held out, a ninth set, refused conversions: written after the repairs on the eighth, before they ran.

What is right is said in ``held_out_eighth``.
"""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal

_SCRIPTED: Final = "def scripted():\n    return torch.jit.script(build())"

CASES: Final = (
    Case(
        "divergence-of-a-flow",
        "I",
        "return torch.func.jvp(lambda p: torch.tanh(self.l(p)), (x,), (torch.ones_like(x),))[1]",
        normal("4, 3"),
        setup="self.l = nn.Linear(3, 3)",
        says=(fails("parity", "full", f"net.py:{LINE}"), fails("rules")),
        first_run="wrong",
        not_right="coremltools makes whole numbers of `full_like(x, 1)`, and the product behind it is named",
    ),
    Case(
        "rows-of-a-bounded-norm",
        "I",
        "return self.l(torch.renorm(x, 2, 0, 1.0))",
        normal("4, 8"),
        setup="self.l = nn.Linear(8, 4)",
        first_run="right",
    ),
    Case(
        "samples-of-a-beta",
        "I",
        "a = F.softplus(self.l(x)) + 1\nreturn torch.distributions.Beta(a, a).log_prob(torch.sigmoid(x))",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 8)",
        says=(fails("conversion", "lgamma", f"net.py:{LINE + 1}", "torch.log("),),
        first_run="right",
    ),
    Case(
        "offsets-of-a-deformable-layer",
        "I",
        ("o = self.o(x).permute(0, 2, 3, 1)\nreturn torch.ops.torchvision.deform_conv2d(x, o, self.w)"),
        normal("1, 3, 8, 8"),
        setup="self.o, self.w = nn.Conv2d(3, 2, 3, padding=1), nn.Parameter(torch.randn(4, 3, 1, 1))",
        tail=(
            '@torch.library.custom_op("torchvision::deform_conv2d", mutates_args=())\n'
            "def deform_conv2d(x: torch.Tensor, o: torch.Tensor, w: torch.Tensor) -> torch.Tensor:\n"
            "    return F.conv2d(F.grid_sample(x, torch.tanh(o), align_corners=False), w)\n\n\n"
            "@deform_conv2d.register_fake\n"
            "def _(x, o, w):\n"
            "    return x.new_empty(x.shape[0], w.shape[0], *x.shape[2:])"
        ),
        report="apple/coremltools#1889",
        says=(fails("conversion", "deform_conv2d", f"net.py:{LINE + 1}", "grid_sample"),),
        first_run="right",
    ),
    Case(
        "products-by-group",
        "I",
        (
            "i = group.long()[None].expand_as(x)\n"
            "return torch.ones(2, 4).scatter_reduce(1, i, x, 'prod', include_self=False)"
        ),
        "for _ in range(4): yield torch.rand(2, 9, generator=g), (torch.arange(9) % 4).int()",
        takes="x, group",
        says=(fails("conversion", "scatter_reduce", f"net.py:{LINE + 1}", ".cumprod("),),
        first_run="wrong",
    ),
    Case(
        "first-of-equals",
        "I",
        "return torch.sort(self.l(x), dim=-1, stable=True).values",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 8)",
        says=(fails("conversion", "sort", f"net.py:{LINE}", "leave `stable` out"),),
        first_run="right",
    ),
    Case(
        "window-of-bessel",
        "I",
        "return torch.special.i0(self.l(x))",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        says=(fails("conversion", "i0", f"net.py:{LINE}", "math.factorial("),),
        first_run="wrong",
    ),
    Case(
        "scripted-words",
        "I",
        "n = f'{x.shape[0]} rows'\nassert len(n) > 0, n\nreturn torch.relu(self.l(x))",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4)",
        tail=_SCRIPTED,
        options={"source": "net.py:scripted"},
        says=(fails("conversion", f"net.py:{LINE}", "builds the module"),),
        first_run="right",
    ),
    Case(
        "list-of-a-trace",
        "I",
        "t = (x[0] * 10).tolist()\nreturn self.l(x) + sum(t)",
        normal("2, 8"),
        setup="self.l = nn.Linear(8, 4)",
        first_run="right",
    ),
    Case(
        "packed-rnn-of-both-ways",
        "I",
        (
            "p = nn.utils.rnn.pack_padded_sequence(x, lens, batch_first=True, enforce_sorted=False)\n"
            "return self.r(p)[1]"
        ),
        "for n in (3, 5, 6, 2): yield torch.randn(2, 6, 4, generator=g), torch.tensor([6, n])",
        takes="x, lens",
        setup="self.r = nn.GRU(4, 5, batch_first=True, bidirectional=True)",
        says=(fails("conversion", "packed", "net.py:", "mask", "turned"),),
        first_run="wrong",
    ),
)
