"""Kinds A to D and J: interfaces, the documented conversion, and what must be measured."""

from typing import Final

from tests.reports.case import LINE, Case, fails, normal, warns

CONV: Final = "self.c = nn.Conv2d(3, 4, 3)"
LENGTHS: Final = ({"name": "x", "shape": [1, 4, [8, 64]]},)
STEPS: Final = ({"name": "x", "shape": [1, [2, 12], 8]},)
HALVED: Final = "n = int(x.shape[2]) // 2\nreturn self.c(x).reshape(1, 16, n).mean(-1)"
CONV1: Final = "self.c = nn.Conv1d(4, 8, 3, padding=1)"
PIXELS: Final = "torch.randint(0, 256, (1, 3, 24, 24), generator=g).float()"
IMAGE: Final = "return F.pixel_shuffle(F.relu(self.c(image)), 2)"


def _lengths(shape: str, *sizes: int) -> str:
    return f"for n in {sizes}: yield torch.randn({shape}, generator=g)"


def _image(scale: float, *bias: float) -> dict[str, object]:
    return {"input": ({"name": "image", "image": {"scale": scale, "bias": list(bias) or [0.0]}},)}


CASES: Final = (
    Case(
        "frozen-length",
        "B",
        HALVED,
        normal("1, 4, 32"),
        setup=CONV1,
        report="apple/coremltools#914",
        options={"input": LENGTHS},
        says=(
            fails(
                "parity", "the package rejects `x (1, 4, 8)`, `x (1, 4, 64)`", "`flatten`, -1 in `reshape`"
            ),
        ),
        quick=True,
    ),
    Case(
        "frozen-length-of-several",
        "B",
        HALVED,
        _lengths("1, 4, n", 32, 64, 16, 32),
        setup=CONV1,
        report="apple/coremltools#914",
        options={"input": LENGTHS, "conversion": "trace"},
        says=(fails("parity", "the package rejects `x (1, 4, 64)`", "the source accepts"),),
    ),
    Case(
        "frozen-divisor",
        "B",
        "return self.c(x).sum(-1) / int(x.shape[2])",
        normal("1, 4, 32"),
        setup=CONV1,
        options={"input": LENGTHS, "conversion": "trace"},
        says=(fails("parity", "with samples of shape (1, 4, 8)", "3 of 3 other shapes"), warns("rules")),
    ),
    Case(
        "position-table",
        "B",
        "return self.e(x) + self.p[: x.shape[1]]",
        normal("1, 16, 8"),
        setup="self.e = nn.Linear(8, 8)\nself.p = nn.Parameter(torch.randn(32, 8))",
        options={"input": ({"name": "x", "shape": [1, [4, 64], 8]},), "conversion": "trace"},
        says=(warns("parity", "`x (1, 64, 8)`", "which the configuration allows"),),
    ),
    Case(
        "free-length",
        "B",
        "return torch.relu(self.c(x)).mean(-1)",
        normal("1, 4, 32"),
        setup=CONV1,
        options={"input": LENGTHS},
    ),
    Case(
        "free-image-size",
        "B",
        "return self.c(image).mean((2, 3))",
        f"for _ in range(4): yield {PIXELS} / 255",
        takes="image",
        setup=CONV,
        options={
            "input": (
                {"name": "image", "shapes": [[1, 3, 24, 24], [1, 3, 32, 48]], "image": {"scale": 1 / 255}},
            )
        },
    ),
    Case(
        "scale-of-another-range",
        "C",
        IMAGE,
        f"for _ in range(4): yield {PIXELS} / 255",
        takes="image",
        setup=CONV,
        report="john-rocky/CoreML-Models#6",
        options=_image(1 / 127.5, -1.0, -1.0, -1.0),
        says=(
            warns(
                "image-input", "another scale or bias", "image = { scale = 0.003921569, bias = [0, 0, 0] }"
            ),
        ),
        quick=True,
    ),
    Case(
        "three-deviations",
        "C",
        IMAGE,
        "mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)\n"
        "std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)\n"
        "for _ in range(4):\n"
        "    yield (torch.randint(30, 220, (1, 3, 24, 24), generator=g).float() / 255 - mean) / std",
        takes="image",
        setup=CONV,
        report="john-rocky/CoreML-Models#32",
        options=_image(0.017352607709750568, -2.146, -2.0179, -1.7965),
        says=(warns("image-input", "one scale cannot express the deviations", "divide by the deviations"),),
    ),
    Case(
        "pixels-below-zero",
        "C",
        IMAGE,
        f"for _ in range(4): yield {PIXELS} / 127.5 - 1",
        takes="image",
        setup=CONV,
        report="apple/coremltools#905",
        options=_image(1 / 255),
        says=(fails("source", "needs pixels from -255 to 255", "scale = 0.007843137, bias = [-1, -1, -1]"),),
    ),
    Case(
        "unit-scale",
        "C",
        IMAGE,
        f"for _ in range(4): yield {PIXELS} / 255",
        takes="image",
        setup=CONV,
        options=_image(1 / 255),
    ),
    Case(
        "attention-of-ios-18",
        "D",
        "q, k, v = self.qkv(x).view(1, -1, 3, 4, 16).permute(2, 0, 3, 1, 4)\n"
        "return self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))",
        normal("1, 128, 64"),
        setup="self.qkv, self.o = nn.Linear(64, 192), nn.Linear(64, 64)",
        report="apple/coremltools#2864",
        options={"deployment_target": "iOS18"},
    ),
    Case(
        "encoder-of-ios-17",
        "D",
        "return self.e(x)",
        normal("1, 10, 16"),
        setup="self.e = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)",
    ),
    Case(
        "softplus-with-a-threshold",
        "D",
        "return F.softplus(x * 2, threshold=1)",
        normal("1, 16"),
        report="apple/coremltools#2725",
        says=(fails("parity", "softplus", f"net.py:{LINE}", 'conversion = "decomposed"'), warns("rules")),
        quick=True,
    ),
    Case(
        "no-plain-conversion",
        "D",
        "return torch.addcmul(x, x, x)",
        normal("1, 16"),
        notes=(
            "the documented call of coremltools rejects this model: no converter for `addcmul`; converted by",
        ),
    ),
    Case(
        "gru-of-any-length",
        "J",
        "return self.o(self.r(x)[0])",
        _lengths("1, n, 8", 5, 3, 9, 5),
        setup="self.r, self.o = nn.GRU(8, 6, batch_first=True), nn.Linear(6, 3)",
        report="apple/coremltools#756",
        options={"input": STEPS},
    ),
    Case(
        "encoder-and-gru",
        "J",
        "return self.r(self.e(x))[0]",
        _lengths("1, n, 8", 5, 3, 9, 5),
        setup="self.e = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)\n"
        "self.r = nn.GRU(8, 6, batch_first=True)",
        report="apple/coremltools#880",
        options={"input": STEPS},
    ),
    Case(
        "two-way-lstm",
        "J",
        "return self.o(self.r(x)[0])",
        normal("1, 10, 8"),
        setup="self.r = nn.LSTM(8, 6, 2, batch_first=True, bidirectional=True)\nself.o = nn.Linear(12, 3)",
        options={"input": STEPS},
    ),
    Case(
        "rnn-last-state",
        "J",
        "return self.r(x)[1]",
        normal("1, 10, 8"),
        setup="self.r = nn.RNN(8, 6, batch_first=True)",
        options={"input": STEPS},
    ),
    Case(
        "returned-twice",
        "J",
        "d = torch.zeros(2)\ny = x * 2\nreturn d, d, y, y",
        normal("2, 2"),
        report="apple/coremltools#1450",
        notes=("are one tensor: the package has one output for them",),
        says=(warns("rules", "`constant-output` at `output_1`"),),
        quick=True,
    ),
)
