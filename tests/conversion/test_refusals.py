"""A refused conversion names the operation, its line and the cause, and only ways out that work.

Each model is converted for real: what the table says is held against the words of the installed converter.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from coreml_gate.config import ModelInput
from coreml_gate.conversion.failures import CAUSES, cause_of
from tests.conversion.conftest import MakeBench


def _net(body: str, *statements: str, made: str = "pass") -> str:
    lines = "".join(f"        {line}\n" for line in statements)
    return (
        "import torch.nn.functional as F\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        f"        super().__init__()\n        {made}\n"
        f"    def forward(self, x):\n{lines}        return {body}\n"
    )


@dataclass(frozen=True)
class Refused:
    """One model that coremltools refuses, and what the gate says of it."""

    text: str
    shape: tuple[Any, ...]
    operations: str
    """One of these is named, with a vertical bar between them: routes call one thing by different names."""
    cause: str
    hint: str
    options: dict[str, Any] = field(default_factory=dict)
    line: int = 9


TRACE = {"conversion": "trace"}
LATER = {"deployment_target": "iOS15"}
UP = "self.up = nn.{}"
REFUSED = {
    "transposed": Refused(
        _net("self.up(x)", made=UP.format("ConvTranspose2d(3, 3, 3, stride=2, output_padding=1)")),
        (1, 3, 6, 6), "convolution|conv_transpose2d", "`output_padding` with `padding = 0`", "pad the result",
    ),
    "transposed-1d": Refused(
        _net("self.up(x)", made=UP.format("ConvTranspose1d(3, 3, 3, stride=2, output_padding=1)")),
        (1, 3, 6), "convolution|conv_transpose1d", "`output_padding` with `padding = 0`", "pad the result",
    ),
    "transposed-groups": Refused(
        _net("self.up(x)", made=UP.format("ConvTranspose2d(4, 4, 3, stride=3, output_padding=1, groups=2)")),
        (1, 4, 6, 6), "convolution|conv_transpose2d", "`output_padding` with `padding = 0`", "pad the result",
    ),
    "transposed-3d": Refused(
        _net("self.up(x)", made=UP.format("ConvTranspose3d(2, 2, 3, stride=2, padding=1, output_padding=1)")),
        (1, 2, 4, 4, 4), "convolution|conv_transpose3d", "transposed 3-D convolution", "pad the result",
    ),
    "cumsum": Refused(_net("x.cumsum(-2)"), (2, 3, 4), "cumsum", "only for -1", "from the front"),
    "cumsum-3": Refused(
        _net("torch.cumsum(x, dim=-3)"), (2, 3, 4), "cumsum", "only for -1", "from the front"
    ),
    "logcumsumexp": Refused(
        _net("x.logcumsumexp(-2)"), (2, 3, 4), "logcumsumexp", "only for -1", "from the front"
    ),
    "gradient": Refused(
        _net("f", "with torch.enable_grad():", "    p = x.detach().requires_grad_()",
             "    f = torch.autograd.grad(p.tanh().sum(), p)[0]"),
        (2, 3), "", "no backward pass", "by the chain rule", line=11,
    ),
    "complex-product": Refused(
        _net("y.real + y.imag", "y = torch.fft.rfft(x, dim=1)", "y = y * torch.complex(x[:, :3], x[:, :3])"),
        (1, 4), "mul", "no complex numbers", "`torch.complex(x.real * h.real - x.imag", TRACE, line=10,
    ),
    "autocast": Refused(
        _net("y.float()", "with torch.autocast('cpu', dtype=torch.bfloat16):", "    y = x @ x"),
        (3, 3), "to|_to_copy", "no bfloat16", "`enabled=False`", line=10,
    ),
    "sparse": Refused(
        _net("torch.sparse.mm(self.h.to_sparse(), x)", made="self.register_buffer('h', torch.eye(3))"),
        (3, 4), "to_sparse|_to_sparse", "", "no sparse tensors", line=9,
    ),
    "topk": Refused(
        _net("x.topk(2, sorted=False)[0]"), (2, 8), "topk", "later iOS",
        'converts with `deployment-target = "iOS16"` (tried); or leave `sorted`', LATER,
    ),
    "topk-smallest": Refused(
        _net("x.topk(3, largest=False, sorted=False)[1]"), (2, 8), "topk", "later iOS",
        'converts with `deployment-target = "iOS16"` (tried)', LATER,
    ),
    "split": Refused(
        _net("x.split(x.shape[1] // 2, dim=1)[0]"), (1, (4, 16), 4), "split_with_sizes|split",
        "follow a flexible axis", "enumerate `shapes`",
    ),
    "chunk": Refused(
        _net("a - b", "a, b = x.sum(2).chunk(2, dim=1)"), (1, (4, 16), 4), "split_with_sizes|split|chunk",
        "follow a flexible axis", "enumerate `shapes`", line=9,
    ),
    "fill": Refused(
        _net("y + x", "y = x.relu()", "y.fill_(1.0)"), (2, 3), "fill_", "writes in place",
        'converts with `conversion = "export"` (tried); or write `torch.full_like', TRACE, line=10,
    ),
    "fill-sum": Refused(
        _net("y", "y = x + 1", "y.fill_(3.0)"), (2, 3), "fill_", "writes in place",
        'converts with `conversion = "export"` (tried)', TRACE, line=10,
    ),
    "copy": Refused(
        _net("y", "y = x * 2", "y.copy_(x)"), (2, 3), "copy_", "writes in place",
        'converts with `conversion = "export"` (tried)', TRACE, line=10,
    ),
    "resize": Refused(
        _net('F.interpolate(x, scale_factor=1.5, mode="bilinear")'), (1, 2, 7, 7), "upsample_bilinear2d",
        "not a whole multiple", "recompute_scale_factor=True",
    ),
    "resize-both": Refused(
        _net('F.interpolate(x, scale_factor=(1.3, 2.1), mode="bilinear")'), (1, 2, 7, 7),
        "upsample_bilinear2d", "not a whole multiple", "recompute_scale_factor=True",
    ),
    "resize-smaller": Refused(
        _net('F.interpolate(x, scale_factor=0.7, mode="bilinear")'), (1, 2, 9, 9), "upsample_bilinear2d",
        "not a whole multiple", "`size=`",
    ),
    "average": Refused(
        _net("F.avg_pool2d(x, 2, divisor_override=3)"), (1, 2, 8, 8), "avg_pool2d", "size of its window",
        "multiply the result",
    ),
    "dilated": Refused(
        _net("F.max_pool2d(x, 2, dilation=2)"), (1, 2, 8, 8), "max_pool2d_with_indices|max_pool2d",
        "no dilation", ".amax(0)",
    ),
    "functional": Refused(
        _net("torch.func.grad(lambda p: self.l(p).sum())(x)", made="self.l = nn.Linear(4, 2)"), (3, 4), "",
        "computes a gradient", "derivative",
    ),
    "diagonal": Refused(_net("x.diagonal(1)"), (4, 4), "diagonal", "first two axes", "permute"),
    "bits": Refused(_net("x.int() & 3"), (2, 4), "bitwise_and|__and__", "no bitwise operations", "x % 2"),
    "both-ways": Refused(
        _net("self.r(x)[0]", made="self.r = nn.RNN(4, 3, bidirectional=True, batch_first=True)"),
        (1, 5, 4), "rnn_tanh", "bidirectional `nn.RNN`",
        'converts with `conversion = "export"` (tried)', TRACE,
    ),
    "adaptive": Refused(
        _net("F.adaptive_avg_pool1d(x, 3)"), (1, 2, (8, 32)),
        "_adaptive_avg_pool2d|adaptive_avg_pool1d|adaptive_avg_pool2d", "follow the size", "output size of 1",
    ),
    "grids": Refused(
        _net(
            "F.grid_sample(x, g, align_corners=False)",
            "g = F.affine_grid(torch.eye(2, 3)[None], (1, 2, 8, 8), align_corners=True)",
        ),
        (1, 2, 8, 8), "grid_sampler", "different `align_corners`", "same `align_corners`", TRACE, line=10,
    ),
    "windows": Refused(
        _net("y", "y = x.reshape(1, 2, 2, 2, 2, 3).relu()"), (1, 4, 4, 3), "", "more than 5 axes",
        "merge axes",
    ),
    "windows-of-a-trace": Refused(
        _net("y.amax(-1)", "y = x.reshape(1, 2, 2, 2, 2, 3) * 2"), (1, 4, 4, 3), "", "more than 5 axes",
        "merge axes", TRACE,
    ),
    "resize-to-a-size": Refused(
        _net("F.interpolate(x, size=(16, 16))"), (1, 2, (8, 32), (8, 32)), "upsample_nearest2d",
        "their ratio is not known", "`scale_factor`",
    ),
    "resize-to-a-size-bilinear": Refused(
        _net('F.interpolate(x, size=(16, 16), mode="bilinear")'), (1, 2, (8, 32), (8, 32)),
        "upsample_bilinear2d", "their ratio is not known", "`scale_factor`",
    ),
    "resize-to-anothers-size": Refused(
        _net('F.interpolate(self.p, size=x.shape[-2:], mode="bilinear")',
             made="self.p = nn.Parameter(torch.randn(1, 2, 4, 4))"),
        (1, 2, (8, 32), (8, 32)), "", "from another value than the input", "F.grid_sample(x, torch.stack([",
    ),
    "inverse-of-real-numbers": Refused(
        _net("torch.fft.irfft(x)"), (2, 9), "fft_irfft", "given real ones",
        "`torch.complex(x, torch.zeros_like(x))`",
    ),
    "repeated-by-values": Refused(
        _net("x.repeat_interleave(n, dim=0)", "n = (x[:, 0] > 0).long() + 1"), (3, 4), "repeat_interleave",
        "computed at run time", "`ends = repeats.cumsum(0)`", line=10,
    ),
    "narrow-at-a-value": Refused(
        _net("x.narrow(1, n, 2)", "n = (x[0, 0] > 0).long()"), (3, 4), "narrow", "where a piece begins",
        "`x[:, start + torch.arange(size)]`", line=10,
    ),
    "unfold": Refused(
        _net("x.unfold(1, 4, 2).mean(-1)"), (2, 16), "unfold", "", "write `torch.stack([x[..., i"
    ),
    "transposed-by-mt": Refused(
        _net("x @ x.mT"), (2, 3, 4), "mT", "", "write `x.transpose(-2, -1)`", TRACE
    ),
    "third-smallest": Refused(
        _net("x.kthvalue(3, 1)[0]"), (2, 9), "kthvalue", "", "write `torch.topk(x, k, dim, largest=False)"
    ),
    "remainder-in-c": Refused(
        _net("torch.fmod(x, 3.0)"), (2, 9), "fmod", "", "torch.div(x, y, rounding_mode="
    ),
    "cubic-grids": Refused(
        _net('F.grid_sample(x, g, mode="bicubic", align_corners=False)', "g = x.permute(0, 2, 3, 1)"),
        (1, 2, 8, 8), "grid_sampler", "not by cubic", 'mode="bilinear"', line=10,
    ),
    "missing": Refused(
        _net("torch.special.i0(x)"), (2, 3), "i0|special_i0", "", "write it with other operations"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_the_operation_its_line_the_cause_and_a_way_out(bench: MakeBench, name: str) -> None:
    case = REFUSED[name]
    inputs = (ModelInput(name="x", shape=case.shape),)
    facts = bench(case.text, input=inputs, **case.options).convert().facts
    assert facts.status == "failed"
    assert facts.refused is not None
    assert facts.refused.operation in case.operations.split("|")
    assert facts.refused.place == f"net.py:{case.line}"
    assert case.cause in facts.refused.cause
    assert case.hint in facts.hint


def test_no_way_out_names_a_route() -> None:
    """The gate tries routes itself: ``conversion = ...`` stands in a hint only behind "converts with"."""
    assert not [cause.way_out for cause in CAUSES if "conversion = " in cause.way_out]


PASS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        index = torch.arange(0, {count}).view(1, -1, 1, 1).float()
        self.register_buffer("index", index)
        self.register_buffer("last", torch.tensor([float({count} - 1)]).view(1, -1, 1, 1))
    def forward(self, x):
        p = torch.sigmoid(x).clamp(1e-4, 1 - 1e-4)
        n, r = self.last, self.index
        y = {body}
        return y.softmax(1)
"""
BODIES = {
    "binomial": "r * torch.log(r + 1) + r * torch.log(p) + (n - r) * torch.log(1 - p)",
    "scaled": "(r * 2 + 1) + r * torch.log(p)",
    "shifted": "torch.log(r + 2) + r * torch.log(p)",
}


@pytest.mark.parametrize("body", BODIES)
def test_a_pass_that_raises_is_left_out_and_tried(bench: MakeBench, body: str) -> None:
    inputs = (ModelInput(name="x", shape=(1, 1, 6, 6)),)
    facts = bench(PASS.format(count=5, body=BODIES[body]), input=inputs).convert().facts
    assert facts.status == "failed"
    assert facts.refused is not None
    assert facts.refused.optimisation_pass == "common::fuse_elementwise_to_batchnorm"
    assert facts.refused.place in {"net.py:13", "net.py:14"}
    found = 'converts with `converter = { skip-passes = ["common::fuse_elementwise_to_batchnorm"] }` (tried)'
    assert facts.hint.startswith(found)


def test_both_routes_give_their_reasons(bench: MakeBench) -> None:
    inputs = (ModelInput(name="x", shape=(2, 3, 4)),)
    facts = bench(_net("x.cumsum(-2)"), input=inputs).convert().facts
    said = "`cumsum` (net.py:9): ValueError: axis should be in the range [-1, 2]"
    assert facts.notes == (
        f"the export route with torch's core decompositions failed: {said}",
        f"the trace route failed: {said}",
    )


WORDS = {
    "only 0-dimensional arrays can be converted to Python scalars": "numpy 2.4",
    "Conversion for models with only ATEN or EDGE dialect is supported/tested. Provided Dialect: TRAINING": (
        "exported for training"
    ),
    "State model is supported only >= iOS18. Please update the minimum_deployment_target": "needs iOS 18",
    "The 4-bit quantization is supported since iOS18.": "later iOS",
    "Core ML cannot handle user input mutation, because": "writes into an input",
    "For mlprogram, inputs with infinite upper_bound is not allowed.": "no upper bound",
    "Could not guard on data-dependent expression Eq(u0, 1)": "branches on the values",
    "float16 dtype for inputs is only supported for deployment target >= iOS16/macOS13": "later iOS",
    "This op does not support complex number dtype.": "no complex numbers",
    "Unable to determine the type of the model, i.e. the source framework": "torch.export of this torch",
    "Core ML only supports tensors with rank <= 5. Layer": "more than 5 axes",
    "In op 'classify', number of classes must match the size of the tensor": "more or fewer classes",
    "multinomial: When num_samples is larger than 1, only replacement=True is supported.": "with replacement",
    "Currently we only support a single activation dtype; quantized": "the source is quantised",
    "Only static shape of PackedSequence object is supported.": "fixed length",
    "KeyError: torch.bfloat16": "no bfloat16",
    "KeyError: np.int32(15)": "no bfloat16",
    "through: /lib/torch/_functorch/apis.py, /lib/torch/_functorch/eager_transforms.py": "a gradient, but",
    "through: /lib/torch/autograd/functional.py": "computes a gradient",
    "through: /lib/torch/nn/utils/rnn.py": "packed sequence",
    "Dynamic padding for n-dimensional tensors is not supported.": "a flexible size",
}


@pytest.mark.parametrize("words", WORDS)
def test_the_converters_words_and_what_they_mean(words: str) -> None:
    cause = cause_of(words)
    assert cause is not None
    assert WORDS[words] in cause.cause


def test_unknown_words_mean_nothing() -> None:
    assert cause_of("the moon is full") is None


def test_what_a_message_means_depends_on_the_operation() -> None:
    words = "TypeError: 'NoneType' object is not iterable"
    assert cause_of(words, "linear") is None
    found = cause_of(words, "conv_transpose1d")
    assert found is not None
    assert "#2377" in found.cause


def test_sixty_errors_are_known_and_every_pattern_is_one() -> None:
    assert len(CAUSES) >= 60
    assert all(re.compile(cause.words) and cause.cause for cause in CAUSES)
    assert len({cause.words for cause in CAUSES}) == len(CAUSES)
