"""Held out, a fourth set, kinds A to F: written with their right results before they ran."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal, warns
from tests.reports.held_out_interface import PIXELS, TEAM, image_input, script
from tests.reports.held_out_numbers import integers

_TWO_OUTPUTS: Final = """
import coremltools as ct
import torch


def to_coreml(module, compute_precision=None):
    return ct.convert(
        torch.jit.trace(module, torch.zeros(1, 8)),
        inputs=[ct.TensorType(name="x", shape=(1, 8))],
        outputs=[ct.TensorType(name="embedding"), ct.TensorType(name="scores")],
        classifier_config=ct.ClassifierConfig(["a", "b", "c"], predicted_probabilities_output="scores"),
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=compute_precision,
        skip_model_load=True,
    )
"""
_PATH: Final = """
import coremltools as ct
import torch


def to_coreml(module):
    model = ct.convert(
        torch.jit.trace(module, torch.zeros(1, 8)),
        inputs=[ct.TensorType(name="x", shape=(1, 8))],
        minimum_deployment_target=ct.target.iOS17,
        skip_model_load=True,
    )
    model.save("built.mlpackage")
    return "built.mlpackage"
"""
_PALETTES: Final = """
import coremltools as ct
import coremltools.optimize.coreml as cto
import torch


def to_coreml(module, compute_precision=None):
    model = ct.convert(
        torch.jit.trace(module, torch.zeros(1, 64)),
        inputs=[ct.TensorType(name="x", shape=(1, 64))],
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=compute_precision,
        skip_model_load=True,
    )
    palettes = cto.OpPalettizerConfig(mode="uniform", nbits=8)
    return cto.palettize_weights(model, cto.OptimizationConfig(global_config=palettes))
"""
_IMAGE_OUT: Final = """
import coremltools as ct
import torch


def to_coreml(module, compute_precision=None):
    return ct.convert(
        torch.jit.trace(module, torch.zeros(1, 3, 24, 24)),
        inputs=[ct.ImageType(name="image", shape=(1, 3, 24, 24), scale=1 / 255)],
        outputs=[ct.ImageType(name="picture")],
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=compute_precision,
        skip_model_load=True,
    )
"""
_GREY: Final = "torch.randint(0, 256, (1, 1, 24, 24), generator=g).float() / 255"


def _grey_input(bias: float) -> dict[str, object]:
    image = {"scale": 1 / 255 / 0.3081, "bias": [bias], "color": "GRAYSCALE"}
    return {"input": ({"name": "image", "image": image},)}


CASES: Final = (
    Case(
        "classifier-and-embedding",
        "A",
        "e = torch.tanh(self.l(x))\nreturn e, torch.softmax(self.o(e) * 3, 1)",
        normal("1, 8"),
        setup="self.l, self.o = nn.Linear(8, 6), nn.Linear(6, 3)",
        options=TEAM,
        script=_TWO_OUTPUTS,
        says=(
            fails("conversion", "a classifier has one output", "export.py:7", "leave `ClassifierConfig` out"),
        ),
        first_run="wrong",
    ),
    Case(
        "softmax-of-the-script",
        "A",
        "return self.l(x) * 3",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 3)",
        options=TEAM,
        script=script('["a", "b", "c"]', before="module = torch.nn.Sequential(module, torch.nn.Softmax(1))"),
        says=(fails("parity", "computes the softmax of the source's `output_0`", "remove that step"),),
        first_run="wrong",
    ),
    Case(
        "classifier-of-a-camera",
        "A",
        "return torch.softmax(self.l(F.relu(self.c(image)).mean((2, 3))) * 4, 1)",
        f"for _ in range(4): yield {PIXELS} / 127.5 - 1",
        setup="self.c, self.l = nn.Conv2d(3, 8, 3), nn.Linear(8, 3)",
        takes="image",
        options=TEAM | image_input(1 / 127.5, -1.0, -1.0, -1.0),
        script=script(
            '["owl", "cat", "dog"]', shape="1, 3, 24, 24", image="scale=1 / 127.5, bias=[-1, -1, -1]"
        ),
        first_run="right",
    ),
    Case(
        "path-of-a-package",
        "A",
        "return torch.sigmoid(self.l(x))",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 1)",
        options=TEAM,
        script=_PATH,
        first_run="right",
    ),
    Case(
        "attention-over-a-range",
        "B",
        "return self.a(x, x, x, need_weights=False)[0]",
        normal("1, 12, 16"),
        setup="self.a = nn.MultiheadAttention(16, 2, batch_first=True)",
        options={"input": ({"name": "x", "shape": [1, [4, 32], 16]},)},
        first_run="right",
    ),
    Case(
        "two-sizes-of-an-image",
        "B",
        (
            "y = F.relu(self.a(x))\n"
            "return torch.cat([x, F.interpolate(self.b(y), scale_factor=2, mode='nearest')], 1)"
        ),
        normal("1, 3, 16, 16"),
        setup="self.a, self.b = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 4, 3, 1, 1)",
        report="apple/coremltools#970",
        options={"input": ({"name": "x", "shapes": [[1, 3, 16, 16], [1, 3, 32, 32]]},)},
        first_run="right",
    ),
    Case(
        "pool-of-a-frozen-size",
        "B",
        "y = F.relu(self.c(x))\nreturn F.avg_pool2d(y, int(y.shape[-1])).flatten(1)",
        normal("1, 3, 16, 16"),
        setup="self.c = nn.Conv2d(3, 4, 3, padding=1)",
        options={"conversion": "trace", "input": ({"name": "x", "shape": [1, 3, [8, 32], [8, 32]]},)},
        says=(fails("parity", f"net.py:{LINE + 1}"), fails("parity", "The trace is fixed")),
        first_run="wrong",
    ),
    Case(
        "lengths-of-two-inputs",
        "B",
        "return F.scaled_dot_product_attention(self.q(x), self.k(m), m)",
        normal("1, 6, 16", ", torch.randn(1, 10, 16, generator=g)"),
        setup="self.q, self.k = nn.Linear(16, 16), nn.Linear(16, 16)",
        takes="x, m",
        options={
            "input": (
                {"name": "x", "shape": [1, [2, 16], 16]},
                {"name": "m", "shape": [1, [4, 32], 16]},
            )
        },
        first_run="right",
    ),
    Case(
        "loop-over-a-frozen-length",
        "B",
        (
            "h = torch.zeros(1, 4)\n"
            "for i in range(x.shape[1]):\n"
            "    h = torch.tanh(self.l(x[:, i]) + 0.5 * h)\n"
            "return h"
        ),
        normal("1, 6, 4"),
        setup="self.l = nn.Linear(4, 4)",
        options={"conversion": "trace", "input": ({"name": "x", "shape": [1, [3, 12], 4]},)},
        says=(fails("parity", f"net.py:{LINE + 2}"), fails("parity", "The trace is fixed")),
        first_run="wrong",
    ),
    Case(
        "lstm-of-two-lengths",
        "B",
        "return self.r(x)[0][:, -1]",
        normal("1, 8, 4"),
        setup="self.r = nn.LSTM(4, 6, batch_first=True)",
        options={"input": ({"name": "x", "shapes": [[1, 8, 4], [1, 16, 4]]},)},
        first_run="right",
    ),
    Case(
        "strides-over-a-range",
        "B",
        "return self.b(F.gelu(self.a(x)))",
        normal("1, 8, 32"),
        setup="self.a, self.b = nn.Conv1d(8, 16, 3, 1, 1), nn.Conv1d(16, 16, 3, 2, 1)",
        options={"input": ({"name": "x", "shape": [1, 8, [16, 100]]},)},
        first_run="right",
    ),
    Case(
        "deviations-inside",
        "C",
        "return F.relu(self.c((image - self.m) / self.d))",
        f"for _ in range(4): yield {PIXELS} / 255",
        setup=(
            "self.c = nn.Conv2d(3, 4, 3); "
            "self.register_buffer('m', torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)); "
            "self.register_buffer('d', torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))"
        ),
        takes="image",
        options=image_input(1 / 255),
        first_run="right",
    ),
    Case(
        "blue-first",
        "C",
        "return F.relu(self.c(image))",
        f"for _ in range(4): yield {PIXELS} / 127.5 - 1",
        setup="self.c = nn.Conv2d(3, 4, 3)",
        takes="image",
        options={
            "input": (
                {
                    "name": "image",
                    "image": {"scale": 1 / 127.5, "bias": [-1.0, -1.0, -1.0], "color": "BGR"},
                },
            )
        },
        first_run="right",
    ),
    Case(
        "digits-with-their-mean",
        "C",
        "return self.c(image).mean((2, 3))",
        f"for _ in range(4): yield ({_GREY} - 0.1307) / 0.3081",
        setup="self.c = nn.Conv2d(1, 4, 3)",
        takes="image",
        options=_grey_input(-0.1307 / 0.3081),
        first_run="right",
    ),
    Case(
        "digits-without-their-mean",
        "C",
        "return self.c(image).mean((2, 3))",
        f"for _ in range(4): yield ({_GREY} - 0.1307) / 0.3081",
        setup="self.c = nn.Conv2d(1, 4, 3)",
        takes="image",
        options=_grey_input(0.0),
        says=(fails("source", "`image`", "bias"),),
        first_run="right",
    ),
    Case(
        "dark-picture",
        "C",
        "return torch.sigmoid(self.c(image))",
        f"for _ in range(4): yield {PIXELS} / 255",
        setup="self.c = nn.Conv2d(3, 3, 3, padding=1)",
        takes="image",
        report="apple/coremltools#2438",
        options=TEAM | image_input(1 / 255),
        script=_IMAGE_OUT,
        says=(warns("rules", "255"),),
        first_run="wrong",
    ),
    Case(
        "bright-picture",
        "C",
        "return torch.sigmoid(self.c(image)) * 255",
        f"for _ in range(4): yield {PIXELS} / 255",
        setup="self.c = nn.Conv2d(3, 3, 3, padding=1)",
        takes="image",
        options=TEAM | image_input(1 / 255),
        script=_IMAGE_OUT,
        quick=True,
        first_run="wrong",
    ),
    Case(
        "palettes-of-a-team",
        "D",
        "return self.o(F.relu(self.l(x)))",
        normal("1, 64"),
        setup="self.l, self.o = nn.Linear(64, 64), nn.Linear(64, 10)",
        options=TEAM,
        script=_PALETTES,
        first_run="wrong",
    ),
    Case(
        "nine-of-ten-weights-gone",
        "D",
        "return self.o(F.relu(self.l(x)))",
        normal("1, 64"),
        setup="self.l, self.o = nn.Linear(64, 64), nn.Linear(64, 64)",
        options={"compress": {"method": "prune", "sparsity": 0.9}},
        says=(fails("precision", "90 %", "less `sparsity`"),),
        first_run="wrong",
    ),
    Case(
        "int8-of-convolutions",
        "D",
        "return self.b(F.relu(self.a(x)))",
        normal("1, 3, 16, 16"),
        setup="self.a, self.b = nn.Conv2d(3, 32, 3), nn.Conv2d(32, 16, 3)",
        options={"compress": {"method": "linear-int8"}},
        first_run="right",
    ),
    Case(
        "grouped-queries",
        "D",
        (
            "q = self.q(x).view(1, 8, 4, 8).transpose(1, 2)\n"
            "k, v = self.k(x).view(1, 8, 2, 2, 8).permute(3, 0, 2, 1, 4)\n"
            "k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)\n"
            "y = F.scaled_dot_product_attention(q, k, v, is_causal=True)\n"
            "return y.transpose(1, 2).reshape(1, 8, 32)"
        ),
        normal("1, 8, 32"),
        setup="self.q, self.k = nn.Linear(32, 32), nn.Linear(32, 32)",
        options={"deployment_target": "iOS18"},
        first_run="right",
    ),
    Case(
        "hash-of-ids",
        "E",
        "return self.e((ids.long() * 2654435) % 1009)",
        integers("1, 50000", "1, 8"),
        setup="self.e = nn.Embedding(1009, 8)",
        takes="ids",
        says=(fails("parity", f"net.py:{LINE}", "2^24"),),
        first_run="right",
    ),
    Case(
        "hash-of-small-ids",
        "E",
        "return self.e((ids.long() * 31 + 7) % 1009)",
        integers("1, 50000", "1, 8"),
        setup="self.e = nn.Embedding(1009, 8)",
        takes="ids",
        first_run="right",
    ),
    Case(
        "aligned-corners",
        "E",
        "return F.interpolate(x, size=(5, 7), mode='bilinear', align_corners=True)",
        normal("1, 2, 9, 9"),
        first_run="right",
    ),
    Case(
        "halves-by-truncation",
        "E",
        "return torch.div(x, 2, rounding_mode='trunc')",
        integers("-50, 50", "1, 16"),
        first_run="right",
    ),
    Case(
        "exact-neighbours",
        "E",
        "return F.interpolate(x, scale_factor=2, mode='nearest-exact')",
        normal("1, 2, 5, 7"),
        first_run="right",
    ),
    Case(
        "cubes",
        "E",
        "return self.l(x).pow(3)",
        normal("4, 8"),
        setup="self.l = nn.Linear(8, 8)",
        first_run="right",
    ),
    Case(
        "written-at-a-position",
        "E",
        "y = x.clone()\ny[:, i.long()] = v\nreturn y",
        normal("2, 6", ", torch.randint(0, 6, (1,), generator=g).int(), torch.randn(1, generator=g)"),
        takes="x, i, v",
        report="apple/coremltools#2188",
        options={"conversion": "trace"},
        says=(
            fails("conversion", f"The write at net.py:{LINE + 1} is lost", 'conversion = "export"'),
            warns("rules", "lost-write"),
        ),
        first_run="wrong",
    ),
    Case(
        "reflected-borders",
        "F",
        "return self.c(F.pad(x, (1, 1, 1, 1), mode='reflect'))",
        normal("1, 2, 8, 8"),
        setup="self.c = nn.Conv2d(2, 4, 3)",
        first_run="right",
    ),
    Case(
        "boolean-output",
        "F",
        "return self.l(x) > 0",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 16)",
        first_run="right",
    ),
    Case(
        "state-of-64",
        "F",
        "self.h.copy_(0.5 * self.h + self.l(x))\nreturn torch.tanh(self.h)",
        normal("1, 64"),
        setup="self.l = nn.Linear(64, 64); self.register_buffer('h', torch.zeros(1, 64))",
        options={"deployment_target": "iOS18"},
        first_run="right",
    ),
    Case(
        "six-axes-by-hand",
        "F",
        "return x.view(2, 3, 4, 2, 4, 2).permute(0, 2, 4, 1, 3, 5).mean(-1) * 2",
        normal("2, 3, 8, 8"),
        says=(fails("conversion", "5 axes", f"net.py:{LINE}"),),
        first_run="right",
    ),
)
