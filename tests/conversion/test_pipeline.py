from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from coreml_gate.config import Compression, ImageInput, ModelInput
from coreml_gate.config.options import Converter
from coreml_gate.conversion import convert
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.engines.source import run_source
from coreml_gate.mil.package import read_package
from tests.conversion.conftest import MakeBench, saved

X = (ModelInput(name="x", shape=(1, 4)),)
LINEAR = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)
    def forward(self, x):
        return self.fc(x).relu()
"""


def test_default_is_a_float32_twin_and_a_float16_package(bench: MakeBench) -> None:
    done = bench(LINEAR, input=X).convert()
    facts = done.facts
    assert (facts.status, facts.route, facts.notes, facts.cached) == ("converted", "export", (), False)
    assert facts.seconds > 0
    reference, package = saved(done.reference), saved(done.package)
    assert done.reference != done.package
    for side in (reference, package):
        assert side.inputs == {"x": ("float32", [1, 4])}
        assert side.outputs == {"output_0": ("float32", [1, 3])}
    assert reference.operations == ["linear", "relu"]
    assert package.operations == ["cast", "linear", "relu", "cast"]
    assert package.spec.specificationVersion == 8


def test_float32_is_converted_once_for_the_chosen_target(bench: MakeBench) -> None:
    done = bench(
        LINEAR, input=X, precision="float32", deployment_target="iOS18", conversion="trace"
    ).convert()
    assert done.facts.route == "trace"
    assert done.reference == done.package
    assert saved(done.package).operations == ["linear", "relu"]
    assert saved(done.package).spec.specificationVersion == 9


def test_keywords_dicts_none_integers_and_booleans(bench: MakeBench) -> None:
    made = bench(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 4)
    def forward(self, tokens, skipped=None, keep=None):
        rows = self.table(tokens) * keep.unsqueeze(-1)
        return {"rows": rows, "nothing": skipped, "count": tokens + 1, "positive": rows > 0}
def samples():
    return [{"keep": torch.ones(1, 5, dtype=torch.bool), "tokens": torch.arange(5).reshape(1, 5)}]
""",
        samples="net.py:samples",
        precision="float32",
    )
    package = saved(made.convert().package)
    assert package.inputs == {"tokens": ("int32", [1, 5]), "keep": ("float32", [1, 5])}
    assert package.outputs == {
        "rows": ("float32", [1, 5, 4]),
        "count": ("int32", [1, 5]),
        "positive": ("float32", [1, 5, 4]),
    }


def test_output_names_from_the_configuration(bench: MakeBench) -> None:
    assert list(saved(bench(LINEAR, input=X, output=("scores",)).convert().package).outputs) == ["scores"]


def test_too_many_output_names(bench: MakeBench) -> None:
    facts = bench(LINEAR, input=X, output=("a", "b")).convert().facts
    assert facts.status == "failed"
    assert "names 2 outputs, the source returns 1: `output_0`" in facts.message


TWO = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(4, 3)
    def forward(self, x):
        y = self.line(x)
        return {outputs}
"""


def test_two_outputs_of_one_name_in_the_package_are_named(bench: MakeBench) -> None:
    facts = bench(TWO.format(outputs='{"a b": y, "a_b": y * 2}'), input=X).convert().facts
    assert facts.status == "failed"
    assert facts.message == (
        "outputs `a b` and `a_b` would both be `a_b` in the package: coremltools writes `_` for every "
        "character but letters, digits and `_`."
    )
    assert facts.hint == "rename one of them in the source, or give every output a name in `output`."


def test_outputs_that_coremltools_tells_apart_are_none_of_one_name(bench: MakeBench) -> None:
    done = bench(TWO.format(outputs='{"a_b": y, "a b": y * 2}'), input=X).convert()
    assert list(saved(done.package).outputs) == ["a_b", "a_b_0"]


def test_a_clash_of_names_by_the_order_of_operations_has_its_cause(bench: MakeBench) -> None:
    facts = bench(TWO.format(outputs='{"a_b": y * 2, "a b": y}'), input=X).convert().facts
    assert facts.refused is not None
    assert "have the same name in the package" in facts.refused.cause
    assert facts.hint == "rename one of them in the source, or give every output a name in `output`."


def _ranges(bench: MakeBench, text: str, **options: Any) -> list[list[tuple[int, int]]]:
    package = saved(bench(text, precision="float32", **options).convert().package)
    return [
        [(size.lowerBound, size.upperBound) for size in item.type.multiArrayType.shapeRange.sizeRanges]
        for item in package.spec.description.input
    ]


SUM = "class Net(nn.Module):\n    def forward(self, x, y):\n        return x * y + x.shape[1]\n"


@pytest.mark.parametrize("route", ["export", "trace"])
def test_ranges_reach_the_package(bench: MakeBench, route: str) -> None:
    inputs = (ModelInput(name="x", shape=(1, (2, 32))), ModelInput(name="y", shape=(1, (2, 32))))
    assert _ranges(bench, SUM, input=inputs, conversion=route) == [[(1, 1), (2, 32)]] * 2


def test_enumerated_shapes_reach_the_package(bench: MakeBench) -> None:
    text = "class Net(nn.Module):\n    def forward(self, x):\n        return x.relu()\n"
    inputs = (ModelInput(name="x", shapes=((1, 4), (1, 8))),)
    package = saved(bench(text, input=inputs).convert().package)
    array = package.spec.description.input[0].type.multiArrayType
    assert [list(shape.shape) for shape in array.enumeratedShapes.shapes] == [[1, 4], [1, 8]]
    assert list(array.shape) == [1, 4]


def test_a_dimension_that_the_source_fixes_is_named(bench: MakeBench) -> None:
    text = "class Net(nn.Module):\n    def forward(self, x):\n        return x.reshape(2, 4) + 1\n"
    inputs = (ModelInput(name="x", shape=(1, (2, 8))),)
    facts = bench(text, input=inputs, conversion="export").convert().facts
    assert facts.status == "failed"
    assert facts.message.startswith("input `x`: dimension 1 is configured as [2, 8]")
    assert "its size of 8 as a constant" in facts.message


def test_images_keep_scale_and_bias_in_the_program(bench: MakeBench) -> None:
    image = ImageInput(scale=0.5, bias=(1.0, 2.0, 3.0), color="BGR")
    text = "class Net(nn.Module):\n    def forward(self, x):\n        return x.mean((2, 3))\n"
    inputs = (ModelInput(name="x", shape=(1, 3, 8, 8), image=image),)
    package = saved(bench(text, input=inputs, precision="float32").convert().package)
    kind = package.spec.description.input[0].type.imageType
    assert (kind.width, kind.height) == (8, 8)
    assert kind.ColorSpace.Name(kind.colorSpace) == "BGR"
    assert package.operations == ["mul", "add", "reduce_mean"]


def test_grey_images(bench: MakeBench) -> None:
    text = "class Net(nn.Module):\n    def forward(self, x):\n        return x.mean((2, 3))\n"
    image = ImageInput(color="GRAYSCALE", scale=0.5)
    inputs = (ModelInput(name="x", shape=(1, 1, 8, 8), image=image),)
    package = saved(bench(text, input=inputs, precision="float32").convert().package)
    kind = package.spec.description.input[0].type.imageType
    assert kind.ColorSpace.Name(kind.colorSpace) == "GRAYSCALE"
    assert package.operations == ["mul", "reduce_mean"]


def test_a_range_without_an_end_fails_with_the_way_out(bench: MakeBench) -> None:
    text = "class Net(nn.Module):\n    def forward(self, x):\n        return x.relu()\n"
    facts = bench(text, input=(ModelInput(name="x", shape=(1, (2, -1))),)).convert().facts
    assert facts.status == "failed"
    assert "infinite upper_bound" in facts.message
    assert "set an upper bound" in facts.hint


def test_float16_inputs(bench: MakeBench) -> None:
    inputs = (ModelInput(name="x", shape=(1, 4), dtype="float16"),)
    assert saved(bench(LINEAR, input=inputs).convert().package).inputs == {"x": ("float16", [1, 4])}


@pytest.mark.parametrize(
    ("options", "target", "operation"),
    [
        (Compression(method="linear-int8", weight_threshold=0), "iOS17", "constexpr_affine_dequantize"),
        (Compression(method="palettize", bits=4, weight_threshold=0), "iOS17", "constexpr_lut_to_dense"),
        (
            Compression(method="linear-int4", block_size=16, weight_threshold=0),
            "iOS18",
            "constexpr_blockwise_shift_scale",
        ),
    ],
)
def test_compression_changes_the_package_alone(
    bench: MakeBench, options: Compression, target: str, operation: str
) -> None:
    text = "class Net(nn.Linear):\n    def __init__(self):\n        super().__init__(32, 32)\n"
    inputs = (ModelInput(name="input", shape=(1, 32)),)
    done = bench(text, input=inputs, compress=options, deployment_target=target).convert()
    assert operation in saved(done.package).operations
    assert operation not in saved(done.reference).operations


def test_compression_never_raises_the_deployment_target(bench: MakeBench) -> None:
    text = "class Net(nn.Linear):\n    def __init__(self):\n        super().__init__(64, 64)\n"
    inputs = (ModelInput(name="input", shape=(1, 64)),)
    options = Compression(method="palettize", bits=4)
    facts = bench(text, input=inputs, compress=options, deployment_target="iOS15").convert().facts
    assert facts.status == "failed"
    assert "specification version from 6 to 7" in facts.message
    assert '"iOS16"' in facts.hint


def test_skipped_passes_and_their_spelling(bench: MakeBench) -> None:
    text = "class Net(nn.Module):\n    def forward(self, x):\n        return x.reshape(2, 2).reshape(4, 1)\n"
    passes = Converter(skip_passes=("common::merge_consecutive_reshapes",))
    kept = bench(text, input=X, precision="float32", converter=passes)
    assert saved(kept.convert().package).operations == ["reshape", "reshape"]
    wrong = bench(text, input=X, converter=Converter(skip_passes=("common::nothing",))).convert()
    assert wrong.facts.status == "failed"
    assert "`common::nothing`" in wrong.facts.message


BRANCH = """
class Net(nn.Module):
    def forward(self, x):
        if x.sum() > 100:
            return x - 1
        return x + 1
"""


def test_auto_falls_back_to_tracing_and_says_so(bench: MakeBench) -> None:
    done = bench(BRANCH, input=X, precision="float32").convert()
    assert (done.facts.status, done.facts.route) == ("converted", "trace")
    failed, frozen = done.facts.notes
    assert failed.startswith("the export route failed: GuardOnDataDependentSymNode")
    assert "net.py:6" in frozen
    assert saved(done.package).operations == ["add"]


def test_a_failed_export_keeps_the_words_and_hints(bench: MakeBench) -> None:
    facts = bench(BRANCH, input=X, conversion="export").convert().facts
    assert (facts.status, facts.route) == ("failed", "export")
    assert "(net.py:6)" in facts.message.splitlines()[0]
    assert "Traceback" not in facts.message
    assert 'File "' not in facts.message
    assert "torch.where" in facts.hint


STATE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.{fill}(1, 4))
    def forward(self, x):
        self.total.add_(x)
        return self.total * 2
"""


@pytest.mark.parametrize("route", ["export", "trace"])
def test_a_changed_buffer_becomes_a_state(bench: MakeBench, route: str) -> None:
    options = {"input": X, "precision": "float32", "conversion": route, "deployment_target": "iOS18"}
    done = bench(STATE.format(fill="zeros"), **options).convert()
    package = saved(done.package)
    assert [state.name for state in package.spec.description.state] == ["total"]
    assert {"read_state", "write_state"} <= set(package.operations)
    assert done.facts.notes == ("buffer `total` became a state, which Core ML keeps in float16",)


def test_a_state_that_does_not_start_at_zero_is_noted(bench: MakeBench) -> None:
    done = bench(STATE.format(fill="ones"), input=X, deployment_target="iOS18").convert()
    assert done.facts.notes[-1] == "`total` does not start at zero, as a Core ML state does"


def test_a_changed_buffer_is_never_frozen_silently(bench: MakeBench) -> None:
    facts = bench(STATE.format(fill="zeros"), input=X, deployment_target="iOS17").convert().facts
    assert facts.status == "failed"
    assert 'deployment-target = "iOS18"' in facts.hint
    assert any(note.startswith("the trace route failed") for note in facts.notes)


RECURRENT = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 8, batch_first=True)
    def forward(self, x):
        return self.rnn(x)[0]
"""


def test_recurrent_layers_stay_whole(bench: MakeBench) -> None:
    inputs = (ModelInput(name="x", shape=(1, 3, 4)),)
    done = bench(RECURRENT, input=inputs, precision="float32").convert()
    assert done.facts.route == "trace"
    assert done.facts.notes == ("recurrent layers are traced, because export unrolls them",)
    assert saved(done.package).operations.count("lstm") == 1


def test_unrolled_recurrent_layers_are_noted(bench: MakeBench) -> None:
    inputs = (ModelInput(name="x", shape=(1, 3, 4)),)
    done = bench(RECURRENT, input=inputs, precision="float32", conversion="export").convert()
    plain, unrolled = done.facts.notes
    assert plain == (
        "the documented call of coremltools rejects this model: no converter for `lstm.input`; "
        "converted by the export route with torch's core decompositions"
    )
    assert unrolled == "recurrent layers are unrolled over the time steps"
    assert "lstm" not in saved(done.package).operations


def test_missing_operations_of_both_routes(bench: MakeBench) -> None:
    text = """
class Net(nn.Module):
    def forward(self, x):
        return torch.special.i0(torch.special.i0(x)) + torch.fmod(x, 0.3)
"""
    facts = bench(text, input=X).convert().facts
    assert (facts.status, facts.route) == ("failed", "export")
    assert [(item.operation, item.count) for item in facts.missing] == [("special_i0", 2), ("fmod", 1)]
    decomposed, trace = facts.notes
    assert decomposed.startswith("the export route with torch's core decompositions failed: no converter for")
    assert trace.startswith("the trace route failed: no converter for")
    assert 'torch.div(x, y, rounding_mode="trunc")' in facts.hint
    assert "register_torch_op" in facts.hint


def test_our_identity_is_noted(bench: MakeBench) -> None:
    text = "class Net(nn.Module):\n    def forward(self, x):\n        return torch.ops.aten.alias(x) + 1\n"
    done = bench(text, input=X, precision="float32").convert()
    assert done.facts.notes == (
        "`alias` has no converter in coremltools, so the gate's own passes its input through",
    )
    assert saved(done.package).operations == ["add"]


def test_an_exported_program_converts_directly(bench: MakeBench) -> None:
    module = nn.Linear(4, 3).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 4),), strict=False), bench.root / "net.pt2")
    done = bench("", "net.pt2", precision="float32", conversion="trace").convert()
    assert done.facts.route == "export"
    assert saved(done.package).inputs == {"input": ("float32", [1, 4])}


def test_an_exported_program_keeps_its_ranges(bench: MakeBench) -> None:
    dynamic = {0: torch.export.Dim("batch", min=2, max=5)}
    program = torch.export.export(
        nn.Linear(4, 3).eval(), (torch.zeros(3, 4),), dynamic_shapes=(dynamic,), strict=False
    )
    torch.export.save(program, bench.root / "net.pt2")
    package = saved(bench("", "net.pt2", precision="float32").convert().package)
    sizes = package.spec.description.input[0].type.multiArrayType.shapeRange.sizeRanges
    assert [(size.lowerBound, size.upperBound) for size in sizes] == [(2, 5), (4, 4)]


def test_torchscript_converts_directly(bench: MakeBench) -> None:
    traced: Any = torch.jit.trace(nn.Linear(4, 3).eval(), torch.zeros(1, 4))
    traced.save(str(bench.root / "net.pt"))
    inputs = (ModelInput(name="input", shape=(1, 4)),)
    done = bench("", "net.pt", input=inputs, precision="float32").convert()
    assert done.facts.route == "trace"
    assert saved(done.package).operations == ["linear"]


def test_a_package_is_left_as_it_is(bench: MakeBench) -> None:
    made = bench(LINEAR, input=X, precision="float32")
    package = made.convert().package
    assert package is not None
    reference = package.relative_to(bench.root).as_posix()
    again = bench("", reference, input=X)
    done = convert(again.source, again.samples, again.config, bench.root / "other")
    assert (done.facts.status, done.facts.route) == ("not-needed", "none")
    assert (done.reference, done.package) == (None, package)


def test_progress_bars_and_version_warnings_are_silent(
    bench: MakeBench, capfd: pytest.CaptureFixture[str]
) -> None:
    text = LINEAR.replace("return", "print('from the source')\n        return")
    bench(text, input=X).convert()
    captured = capfd.readouterr()
    assert captured.err == ""
    assert set(captured.out.splitlines()) == {"from the source"}


ATTENTION = """
class Net(nn.Module):
    def forward(self, x):
        q = x.view(1, 6, 2, 4).transpose(1, 2)
        return nn.functional.scaled_dot_product_attention(q, q, q{mask})
"""


@pytest.mark.parametrize("mask", ["", ", is_causal=True", ", attn_mask=torch.ones(6, 6).tril() * 2"])
def test_attention_stays_whole_where_the_target_has_it(bench: MakeBench, mask: str) -> None:
    options = {"input": (ModelInput(name="x", shape=(1, 6, 8)),), "precision": "float32"}
    fused = bench(ATTENTION.format(mask=mask), deployment_target="iOS18", **options).convert()
    assert (fused.facts.status, fused.facts.route, fused.facts.notes) == ("converted", "export", ())
    assert "scaled_dot_product_attention" in saved(fused.package).operations
    older = bench(ATTENTION.format(mask=mask), deployment_target="iOS17", **options).convert()
    assert "scaled_dot_product_attention" not in saved(older.package).operations


@pytest.mark.parametrize(
    "body", ["nn.functional.celu(x)", "nn.functional.logsigmoid(x)", "torch.addcmul(x, x, x)"]
)
def test_what_plain_coremltools_refuses_is_said(bench: MakeBench, body: str) -> None:
    """It converts only after torch's decompositions: a script of the team's would fail."""
    text = f"class Net(nn.Module):\n    def forward(self, x):\n        return {body}\n"
    facts = bench(text, input=X, precision="float32", deployment_target="iOS18").convert().facts
    assert (facts.status, facts.route) == ("converted", "decomposed")
    assert facts.notes[0].startswith(
        "the documented call of coremltools rejects this model: no converter for `"
    )


@pytest.mark.parametrize(
    ("body", "apart"),
    [
        ("x * torch.bucketize(x, torch.arange(3.0))", "`bucketize`"),
        (
            "(x - torch.var_mean(x, 1, keepdim=True)[1]) * torch.round(x, decimals=2)",
            "`var_mean`, `round`",
        ),
    ],
)
def test_what_no_converter_knows_is_taken_further_apart(bench: MakeBench, body: str, apart: str) -> None:
    text = f"class Net(nn.Module):\n    def forward(self, x):\n        return {body}\n"
    made = bench(text, input=X, precision="float32")
    done = made.convert()
    assert (done.facts.status, done.facts.route) == ("converted", "decomposed")
    assert f"torch decomposes {apart} further" in done.facts.notes
    sample = {"x": torch.tensor([[0.4, -2.346, 1.0, 5.123]])}
    found = load_mil_engine(read_package(done.package), "fp32", None, made.config).run(sample)["output_0"]
    np.testing.assert_allclose(found, run_source(made.source, sample)["output_0"], rtol=1e-5, atol=1e-5)


def test_what_draws_stays_whole(bench: MakeBench) -> None:
    """Its steps draw other numbers than it does, and no package would agree."""
    text = (
        "class Net(nn.Module):\n    def forward(self, x):\n        return nn.functional.gumbel_softmax(x)\n"
    )
    facts = bench(text, input=X, precision="float32").convert().facts
    assert facts.status == "failed"
    assert "torch.rand_like" in facts.hint


def test_a_primitive_of_another_name_that_leads_back_stays_refused(bench: MakeBench) -> None:
    """Torch computes prims::i1 by aten::special_i1, and beside it stands what can be taken apart."""
    body = "torch.special.i1(torch.erfinv(x)) + torch.var_mean(x, 1, keepdim=True)[1]"
    text = f"class Net(nn.Module):\n    def forward(self, x):\n        return {body}\n"
    facts = bench(text, input=X, precision="float32").convert().facts
    assert facts.status == "failed"
    assert not any("RecursionError" in note for note in facts.notes)
    assert "math.factorial(i + 1)" in facts.hint


@pytest.mark.parametrize("body", ["torch.trunc(x)", "torch.copysign(x, x)", "torch.fmod(x, 2.0)"])
def test_a_primitive_that_stands_for_itself_stays_refused(bench: MakeBench, body: str) -> None:
    """Torch computes it by the operation that was taken apart into it."""
    text = f"class Net(nn.Module):\n    def forward(self, x):\n        return {body}\n"
    facts = bench(text, input=X, precision="float32").convert().facts
    assert facts.status == "failed"
    assert "write `" in facts.hint


def test_what_torchs_decompositions_take_apart_is_exported_whole(bench: MakeBench) -> None:
    body = "nn.functional.grid_sample(x, torch.zeros(1, 4, 4, 2), align_corners=False)"
    text = f"class Net(nn.Module):\n    def forward(self, x):\n        return {body}\n"
    inputs = (ModelInput(name="x", shape=(1, 3, 8, 8)),)
    done = bench(text, input=inputs, precision="float32").convert()
    assert done.facts.route == "export"
    assert saved(done.package).operations == ["resample"]


@pytest.mark.parametrize(
    ("body", "merged"),
    [
        ("y, y", ["`output_0` and `output_1`"]),
        ("y, x * 3, y", ["`output_0` and `output_2`"]),
        ("{'a': y, 'b': y, 'c': x + 1, 'd': x - 1}", ["`a` and `b`"]),
    ],
)
@pytest.mark.parametrize("route", ["export", "trace"])
def test_a_tensor_that_is_returned_twice(bench: MakeBench, body: str, merged: list[str], route: str) -> None:
    text = f"class Net(nn.Module):\n    def forward(self, x):\n        y = x * 2\n        return {body}\n"
    made = bench(text, input=X, precision="float32", conversion=route)
    done = made.convert()
    notes = [note for note in done.facts.notes if "are one tensor" in note]
    assert [note.partition(" are one")[0] for note in notes] == merged
    assert done.package is not None
    expected = run_source(made.source, made.samples.samples[0])
    engine = load_mil_engine(read_package(done.package), "fp32", tuple(expected), made.config)
    computed = engine.run(made.samples.samples[0])
    assert list(computed) == list(expected)
    assert all(np.array_equal(computed[name], expected[name]) for name in expected)


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_of_any_length_convert(bench: MakeBench, layer: str) -> None:
    text = RECURRENT.replace("nn.LSTM", f"nn.{layer}")
    inputs = (ModelInput(name="x", shape=(1, (2, 12), 4)),)
    done = bench(text, input=inputs, precision="float32").convert()
    assert (done.facts.status, done.facts.route) == ("converted", "trace")
    sizes = saved(done.package).spec.description.input[0].type.multiArrayType.shapeRange.sizeRanges
    assert (sizes[1].lowerBound, sizes[1].upperBound) == (2, 12)
