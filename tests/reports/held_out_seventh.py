"""Mistakes of a team's own script, of the kinds that were met in changes of whole repositories.

Forty-eight changes of fifteen models were written with their right verdicts and played through the command
line first; what the gate did not say of them stands here as models of a few lines.
"""

from typing import Final

from tests.reports.case import Case, fails, normal
from tests.reports.held_out_interface import TEAM

_SCRIPT: Final = """
import coremltools as ct
import coremltools.optimize.coreml as cto
import torch


def to_coreml(module{arguments}):
    {before}
    made = ct.convert(
        torch.jit.trace(module, torch.zeros({shape})),
        inputs=[{kind}],
        outputs=[{outputs}],
        minimum_deployment_target=ct.target.iOS17,
        skip_model_load=True{more},
    )
    return {returned}
"""
_FLOAT: Final = {"arguments": ", compute_precision=None", "more": ", compute_precision=compute_precision"}
_PALETTES: Final = (
    "cto.palettize_weights(made, cto.OptimizationConfig("
    "cto.OpPalettizerConfig(nbits=8, weight_threshold=64)))"
)


def _script(shape: str, outputs: str, **parts: str) -> str:
    named = ", ".join(f'ct.TensorType(name="{name}")' for name in outputs.split())
    plain = {
        "before": "pass",
        "arguments": "",
        "more": "",
        "kind": f'ct.TensorType(name="x", shape=({shape}))',
        "returned": "made",
    }
    return _SCRIPT.format(shape=shape, outputs=named, **(plain | parts))


def _pixels(color: str, scale: float, *bias: float) -> dict[str, object]:
    image = {"color": color, "scale": scale, "bias": list(bias)}
    return {"input": ({"name": "image", "image": image},), "output": ["scores"], **TEAM}


_PHOTOS: Final = (
    "for _ in range(4): yield torch.randint(0, 256, (1, 3, 16, 16), generator=g).float() "
    "- torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1)"
)
_NET: Final = "self.c, self.l = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)"
_SCORES: Final = "return self.l(F.relu(self.c(image)).mean((2, 3)))"
_IMAGE: Final = 'ct.ImageType(name="image", shape=(1, 3, 16, 16), color_layout="{}", bias=[{}])'
CASES: Final = (
    Case(
        "camera-of-another-order",
        "C",
        _SCORES,
        _PHOTOS,
        setup=_NET,
        takes="image",
        options=_pixels("BGR", 1.0, -104.0, -117.0, -123.0),
        script=_script("1, 3, 16, 16", "scores", kind=_IMAGE.format("RGB", "-104, -117, -123"), **_FLOAT),
        says=(fails("parity", "channels of `image` in the other order", "`color_layout`"),),
        first_run="wrong",
    ),
    Case(
        "camera-of-its-own-order",
        "S",
        _SCORES,
        _PHOTOS,
        setup=_NET,
        takes="image",
        options=_pixels("BGR", 1.0, -104.0, -117.0, -123.0),
        script=_script("1, 3, 16, 16", "scores", kind=_IMAGE.format("BGR", "-104, -117, -123"), **_FLOAT),
        first_run="right",
    ),
    Case(
        "bias-left-out",
        "C",
        _SCORES,
        _PHOTOS,
        setup=_NET,
        takes="image",
        options=_pixels("BGR", 1.0, -104.0, -117.0, -123.0),
        script=_script("1, 3, 16, 16", "scores", kind=_IMAGE.format("BGR", "0, 0, 0"), **_FLOAT),
        says=(fails("parity", "without the bias of `image`", "ct.ImageType"),),
        first_run="wrong",
    ),
    Case(
        "start-and-end-exchanged",
        "D",
        "a, b = self.l(x).chunk(2, 1)\nreturn a, b",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 12)",
        options={"output": ["start", "end"], **TEAM},
        script=_script("1, 8", "end start"),
        says=(fails("parity", "outputs exchanged, `start` under the name `end`", "name `outputs`"),),
        first_run="wrong",
    ),
    Case(
        "names-in-another-order",
        "S",
        "a, b = self.l(x).chunk(2, 1)\nreturn b, a",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 12)",
        options={"output": ["end", "start"], **TEAM},
        script=_script("1, 8", "end start"),
        first_run="right",
    ),
    Case(
        "palettes-of-a-net-in-training",
        "D",
        "return self.l(F.relu(self.b(self.c(x))).mean((2, 3)))",
        normal("1, 3, 12, 12"),
        setup=(
            "self.c, self.b, self.l = nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Linear(16, 4); "
            "self.b.running_mean += 1; self.b.running_var *= 9"
        ),
        options={"output": ["scores"], **TEAM},
        script=_script("1, 3, 12, 12", "scores", before="module.train()", returned=_PALETTES),
        says=(fails("parity", "batch norms in training mode", "`.eval()`"),),
        first_run="wrong",
    ),
    Case(
        "probabilities-of-both",
        "D",
        "a, b = self.l(x).chunk(2, 1)\nreturn a, b",
        normal("1, 8", " * 3"),
        setup="self.l = nn.Linear(8, 12)",
        options={"output": ["start", "end"], **TEAM},
        script=_script(
            "1, 8",
            "start end",
            before="f = module.forward; module.forward = lambda x: tuple(y.softmax(-1) for y in f(x))",
        ),
        says=(fails("parity", "the softmax of the source's `start` and the softmax of the source's `end`"),),
        first_run="wrong",
    ),
    Case(
        "small-mistake-of-a-script",
        "D",
        "return self.l(x) + 40",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4)",
        options={"output": ["scores"], **TEAM},
        script=_script("1, 8", "scores", before="module.l.weight.data.mul_(-1)"),
        says=(fails("parity", "weight matrices of the source"),),
        first_run="wrong",
    ),
    Case(
        "mask-by-a-product",
        "S",
        (
            "m = (1.0 - m[:, None, :].float()) * -1e9\n"
            "return torch.softmax(self.q(x) @ self.k(x).transpose(1, 2) + m, -1) @ x"
        ),
        normal("2, 6, 8", ", (torch.arange(6) < 4).int().expand(2, 6).clone()"),
        setup="self.q, self.k = nn.Linear(8, 8), nn.Linear(8, 8)",
        takes="x, m",
        first_run="right",
    ),
)
