"""The package that ships and its float32 twin have the bytes of two conversions by coremltools."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import coremltools as ct
import pytest
from coremltools.converters.mil import Builder
from coremltools.converters.mil.converter import ConverterRegistry
from coremltools.converters.mil.mil.passes.graph_pass import AbstractGraphPass
from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY

from coreml_gate.config import Compression, ImageInput, ModelInput
from coreml_gate.config.options import Converter
from coreml_gate.conversion.capture import Captured, capture
from coreml_gate.conversion.compress import compress
from coreml_gate.conversion.conversion import PACKAGE, REFERENCE, Task, task_of
from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.conversion.kept_program import KeptProgram
from coreml_gate.conversion.packages import pass_pipeline, save, save_packages, to_core_ml, to_half
from coreml_gate.conversion.quiet import quiet
from coreml_gate.conversion.shims import identity_shims
from coreml_gate.engines.source import load_source
from coreml_gate.frozen import changed
from coreml_gate.mil.package import read_package
from coreml_gate.record import Route
from tests.conversion.conftest import Bench, MakeBench

CONVOLUTIONS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 8, 3, groups=8)
        )
        self.shift = nn.Parameter(torch.rand(1, 8, 1, 1))
        self.eval()
    def forward(self, x):
        return self.body(x) - self.shift
"""
ATTENTION = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.norm = nn.Embedding(20, 16), nn.LayerNorm(16, eps=1e-12)
        self.mix = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.eval()
    def forward(self, tokens):
        hidden = self.mix(self.norm(self.table(tokens)))
        return {"hidden": hidden, "best": hidden.argmax(-1), "probabilities": hidden.softmax(-1)}
def samples():
    return [{"tokens": torch.arange(6).reshape(1, 6)}]
"""
RECURRENT = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows = nn.GRU(4, 8, 2, batch_first=True, bidirectional=True)
    def forward(self, x):
        return self.rows(x)[0]
"""
STATE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(1, 4))
        self.fc = nn.Linear(4, 4)
    def forward(self, x):
        self.total.add_(self.fc(x))
        return self.total * 2
"""
PAIR = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 48)
    def forward(self, x):
        y = self.fc(x) / x.shape[0]
        return y.relu(), (y * 1e-9).sigmoid()
"""
LONG = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(torch.rand(1, 4)) for _ in range(100)])
    def forward(self, x):
        for weight in self.weights:
            x = (x * weight).sin()
        return x
"""
PICTURE = (ModelInput(name="x", shape=(1, 3, 8, 8)),)
ROW = (ModelInput(name="x", shape=(2, 64)),)
ONE = (ModelInput(name="x", shape=(1, 64)),)
SHORT = (ModelInput(name="x", shape=(1, 4)),)
TOKENS = {"samples": "net.py:samples"}
IMAGE = ImageInput(scale=1 / 255, bias=(-0.4, -0.5, -0.6))
BY_KIND: dict[str, tuple[Route, str, dict[str, Any]]] = {
    "export": ("export", CONVOLUTIONS, {"input": PICTURE}),
    "decomposed": ("decomposed", CONVOLUTIONS, {"input": PICTURE}),
    "trace": ("trace", CONVOLUTIONS, {"input": PICTURE}),
    "image": ("export", CONVOLUTIONS, {"input": (changed(PICTURE[0], image=IMAGE),)}),
    "attention, several outputs": ("export", ATTENTION, TOKENS),
    "kept in float32": ("export", ATTENTION, {**TOKENS, "keep_fp32": ("LayerNorm/*", "*/softmax")}),
    "iOS 15": ("trace", CONVOLUTIONS, {"input": PICTURE, "deployment_target": "iOS15"}),
    "iOS 18": ("export", ATTENTION, {**TOKENS, "deployment_target": "iOS18"}),
    "loop": ("trace", RECURRENT, {"input": (ModelInput(name="x", shape=(1, 5, 4)),)}),
    "state, exported": ("export", STATE, {"input": SHORT, "deployment_target": "iOS18"}),
    "state, traced": ("trace", STATE, {"input": SHORT, "deployment_target": "iOS18"}),
    "range of sizes": ("export", PAIR, {"input": (ModelInput(name="x", shape=((2, 8), 64)),)}),
    "range of sizes, traced": ("trace", PAIR, {"input": (ModelInput(name="x", shape=((2, 8), 64)),)}),
    "listed sizes": ("export", PAIR, {"input": (ModelInput(name="x", shapes=((2, 64), (4, 64))),)}),
    "half at the border": ("export", PAIR, {"input": (changed(ROW[0], dtype="float16"),)}),
    "palettised": ("export", PAIR, {"input": ROW, "compress": Compression(method="palettize", bits=4)}),
    "linear in 8 bits": ("trace", PAIR, {"input": ROW, "compress": Compression(method="linear-int8")}),
    "a pass skipped": (
        "export",
        CONVOLUTIONS,
        {"input": PICTURE, "converter": Converter(skip_passes=("common::fuse_conv_batchnorm",))},
    ),
    "longer than Python's stack": ("trace", LONG, {"input": SHORT}),
}


IMPLIED = {
    "export": "a pass skipped",
    "trace": "iOS 15",
    "attention, several outputs": "kept in float32",
    "state, traced": "state, exported",
    "range of sizes, traced": "range of sizes",
    "linear in 8 bits": "palettised",
}
"""Kinds of which another has all but one trait, which it shares with a third."""
MARKED = [pytest.param(kind, marks=pytest.mark.slow if kind in IMPLIED else ()) for kind in BY_KIND]


@pytest.mark.parametrize("kind", MARKED)
def test_each_kind_of_model_gives_the_bytes_of_two_conversions(kind: str, bench: MakeBench) -> None:
    route, text, options = BY_KIND[kind]
    made = bench(text, **options)
    save_packages(*_captured(made, route, "once"))
    apart = made.folder / "apart"
    save(to_core_ml(*_captured(made, route, "apart"), ct.precision.FLOAT32), apart / REFERENCE)
    half, _ = to_half(*_captured(made, route, "apart"))
    compression = made.config.compress
    save(half if compression is None else compress(half, compression), apart / PACKAGE)
    assert _fingerprints(made.folder / "once") == _fingerprints(apart)


def test_a_classifier_with_its_labels_has_the_bytes_of_two_conversions(bench: MakeBench) -> None:
    made = bench(PAIR.replace("y.relu(), (y * 1e-9).sigmoid()", "y.softmax(-1)"), input=ONE)
    labels = ct.ClassifierConfig([f"class {number}" for number in range(48)])

    def converted(precision: object, passes: ct.PassPipeline, name: str) -> str:
        captured, _ = _captured(made, "trace", name)
        model = ct.convert(
            captured.model,
            inputs=[ct.TensorType(name="x", shape=(1, 64))],
            classifier_config=labels,
            compute_precision=precision,
            pass_pipeline=passes,
            skip_model_load=True,
        )
        return read_package(save(model, made.folder / name / PACKAGE)).fingerprint()

    program = KeptProgram()
    with program.kept(pass_pipeline(())) as passes:
        wide = converted(ct.precision.FLOAT32, passes, "kept")
    with program.resumed(pass_pipeline(())) as passes:
        half = converted(ct.precision.FLOAT16, passes, "resumed")
    assert wide == converted(ct.precision.FLOAT32, pass_pipeline(()), "wide")
    assert half == converted(ct.precision.FLOAT16, pass_pipeline(()), "half")


def test_the_front_end_runs_once(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = ConverterRegistry.frontends["pytorch"], []

    class Counted(original):  # type: ignore[misc, valid-type]  # coremltools has no types
        def __call__(self, *args: Any, **kwargs: Any) -> object:
            calls.append(args)
            return super().__call__(*args, **kwargs)

    monkeypatch.setitem(ConverterRegistry.frontends, "pytorch", Counted)
    made = bench(PAIR, input=ROW)
    save_packages(*_captured(made, "export", "once"))
    assert len(calls) == 1


def test_coremltools_is_as_it_was_after_a_conversion_that_fails(bench: MakeBench) -> None:
    known, front_end = dict(PASS_REGISTRY.passes), ConverterRegistry.frontends["pytorch"]
    captured, task = _captured(bench(PAIR, input=ROW, keep_fp32=("Absent/*",)), "export", "once")
    with pytest.raises(ConversionFailedError, match="Absent"):
        save_packages(captured, task)
    assert PASS_REGISTRY.passes == known
    assert ConverterRegistry.frontends["pytorch"] is front_end


def test_a_conversion_that_failed_before_changes_no_name(bench: MakeBench) -> None:
    made = bench(PAIR, input=ROW)
    save_packages(*_captured(made, "export", "fresh"))
    skipped = changed(made.config, converter=Converter(skip_passes=("common::add_fp16_cast",)))
    with pytest.raises(ValueError, match="add_fp16_cast"):
        save_packages(*_captured(replace(made, config=skipped), "export", "failed"))
    assert Builder.name_count
    save_packages(*_captured(made, "export", "after"))
    assert _fingerprints(made.folder / "after") == _fingerprints(made.folder / "fresh")


def test_a_pass_that_others_registered_means_two_conversions() -> None:
    class Own(AbstractGraphPass):  # type: ignore[misc]  # as above
        def apply(self, prog: object) -> None: ...

    PASS_REGISTRY.passes["team::own"] = Own
    try:
        passes = pass_pipeline(())
        passes.append_pass("team::own")
        with KeptProgram().kept(passes) as given:
            assert given.passes[-1] == "team::own"
            assert len(given.passes) == len(pass_pipeline(()).passes) + 1
    finally:
        del PASS_REGISTRY.passes["team::own"]


def _captured(made: Bench, route: Route, name: str) -> tuple[Captured, Task]:
    """From a source built anew, because the converter writes into the parameters of some."""
    source = load_source(made.config.source, made.source.root)
    task = task_of(source, made.samples, made.config, made.folder / name)
    return capture(route, source, made.samples, task.config), task


@pytest.fixture(autouse=True)
def _quietly() -> Iterator[None]:
    with quiet(), identity_shims():
        yield


def _fingerprints(folder: Path) -> list[str]:
    return [read_package(folder / name).fingerprint() for name in (REFERENCE, PACKAGE)]
