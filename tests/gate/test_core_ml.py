"""What is asked of Core ML for which package, and how the answers come into the Record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.children.job import DescribedPackage
from coreml_gate.children.process import ProcessLimits
from coreml_gate.children.reference_data import REFERENCE_FILE, ReferenceSample, write_reference_data
from coreml_gate.config import GateOptions, Limits, ModelConfig
from coreml_gate.gate import core_ml as module
from coreml_gate.gate.core_ml import Stored, measure_with_core_ml
from coreml_gate.gate.core_ml_host import CoreMlHost
from coreml_gate.record import ComputeUnits, CoreMlFacts, CoreMlRun, Record, read_record
from coreml_gate.report.progress import LogProgress
from coreml_gate.worker.supervisor import Supervisor
from coreml_gate.worker.timing_loop import PackagePair, TimingBudget
from tests.builders import feature, model_config, model_record, package, record
from tests.checks import core_ml as answers

HOSTED = {"RUNNER_ENVIRONMENT": "github-hosted"}


class Asked:
    """What was asked, in order, and the answers of a Mac that crashes on the GPU."""

    def __init__(self) -> None:
        self.predicted: list[tuple[str, tuple[ComputeUnits, ...]]] = []
        self.timed: list[tuple[PackagePair, TimingBudget]] = []
        self.planned: list[tuple[str, ComputeUnits]] = []

    def predict_on(self, asked: DescribedPackage, _: Path, units: Any, *__: object) -> tuple[CoreMlRun, ...]:
        self.predicted.append((asked.path.parent.name, tuple(units)))
        return tuple(answers.ended(each) if each == "CPU_AND_GPU" else answers.run(each) for each in units)

    def time_packages(self, pair: PackagePair, budget: TimingBudget, *_: object) -> Any:
        self.timed.append((pair, budget))
        return answers.timing()

    def plan_of(self, asked: DescribedPackage, units: ComputeUnits, *_: object) -> Any:
        self.planned.append((asked.path.parts[-4], units))
        return answers.placement()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()
    for name in ("predict_on", "time_packages", "plan_of"):
        monkeypatch.setattr(module, name, getattr(made, name))
    return made


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Stored]:
    def make(side: str, *names: str, **overrides: Any) -> Stored:
        models = []
        for name in names:
            path = f"models/{name}/package.mlpackage"
            (tmp_path / side / path).mkdir(parents=True)
            write_reference_data(
                tmp_path / side / "models" / name / REFERENCE_FILE, [ReferenceSample({}, {}, {})]
            )
            models.append(model_record(name=name, package=package(path=path, **overrides)))
        return Stored(record(*models), tmp_path / side)

    return make


def ask(
    head: Stored, base: Stored | None, environment: dict[str, str], stand_in: str = "", **config: Any
) -> Record:
    models = {model.name: model_config(name=model.name, **config) for model in head.record.models}
    around = Supervisor(environment, ProcessLimits(1), stand_in=bool(stand_in))
    host = CoreMlHost(around, LogProgress(lambda _: None, groups=False), answers.machine(stand_in=stand_in))
    return measure_with_core_ml(head, base, models, GateOptions(), host)


def facts(asked_record: Record, name: str) -> CoreMlFacts:
    model = asked_record.model(name)
    assert model is not None
    assert model.core_ml is not None
    return model.core_ml


def test_a_crash_keeps_no_other_hardware_and_no_other_model_from_its_turn(
    asked: Asked, stored: Callable[..., Stored]
) -> None:
    head, base = stored("head", "a", "b"), stored("base", "a", "b", fingerprint="0b")
    answered = ask(head, base, {})
    every = ("CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL")
    assert asked.predicted == [("a", every), ("b", every)]
    for name in ("a", "b"):
        assert [run.ending is None for run in facts(answered, name).runs] == [True, False, True, True]
        assert facts(answered, name).timing is not None
    assert asked.planned == [("head", "ALL"), ("base", "ALL")] * 2
    assert read_record(head.folder / "record.json") == answered


def test_what_is_timed_shares_the_error_and_uses_the_hardware_closest_to_the_app_s(
    asked: Asked, stored: Callable[..., Stored]
) -> None:
    latency = {"max-ratio": 1.1, "load-max-ratio": 1.5}
    head, base = stored("head", "a", "b"), stored("base", "a", "b", fingerprint="0b")
    ask(head, base, {}, limits=Limits.model_validate({"latency": latency}))
    pair, budget = asked.timed[0]
    assert (pair.units, pair.base_fingerprint, pair.head_fingerprint) == ("ALL", "0b", "5f3a")
    assert budget.ratios == {"predict": 1.1, "load": 1.5}
    assert budget.alpha == pytest.approx(0.05 / 4)
    assert budget.budget_s == GateOptions().time_budget_s


def test_a_hosted_runner_is_asked_for_the_cpu_only_and_for_no_plan(
    asked: Asked, stored: Callable[..., Stored]
) -> None:
    answered = ask(stored("head", "a"), None, HOSTED)
    assert asked.predicted == [("a", ("CPU_ONLY",))]
    assert asked.planned == []
    assert facts(answered, "a").untimed == "there is no baseline package on this machine to compare with."


def test_the_stand_in_has_no_plan(asked: Asked, stored: Callable[..., Stored]) -> None:
    answered = ask(stored("head", "a"), None, {}, stand_in="coreml-gate stand-in")
    assert asked.planned == []
    assert facts(answered, "a").machine.stand_in == "coreml-gate stand-in"


def test_other_inputs_have_no_sample_in_common(asked: Asked, stored: Callable[..., Stored]) -> None:
    base = stored("base", "a", inputs=(feature(shape=(1, 3, 64, 64)),))
    answered = ask(stored("head", "a"), base, {})
    assert asked.timed == []
    assert "the inputs differ from the baseline's" in facts(answered, "a").untimed


def test_the_baseline_s_own_package_is_not_timed_again(asked: Asked, stored: Callable[..., Stored]) -> None:
    answered = ask(stored("head", "a"), stored("base", "a"), {})
    assert asked.timed == []
    assert facts(answered, "a").untimed.startswith("the package is the baseline's")


def test_a_model_without_a_package_is_left_as_it_is(asked: Asked, tmp_path: Path) -> None:
    head = Stored(record(model_record(package=None)), tmp_path)
    assert ask(head, None, {}).models == head.record.models
    assert asked.predicted == []


def test_no_limit_no_times(asked: Asked, stored: Callable[..., Stored]) -> None:
    limits = Limits.model_validate({"latency": {"max-ratio": False}})
    answered = ask(stored("head", "a"), stored("base", "a", fingerprint="0b"), {}, limits=limits)
    assert (asked.timed, facts(answered, "a").timing) == ([], None)
    assert "no limit is set" in facts(answered, "a").untimed


def test_a_model_of_the_record_that_the_configuration_does_not_name_is_not_asked(
    asked: Asked, stored: Callable[..., Stored]
) -> None:
    head = stored("head", "a")
    host = CoreMlHost(
        Supervisor({}, ProcessLimits(1)), LogProgress(lambda _: None, groups=False), answers.machine()
    )
    models: dict[str, ModelConfig] = {}
    assert measure_with_core_ml(head, None, models, GateOptions(), host).models == head.record.models
