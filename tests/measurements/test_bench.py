"""What measurements share: each thing made once, a variant's from its model, failing samples in order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.children.job import ModelJob
from coreml_gate.config import Compression
from coreml_gate.conversion import Conversion
from coreml_gate.conversion.conversion import PACKAGE
from coreml_gate.criteria import failing_error
from coreml_gate.errors import SourceError
from coreml_gate.frozen import changed
from coreml_gate.measurements import conversions
from coreml_gate.measurements.bench import Bench
from coreml_gate.measurements.conversions import UNCOMPRESSED, packages_of
from coreml_gate.measurements.reference import Packages
from coreml_gate.measurements.runs import MilEngines, Runs
from coreml_gate.mil.outline import ModuleNames
from coreml_gate.mil.package import read_package
from coreml_gate.record import ConversionFacts, MetricValue, PerturbedSample
from coreml_gate.torch_graph import TorchCall, TorchGraph
from tests.builders import comparison, precision_comparison
from tests.measurements.programs import doubled
from tests.reported import measured

JobOf = Callable[..., ModelJob]


def prepared(job: ModelJob, beside: Bench | None = None, **made: Any) -> Bench:
    """A bench on which these things were made already."""
    bench = Bench(job, beside)
    bench.__dict__.update(made)
    return bench


def runs(*parity: Any) -> Runs:
    return Runs(tuple(parity), (precision_comparison(),), {}, ())


def test_the_source_answers_each_sample_under_the_configured_names(job_of: JobOf) -> None:
    reference = Bench(job_of()).reference
    line = reference.source.runnable.line
    assert reference.output_names == ("scores",)
    assert [set(sample) for sample in reference.samples.samples] == [{"x"}] * 3
    for sample, outputs in zip(reference.samples.samples, reference.outputs, strict=True):
        expected = torch.relu(line(sample["x"])).detach().numpy()
        np.testing.assert_array_equal(outputs["scores"], expected)


def test_the_floor_is_the_worst_of_a_few_samples_against_float64(job_of: JobOf) -> None:
    reference = Bench(job_of()).reference
    line = reference.source.runnable.line
    weight, bias = line.weight.double(), line.bias.double()
    errors = [
        np.abs(torch.relu(sample["x"].double() @ weight.T + bias).detach().numpy() - own["scores"]).max()
        for sample, own in zip(reference.samples.samples, reference.outputs, strict=True)
    ]
    assert reference.known_floors == {"scores": pytest.approx(max(errors), rel=0.5)}
    assert 0 < reference.known_floors["scores"] < 1e-6


def test_a_source_without_float64_has_no_floor_and_says_why(job_of: JobOf, tree: Path) -> None:
    (tree / "models/net.py").write_text(
        "import torch\n\n\nclass Net(torch.nn.Module):\n    def forward(self, x):\n"
        "        if x.dtype == torch.float64:\n            raise TypeError('no double here')\n"
        "        return x + 1\n\n\ndef build():\n    return Net()\n"
    )
    reference = Bench(job_of(samples=None, input=({"name": "x", "shape": (1, 4)},))).reference
    assert isinstance(reference.floors, SourceError)
    assert "no double here" in reference.floors.message
    assert reference.known_floors == {}


def test_a_package_as_the_source_is_copied_beside_the_record(job_of: JobOf, tree: Path) -> None:
    doubled(tree / "net.mlpackage")
    job = job_of(source="net.mlpackage", samples=None, output=())
    bench = Bench(job)
    given = bench.packages
    assert given is not None
    assert given is bench.reference.given
    assert given.shipped.path == job.folder / PACKAGE
    assert given.shipped is given.wide
    assert (bench.conversion, bench.graph, bench.reference.engine) == (None, None, None)
    assert (bench.reference.outputs, bench.reference.output_names, bench.reference.floors) == ((), None, {})
    assert given.route_taken == "export"


def test_a_variant_shares_source_samples_and_conversions_of_its_model(job_of: JobOf) -> None:
    model = Bench(job_of())
    variant = Bench(changed(model.job, variant_of="net"), beside=model)
    assert variant.reference is model.reference
    assert variant.conversions is model.conversions


class Converter:
    """Converts nothing, and remembers with which options and into which folder it was called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []

    def __call__(self, source: Any, samples: Any, config: Any, folder: Path, **_: Any) -> Conversion:
        compress = "" if config.compress is None else config.compress.method
        self.calls.append((folder.name, config.precision, compress))
        facts = ConversionFacts(status="converted", route="export")
        return Conversion(facts, folder / "reference.mlpackage", folder / "package.mlpackage")


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> Converter:
    made = Converter()
    monkeypatch.setattr(conversions, "convert", made)
    monkeypatch.setattr(
        conversions, "compress_package", lambda plain, compress, folder: (plain, compress.method, folder.name)
    )
    return made


def variant_of(bench: Bench, name: str, **options: Any) -> ModelJob:
    return changed(bench.job, model=changed(bench.job.model, name=name, **options), variant_of="net")


def test_variants_that_differ_in_compression_alone_share_one_conversion(
    job_of: JobOf, converter: Converter
) -> None:
    bench = Bench(job_of())
    plain = bench.conversion
    for name, method in (("int8", "linear-int8"), ("int4", "linear-int4")):
        job = variant_of(bench, name, compress=Compression(method=method))
        assert bench.conversions.of_variant(job) == (plain, method, name)
    assert converter.calls == [("net", "float16", "")]


def test_a_variant_with_other_options_is_converted_once_for_all_its_compressions(
    job_of: JobOf, converter: Converter
) -> None:
    bench = Bench(job_of())
    assert bench.conversion is not None
    wide = variant_of(bench, "wide", precision="float32")
    small = variant_of(bench, "small", precision="float32", compress=Compression(method="linear-int8"))
    plain = bench.conversions.of_variant(wide)
    assert bench.conversions.of_variant(small) == (plain, "linear-int8", "small")
    assert converter.calls == [("net", "float16", ""), ("wide", "float32", "")]


def test_the_conversion_behind_a_compressed_variant_has_a_folder_of_its_own(
    job_of: JobOf, converter: Converter
) -> None:
    bench = Bench(job_of(compress={"method": "linear-int8"}))
    assert bench.conversion is not None
    small = variant_of(bench, "small", compress=Compression(method="prune", sparsity=0.5))
    bench.conversions.of_variant(small)
    assert converter.calls == [("net", "float16", "linear-int8"), (f"{UNCOMPRESSED}-0", "float16", "")]


def test_a_conversion_that_failed_has_no_packages() -> None:
    failed = Conversion(ConversionFacts(status="failed", route="none"), None, None)
    assert packages_of(failed, None, None) is None


def test_a_twin_made_by_widening_computes_in_float32(tmp_path: Path) -> None:
    doubled(tmp_path / "net.mlpackage", half=True)
    facts = ConversionFacts(status="converted", route="trace", twin="widened")
    made = Conversion(facts, tmp_path / "net.mlpackage", tmp_path / "net.mlpackage", tmp_path / "o.json")
    found = packages_of(made, None, None)
    assert found is not None
    assert {type_.dtype for type_ in output_types(found.shipped)} == {"fp16"}
    assert {type_.dtype for type_ in output_types(found.wide)} == {"fp32"}
    assert (found.route_taken, found.origins) == ("trace", tmp_path / "o.json")


def output_types(package: Any) -> list[Any]:
    operations = package.function().block.operations
    return [each.outputs[0].type for each in operations if each.type == "mul"]


def test_modules_are_named_as_the_source_writes_them(tmp_path: Path) -> None:
    package = read_package(doubled(tmp_path / "net.mlpackage"))
    call = TorchCall(name="y", operation="aten::convolution", module="Layers.0.attn")
    graph = TorchGraph(route="export", calls=(call,))
    names = Packages(package, package, graph=graph).names
    assert names.written == {
        "layers": "Layers",
        "layers_0": "Layers.0",
        "layers_0_attn": "Layers.0.attn",
    }
    assert names.convolutions == {"y": "Layers.0.attn"}
    assert Packages(package, package, graph=graph, by_team=True).names == ModuleNames(names.written)
    assert Packages(package, package).names == ModuleNames()


FOLDED = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, channels, 3, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = Block(3)
        self.layers = nn.Sequential(Block(3), Block(3))

    def forward(self, x):
        return self.layers(self.stem(x)).mean((2, 3))


def samples():
    return [torch.rand(1, 3, 16, 16)]
"""


@pytest.mark.parametrize("route", ["export", "trace"])
def test_a_convolution_with_a_norm_folded_into_it_belongs_to_its_module(
    job_of: JobOf, tree: Path, route: str
) -> None:
    (tree / "folded.py").write_text(FOLDED, encoding="utf-8")
    record = measured(job_of(source="folded.py:Net", samples="folded.py:samples", conversion=route))
    assert record.cost is not None
    work = {part.name: part.macs // (9 * 9) for part in record.cost.modules if part.macs}
    assert work == {"stem.conv": 14**2, "layers.0": 12**2, "layers.1": 10**2}


def test_failing_samples_come_worst_first_and_each_with_its_error(job_of: JobOf) -> None:
    job = job_of()
    limit = job.model.limits.parity.max_error
    sound = comparison(sample=0, max_abs_error=4 * limit / 2)
    bad = comparison(sample=1, max_abs_error=4 * limit * 3)
    worse = comparison(sample=2, max_abs_error=4 * limit * 50)
    bench = prepared(job, runs=runs(sound, bad, worse))
    assert [suspect.index for suspect in bench.failing] == [2, 1]
    assert [suspect.error for suspect in bench.failing] == pytest.approx([50 * limit, 3 * limit])
    assert bench.failing[0].sample is bench.reference.samples.samples[2]
    assert bench.failing[0].found_on == "samples"
    assert bench.suspects == bench.failing
    assert bench.perturbed is None, "samples that differ as they are leave nothing to change"


def test_changed_samples_are_suspects_where_the_samples_themselves_agree(job_of: JobOf) -> None:
    job = job_of()
    sample = {"x": torch.ones(1, 4)}
    wrong = comparison(max_abs_error=4.0)
    found = (
        (PerturbedSample(name="times 10", comparisons=(comparison(),)), sample),
        (PerturbedSample(name="negative", comparisons=(comparison(), wrong)), sample),
    )
    bench = prepared(job, runs=runs(comparison()), perturbed=found)
    (suspect,) = bench.suspects
    assert (suspect.found_on, suspect.index) == ("negative", 0)
    assert suspect.error == failing_error((wrong,), job.model.limits.parity) == 1.0
    assert suspect.sample is sample


def test_nothing_runs_where_the_packages_cannot(job_of: JobOf) -> None:
    bench = prepared(job_of(evaluate="models/net.py:evaluate"), packages=None)
    assert (bench.loaded, bench.mil, bench.runs) == (None, None, None)
    assert (bench.engines, bench.metrics, bench.inputs, bench.failing) == ((), (), (), ())


class Constant:
    """An engine that answers 0.25 to everything."""

    side = "fp16"
    held: bool = False
    """Whether it has run since its weights were released."""

    def run(self, sample: Any) -> dict[str, Any]:
        self.held = True
        return {"scores": np.full((1, 3), 0.25, np.float32)}

    def release(self) -> None:
        self.held = False


def test_a_variant_runs_its_own_package_and_keeps_the_metric_of_the_source(job_of: JobOf) -> None:
    job = job_of(evaluate="models/net.py:evaluate")
    of_source = MetricValue(name="mean", side="source", value=0.5)
    model = prepared(job, metrics=(of_source, MetricValue(name="mean", side="fp16", value=0.4)))
    engine = Constant()
    loaded = MilEngines(wide=Constant(), shipped=engine)  # type: ignore[arg-type]
    variant = prepared(changed(job, variant_of="net"), model, loaded=loaded)
    assert variant.engines == (engine,)
    assert variant.metrics == (of_source, MetricValue(name="mean", side="fp16", value=0.25))


def test_a_model_runs_source_and_both_packages_in_this_order(job_of: JobOf) -> None:
    wide, shipped = object(), object()
    bench = prepared(job_of(), loaded=MilEngines(wide, shipped))  # type: ignore[arg-type]
    assert bench.engines == (bench.reference.engine, wide, shipped)


def test_a_metric_runs_on_packages_of_which_one_at_a_time_holds_its_weights(job_of: JobOf) -> None:
    wide, shipped = Constant(), Constant()
    loaded = MilEngines(wide, shipped)  # type: ignore[arg-type]
    bench = prepared(job_of(), loaded=loaded)
    held = []
    for engine in bench.one_at_a_time():
        held.append((wide.held, shipped.held))
        if isinstance(engine, Constant):
            engine.run({})
    assert held == [(False, False), (False, False), (False, False)]
    assert shipped.held
