"""Each measurement on a bench with packages made beforehand: what it hands over, and when nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from coreml_gate.children.events import EventLog, Events
from coreml_gate.children.job import ModelJob
from coreml_gate.children.reference_data import REFERENCE_FILE, read_reference_data
from coreml_gate.conversion import Conversion
from coreml_gate.conversion import conversion as tasks
from coreml_gate.conversion.origins import Origin, write_origins
from coreml_gate.diagnose.perturbations import PERTURBATIONS
from coreml_gate.diagnose.perturbed_samples import FEWEST, MOST_MACS
from coreml_gate.errors import UnsupportedOperationsError
from coreml_gate.frozen import changed
from coreml_gate.measurements import (
    conversion,
    half_precision,
    metrics,
    numbers,
    operation_profile,
    package,
    parity_fault,
    perturbed_samples,
    source,
)
from coreml_gate.measurements.bench import Bench
from coreml_gate.measurements.metrics import Metrics
from coreml_gate.measurements.numbers import Parity, Precision, UnsupportedOperations
from coreml_gate.measurements.package import Outline, PredictedPlacement, RuleMatches
from coreml_gate.measurements.perturbed_samples import PerturbedSamples, UntriedChanges
from coreml_gate.measurements.reference import Packages
from coreml_gate.mil.package import read_package
from coreml_gate.record import (
    CompressionFacts,
    ConversionFacts,
    CostFacts,
    Diagnosis,
    FirstWrong,
    InputRounding,
    MemoryFacts,
    OperationProfile,
    PackageFacts,
    ParityDiagnosis,
    PerturbedSample,
    SourceFacts,
)
from coreml_gate.rules.catalogue import look
from tests.builders import comparison
from tests.measurements.programs import doubled
from tests.reported import reported

JobOf = Callable[..., ModelJob]
TWICE = """
import torch


class Net(torch.nn.Module):
    def forward(self, x):
        return 2 * x


def build():
    return Net()


def samples():
    return [torch.tensor([[1.0, -2.0, 3.0, 0.1]]), torch.tensor([[0.5, 0.0, 8.0, 1.0]])]


def evaluate(predict):
    return {"greatest": max(float(predict(x)["scores"].max()) for x in samples())}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``2 * x`` in both types, and ``3 * x``, which is wrong."""
    folder = tmp_path_factory.mktemp("packages")
    doubled(folder / "wide.mlpackage")
    doubled(folder / "half.mlpackage", half=True)
    doubled(folder / "wrong.mlpackage", factor=3.0)
    return folder


@pytest.fixture
def bench_of(job_of: JobOf, tree: Path, made: Path) -> Callable[..., Bench]:
    """A bench on which the conversion gave the packages of these names."""
    (tree / "models/net.py").write_text(TWICE)

    def bench(shipped: str = "half", wide: str = "wide", route: Any = "export", **options: Any) -> Bench:
        job = job_of(**options)
        found = Bench(job)
        for name in {shipped, wide}:
            target = job.record_folder / f"{name}.mlpackage"
            target.symlink_to(made / f"{name}.mlpackage")
        packages = Packages(
            read_package(job.record_folder / f"{shipped}.mlpackage"),
            read_package(job.record_folder / f"{wide}.mlpackage"),
            origins=job.folder / "operations.json",
            route=route,
        )
        found.__dict__["packages"] = packages
        return found

    return bench


@pytest.mark.parametrize(("options", "runs"), [({"output": ()}, 0), ({"output": ("scores",)}, 1)])
def test_a_conversion_takes_what_the_source_gave_before(
    job_of: JobOf, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], runs: int
) -> None:
    """Under configured names it says nothing of the source's own, which the converter is given."""
    counted = Mock(wraps=tasks.run_source)
    monkeypatch.setattr(tasks, "run_source", counted)
    bench = Bench(job_of(**options))
    assert len(bench.reference.outputs) == 3
    assert bench.conversion is not None
    assert bench.conversion.facts.status == "converted"
    assert counted.call_count == runs


def of(bench: Bench, measurement: Any) -> Events:
    """What the measurement reports, in this process."""
    return reported(bench.job, lambda: measurement.run(bench, EventLog(bench.job.folder)))


def test_the_source_is_described_with_its_own_rounding(bench_of: Callable[..., Bench]) -> None:
    events = of(bench_of(), source)
    facts = events.parts.get(SourceFacts)
    assert events.step == "source"
    assert facts is not None
    assert (facts.kind, facts.parameters, facts.samples, facts.random_samples) == ("module", 0, 2, False)
    assert [(each.output, each.error) for each in facts.floors] == [("scores", 0.0)]
    assert facts.no_float64 == ""
    (sensitivity,) = facts.sensitivity
    assert sensitivity.output == "scores"
    assert sensitivity.value == pytest.approx((2 * 7.515 / 79.26) ** 0.5)


def test_a_package_is_described_without_being_run(bench_of: Callable[..., Bench]) -> None:
    parts = of(bench_of(), package).parts
    facts = parts.get(PackageFacts)
    assert facts is not None
    assert facts.path == "half.mlpackage"
    assert [(each.name, each.shape) for each in facts.inputs] == [("x", (1, 4))]
    assert facts.operations["mul"] == 1
    outline = parts.content(Outline)
    assert outline is not None
    assert any("\tmul\t" in line and "fp16[1, 4]" in line for line in outline)
    assert parts.content(RuleMatches) is not None
    assert parts.get(CompressionFacts) is None, "nothing is compressed"
    assert parts.content(PredictedPlacement) is not None


def test_parity_and_precision_are_those_of_both_packages(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of()
    parts = of(bench, numbers).parts
    parity, precision = parts.content(Parity), parts.content(Precision)
    assert parity is not None
    assert precision is not None
    assert [(each.sample, each.max_abs_error) for each in parity] == [(0, 0.0), (1, 0.0)]
    tenth = abs(2 * np.float32(0.1) - np.float32(2 * np.float16(0.1)))
    assert precision[0].max_abs_error == pytest.approx(tenth, rel=1e-3)
    assert precision[1].max_abs_error == 0.0
    assert precision[0].max_abs_place is not None
    assert precision[0].max_abs_place.index == (0, 3)


def test_memory_and_cost_of_a_run_are_counted(bench_of: Callable[..., Bench]) -> None:
    parts = of(bench_of(shipped="wide"), numbers).parts
    memory, cost = parts.get(MemoryFacts), parts.get(CostFacts)
    assert memory is not None
    assert cost is not None
    assert memory.activation_bytes == 2 * 4 * 4, "four floats in, four out"
    assert (cost.macs, cost.elementwise, cost.operations) == (0, 4, 1)
    assert memory.shape == ""


def test_samples_and_answers_lie_beside_the_packages(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of()
    of(bench, numbers)
    first, second = read_reference_data(bench.job.folder / REFERENCE_FILE)
    np.testing.assert_array_equal(first.inputs["x"], np.float32([[1.0, -2.0, 3.0, 0.1]]))
    np.testing.assert_array_equal(first.source["scores"], np.float32([[2.0, -4.0, 6.0, 0.2]]))
    np.testing.assert_allclose(first.fp16["scores"], first.source["scores"], rtol=1e-3)
    np.testing.assert_array_equal(second.fp16["scores"], np.float32([[1.0, 0.0, 16.0, 2.0]]))


def test_what_our_runtime_does_not_know_is_a_part_and_the_rest_is_measured(
    bench_of: Callable[..., Bench],
) -> None:
    bench = bench_of(shipped="wide")
    bench.__dict__["loaded"] = UnsupportedOperationsError(("strange_op",))
    parts = of(bench, numbers).parts
    assert parts.content(UnsupportedOperations) == ("strange_op",)
    assert parts.content(Parity) is None
    memory = parts.get(MemoryFacts)
    assert memory is not None
    assert memory.activation_bytes == 32, "by the shapes that the program declares"
    first, _ = read_reference_data(bench.job.folder / REFERENCE_FILE)
    assert first.fp16 == {}
    np.testing.assert_array_equal(first.source["scores"], np.float32([[2.0, -4.0, 6.0, 0.2]]))


@pytest.mark.parametrize("measurement", [package, numbers, parity_fault, half_precision, perturbed_samples])
def test_without_packages_there_is_nothing_to_hand_over(
    measurement: Any, bench_of: Callable[..., Bench]
) -> None:
    bench = bench_of()
    bench.__dict__["packages"] = None
    events = of(bench, measurement)
    assert dict(events.parts.by_field) == {}
    assert events.step == "start"


def test_metrics_are_those_of_source_and_both_packages(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(evaluate="models/net.py:evaluate")
    events = of(bench, metrics)
    found = events.parts.content(Metrics)
    assert found is not None
    assert events.step == "evaluate"
    assert [(each.name, each.side, each.value) for each in found] == [
        ("greatest", "source", 16.0),
        ("greatest", "fp32", 16.0),
        ("greatest", "fp16", 16.0),
    ]
    assert metrics.wanted(bench.job)


def test_changed_samples_are_compared_where_the_samples_agree(bench_of: Callable[..., Bench]) -> None:
    found = of(bench_of(), perturbed_samples).parts.content(PerturbedSamples)
    assert found is not None
    assert len(found) >= 3
    assert {each.max_abs_error for sample in found for each in sample.comparisons} == {0.0}
    assert len({sample.name for sample in found}) == len(found)


def test_what_a_costly_model_is_not_tried_on_stands_in_the_record(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of()
    facts = bench.footprint
    assert facts is not None
    assert not bench.changes_budget.untried
    del bench.__dict__["changes_budget"]
    bench.__dict__["footprint"] = (facts[0], changed(facts[1], macs=int(MOST_MACS)))
    parts = of(bench, perturbed_samples).parts
    tried, untried = parts.content(PerturbedSamples), parts.content(UntriedChanges)
    assert tried is not None
    assert untried is not None
    assert {"half-integers", "zeros"} <= {each.name for each in tried}
    assert len(untried) == len(PERTURBATIONS["numbers"]) - FEWEST


def test_samples_are_not_changed_where_they_differ_as_they_are(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(wide="wrong")
    assert [suspect.index for suspect in bench.failing] == [0, 1]
    assert bench.failing[0].error == pytest.approx(0.5, rel=1e-6), "3 x where 2 x is right"
    assert of(bench, perturbed_samples).parts.content(PerturbedSamples) is None


def test_changed_samples_can_be_switched_off(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(adversarial=False)
    assert not perturbed_samples.wanted(bench.job)
    assert bench.perturbed is None


def test_a_sound_model_has_an_empty_diagnosis(bench_of: Callable[..., Bench]) -> None:
    events = of(bench_of(), half_precision)
    assert events.parts.get(Diagnosis) == Diagnosis()
    assert events.step == "start", "no time is spent on it"


def test_a_model_in_float32_has_no_half_to_diagnose(bench_of: Callable[..., Bench]) -> None:
    assert of(bench_of(shipped="wide", precision="float32"), half_precision).parts.get(Diagnosis) is None


@pytest.mark.parametrize(
    ("shipped", "from_bytes", "measured"), [("half", 10**9, True), ("half", 0, False), ("wrong", 0, True)]
)
def test_the_errors_of_a_large_model_are_measured_only_where_its_precision_fails(
    shipped: str,
    from_bytes: int,
    measured: bool,
    bench_of: Callable[..., Bench],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operation_profile, "_LARGE_BYTES", from_bytes)
    bench = bench_of(shipped=shipped)
    assert bench.packages is not None
    assert bench.packages.origins is not None
    names = [each.name for each in bench.packages.wide.function().block.operations if each.type != "const"]
    write_origins({name: Origin() for name in names}, bench.packages.origins)
    profile = of(bench, operation_profile).parts.get(OperationProfile)
    assert profile is not None
    assert profile.operations == tuple(names)
    assert profile.reaches == (16.0,)
    assert bool(profile.errors) is measured
    assert ("the package passes" in profile.note) is not measured


def test_no_fault_is_looked_for_where_nothing_differs(bench_of: Callable[..., Bench]) -> None:
    assert of(bench_of(), parity_fault).parts.get(ParityDiagnosis) is None


def test_a_package_that_nobody_converted_has_no_conversion_to_blame(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(wide="wrong", route="none")
    assert bench.suspects
    diagnosis = of(bench, parity_fault).parts.get(ParityDiagnosis)
    assert diagnosis is not None
    assert not diagnosis.first_wrong.operation
    assert diagnosis.instead == "the source's `scores` times 1.5"


def test_the_fault_is_looked_for_on_the_worst_sample(
    bench_of: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    answer = ParityDiagnosis(found_on="samples", sample=1, first_wrong=FirstWrong())

    def diagnose(failure: Any, budget: Any, report: Any) -> ParityDiagnosis:
        assert budget.seconds == 120.0
        assert report.__name__ == "put"
        seen.append(failure)
        return answer

    monkeypatch.setattr("coreml_gate.diagnose.parity_diagnosis.diagnose_parity", diagnose)
    bench = bench_of(wide="wrong", route="trace")
    worse = comparison(sample=1, max_abs_error=4.0)
    bench.__dict__["runs"] = type("Runs", (), {"parity": (comparison(sample=0, max_abs_error=1.0), worse)})()
    put: list[Any] = []

    class Log:
        def begin(self, step: str) -> None:
            put.append(step)

        def put(self, part: Any) -> None:
            put.append(part)

        def advance(self, _: str) -> None: ...

    parity_fault.run(bench, Log())  # type: ignore[arg-type]
    assert put == ["diagnose", answer]
    (failure,) = seen
    assert (failure.route, failure.suspect.index, failure.suspect.error) == ("trace", 1, 1.0)
    assert failure.sample is bench.reference.samples.samples[1]
    assert failure.folder == bench.job.folder


def test_a_failed_conversion_leaves_its_facts_and_what_rules_say_of_the_graph(
    bench_of: Callable[..., Bench],
) -> None:
    bench = bench_of()
    facts = ConversionFacts(status="failed", route="none", message="no rule for `aten::foo`.")
    bench.__dict__.update(conversion=Conversion(facts, None, None), packages=None, graph=None)
    events = of(bench, conversion)
    assert events.step == "convert"
    assert events.parts.get(ConversionFacts) == facts
    rules = events.parts.content(RuleMatches)
    assert rules == look(bench.job.model, None, None, None), "what concerns no program"


def test_a_conversion_that_worked_leaves_the_rules_to_the_package(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of()
    facts = ConversionFacts(status="converted", route="trace", seconds=1.5)
    bench.__dict__["conversion"] = Conversion(facts, None, None)
    parts = of(bench, conversion).parts
    assert parts.get(ConversionFacts) == facts
    assert parts.content(RuleMatches) is None


def test_ids_that_a_float16_input_rounds_away_are_told(
    bench_of: Callable[..., Bench], tree: Path, job_of: JobOf, tmp_path: Path
) -> None:
    (tree / "models/net.py").write_text(TWICE.replace("8.0, 1.0", "2049.0, 1.0"))
    doubled(tmp_path / "given.mlpackage", half=True, half_input=True)
    job = job_of()
    bench = Bench(job)
    given = read_package(tmp_path / "given.mlpackage")
    bench.__dict__["packages"] = Packages(given, given, route="export")
    rounding = reported(job, lambda: numbers.run(bench, EventLog(job.folder))).parts.get(InputRounding)
    assert rounding is not None
    (rounded,) = rounding.inputs
    assert (rounded.input, rounded.sample, rounded.whole) == ("x", 1, False)
    assert rounded.place.index == (0, 2)
    assert (rounded.place.reference, rounded.place.candidate) == (2049.0, 2048.0)
    assert [each.candidate for each in rounding.comparisons] == ["rounded-inputs"] * 2
    assert rounding.comparisons[1].max_abs_error == 2.0


def test_suspects_are_the_changed_samples_that_differ(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of()
    sample = {"x": torch.ones(1, 4)}
    bench.__dict__["perturbed"] = (
        (PerturbedSample(name="times 2", comparisons=(comparison(max_abs_error=2.0),)), sample),
    )
    (suspect,) = bench.suspects
    assert (suspect.found_on, suspect.error) == ("times 2", 0.5)
