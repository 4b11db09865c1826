"""Held out, kinds A to D: each was written with its right result before it was run."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal, warns

PIXELS: Final = "torch.randint(0, 256, (1, 3, 24, 24), generator=g).float()"
TEAM: Final = {"convert": "export.py:to_coreml"}
_SCRIPT: Final = """
import coremltools as ct
import torch


def to_coreml(module, compute_precision=None):
    {before}
    return ct.convert(
        torch.jit.trace(module, torch.zeros({shape})),
        inputs=[ct.{kind}],
        classifier_config={classes},
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=compute_precision,
        skip_model_load=True,
    )
"""


def script(labels: str = "", shape: str = "1, 8", image: str = "", before: str = "pass") -> str:
    """A team's own conversion: of a classifier with these labels, of an image with this scale."""
    kind = (
        f'ImageType(name="image", shape=({shape}), {image})'
        if image
        else f'TensorType(name="x", shape=({shape}))'
    )
    classes = f"ct.ClassifierConfig({labels})" if labels else "None"
    return _SCRIPT.format(before=before, shape=shape, kind=kind, classes=classes)


def image_input(scale: float, *bias: float) -> dict[str, object]:
    """The options of a model whose input is an image of this scale and bias."""
    return {"input": ({"name": "image", "image": {"scale": scale, "bias": list(bias) or [0.0]}},)}


CASES: Final = (
    Case(
        "int-labels",
        "A",
        "return torch.softmax(self.l(x) * 3, 1)",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 4)",
        report="apple/coremltools#1089",
        options=TEAM,
        script=script("[10, 20, 30, 40]"),
        first_run="right",
    ),
    Case(
        "classifier-of-logits",
        "A",
        "return self.l(x) * 3",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 3)",
        options=TEAM,
        script=script('["a", "b", "c"]'),
        first_run="right",
    ),
    Case(
        "too-many-labels",
        "A",
        "return torch.softmax(self.l(x), 1)",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 3)",
        options=TEAM,
        script=script('["a", "b", "c", "d", "e"]'),
        says=(
            fails("conversion", "number of classes must match", "export.py:8", "one label for each score"),
        ),
        first_run="wrong",
    ),
    Case(
        "label-flips",
        "A",
        ("p = torch.softmax(self.l(x), 1)\nreturn torch.stack([p[:, 0], p[:, 0] + 2e-5, p[:, 1] * 0.01], 1)"),
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 2)",
        options=TEAM,
        script=script('["first", "second", "third"]'),
        says=(fails("precision", "label"),),
        first_run="wrong",
        not_right="two scores that FP16 makes equal are a near tie, which no check calls a fault",
    ),
    Case(
        "classifier-of-images",
        "A",
        "return torch.softmax(self.l(self.c(image).mean((2, 3))) * 4, 1)",
        f"for _ in range(4): yield {PIXELS} / 255",
        setup="self.c, self.l = nn.Conv2d(3, 8, 3), nn.Linear(8, 3)",
        takes="image",
        options=TEAM,
        script=script('["owl", "cat", "dog"]', shape="1, 3, 24, 24", image="scale=1 / 255"),
        says=(fails("source", "has no scale and bias", "`image = { color"),),
        first_run="wrong",
    ),
    Case(
        "frozen-batch",
        "B",
        ("b = int(x.shape[0])\nreturn self.l(x.reshape(b * 6, 4)).reshape(b, -1).sum(1)"),
        normal("2, 6, 4"),
        setup="self.l = nn.Linear(4, 4)",
        report="apple/coremltools#877",
        options={"conversion": "trace", "input": ({"name": "x", "shape": [[1, 8], 6, 4]},)},
        says=(fails("parity", "the package rejects `x (1, 6, 4)`", f"net.py:{LINE + 1}", "-1 in `reshape`"),),
        first_run="wrong",
    ),
    Case(
        "frozen-resize",
        "B",
        (
            "y = self.c(x)\n"
            "h, w = int(x.shape[2]), int(x.shape[3])\n"
            "return F.interpolate(y, size=(h, w), mode='nearest')"
        ),
        normal("1, 3, 16, 16"),
        setup="self.c = nn.Conv2d(3, 4, 3)",
        report="apple/coremltools#1631",
        options={
            "conversion": "trace",
            "input": ({"name": "x", "shapes": [[1, 3, 16, 16], [1, 3, 32, 24]]},),
        },
        says=(fails("conversion", "their ratio is not known", f"net.py:{LINE + 2}", "`scale_factor`"),),
        first_run="wrong",
    ),
    Case(
        "kernel-beyond",
        "B",
        "return self.c(x).amax(-1)",
        normal("1, 4, 20"),
        setup="self.c = nn.Conv1d(4, 8, 5)",
        options={"input": ({"name": "x", "shape": [1, 4, [2, 64]]},)},
        says=(warns("parity", "(1, 4, 2)", "the configuration allows"),),
        first_run="right",
    ),
    Case(
        "frozen-padding",
        "B",
        (
            "n = int(x.shape[2])\n"
            "y = F.pad(x, (0, (8 - n % 8) % 8))\n"
            "return self.c(y).reshape(1, 8, -1, 8).mean(-1)"
        ),
        normal("1, 4, 32"),
        setup="self.c = nn.Conv1d(4, 8, 3, padding=1)",
        report="apple/coremltools#2159",
        options={"conversion": "trace", "input": ({"name": "x", "shape": [1, 4, [8, 64]]},)},
        says=(
            fails("parity", "the package rejects `x (1, 4, 36)`", f"net.py:{LINE + 2}", "-1 in `reshape`"),
        ),
        first_run="wrong",
    ),
    Case(
        "ids-and-mask",
        "B",
        ("y = self.e(ids) * mask.unsqueeze(-1)\nreturn y.sum(1) / mask.sum(1, keepdim=True)"),
        (
            "for n in (6, 9, 4, 6):\n"
            "    yield torch.randint(0, 50, (1, n), generator=g, dtype=torch.int32), torch.ones(1, n)"
        ),
        setup="self.e = nn.Embedding(50, 8)",
        takes="ids, mask",
        report="apple/coremltools#2166",
        options={"input": ({"name": "ids", "shape": [1, [2, 12]]}, {"name": "mask", "shape": [1, [2, 12]]})},
        first_run="right",
    ),
    Case(
        "free-positions",
        "B",
        "return x + self.p(torch.arange(x.shape[1]))",
        normal("1, 16, 8"),
        setup="self.p = nn.Embedding(64, 8)",
        options={"input": ({"name": "x", "shape": [1, [4, 64], 8]},)},
        first_run="right",
    ),
    Case(
        "means-of-caffe",
        "C",
        "return F.max_pool2d(F.relu(self.c(image)), 2)",
        (f"for _ in range(4): yield {PIXELS} - torch.tensor([123.68, 116.78, 103.94]).view(1, 3, 1, 1)"),
        setup="self.c = nn.Conv2d(3, 4, 3)",
        takes="image",
        options=image_input(1.0, -123.68, -116.78, -103.94),
        first_run="right",
    ),
    Case(
        "deviations-of-nanodet",
        "C",
        "return F.max_pool2d(F.relu(self.c(image)), 2)",
        (
            f"for _ in range(4): yield ({PIXELS} - torch.tensor([103.53, 116.28, 123.675]).view(1, "
            "3, 1, 1)) / torch.tensor([57.375, 57.12, 58.395]).view(1, 3, 1, 1)"
        ),
        setup="self.c = nn.Conv2d(3, 4, 3)",
        takes="image",
        report="apple/coremltools#1651",
        options=image_input(0.017429, -1.80442437, -2.0357139600000003, -2.117934375),
        says=(fails("source", "needs pixels from", "divide by the deviations"),),
        first_run="right",
    ),
    Case(
        "bias-of-the-other-sign",
        "C",
        "return F.max_pool2d(F.relu(self.c(image)), 2)",
        f"for _ in range(4): yield {PIXELS} / 127.5 - 1",
        setup="self.c = nn.Conv2d(3, 4, 3)",
        takes="image",
        options=image_input(0.00784313725490196, 1.0, 1.0, 1.0),
        says=(fails("source", "bias = [-1, -1, -1]"),),
        first_run="right",
    ),
    Case(
        "bias-before-the-scale",
        "C",
        "return F.max_pool2d(F.relu(self.c(image)), 2)",
        f"for _ in range(4): yield ({PIXELS} - 127.5) / 127.5",
        setup="self.c = nn.Conv2d(3, 4, 3)",
        takes="image",
        report="apache/mxnet#7933",
        options=image_input(0.00784313725490196, -127.5, -127.5, -127.5),
        says=(fails("source", "scale = 0.007843137, bias = [-1, -1, -1]"),),
        first_run="right",
    ),
    Case(
        "scale-of-127",
        "C",
        "return F.max_pool2d(F.relu(self.c(image)), 2)",
        f"for _ in range(4): yield {PIXELS} / 127.5 - 1",
        setup="self.c = nn.Conv2d(3, 4, 3)",
        takes="image",
        report="apple/coremltools#1087",
        options=image_input(0.007874015748031496, -1.0, -1.0, -1.0),
        says=(warns("image-input", "scale = 0.007843137, bias = [-1, -1, -1]"),),
        first_run="right",
    ),
    Case(
        "causal-attention-of-ios-18",
        "D",
        (
            "q, k, v = self.q(x), self.k(x), self.v(x)\n"
            "return F.scaled_dot_product_attention(q, k, v, is_causal=True)"
        ),
        normal("1, 12, 16"),
        setup="self.q, self.k, self.v = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16)",
        report="apple/coremltools#2573",
        options={"deployment_target": "iOS18"},
        first_run="right",
    ),
    Case(
        "script-of-a-team",
        "D",
        "return self.b(F.gelu(self.a(x)))",
        normal("1, 8"),
        setup="self.a, self.b = nn.Linear(8, 32), nn.Linear(32, 4)",
        options=TEAM,
        script=script(),
        first_run="right",
    ),
    Case(
        "prelu-of-a-vector",
        "D",
        "return self.p(self.l(x))",
        normal("1, 8"),
        setup="self.l, self.p = nn.Linear(8, 6), nn.PReLU(6)",
        first_run="right",
    ),
    Case(
        "logaddexp",
        "D",
        "return torch.logaddexp(x, self.l(x))",
        normal("1, 8"),
        setup="self.l = nn.Linear(8, 8)",
        notes=("the documented call of coremltools rejects this model",),
        first_run="right",
    ),
    Case(
        "script-with-other-weights",
        "D",
        "return self.a(x)",
        normal("1, 8"),
        setup="self.a = nn.Linear(8, 4)",
        options=TEAM,
        script=script(before="module.a.weight.data.mul_(1.01)"),
        says=(fails("parity", "0 of 1 weight matrices", "export.py:to_coreml"),),
        first_run="right",
    ),
)
