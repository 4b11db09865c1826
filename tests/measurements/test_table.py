"""The table of measurements: what a job chooses of it, what its parts fill, and which step means what."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coreml_gate.children.job import ModelJob
from coreml_gate.config import ModelConfig
from coreml_gate.frozen import changed
from coreml_gate.measurements import MEASUREMENTS, measurement_at, of_models, vocabulary
from coreml_gate.measurements.measurement import chosen
from coreml_gate.record import (
    ChildEnding,
    ConversionFacts,
    Diagnosis,
    LiteRtFacts,
    ModelRecord,
    OperationProfile,
    Part,
    Problem,
    WrappedPart,
)
from coreml_gate.support.command import ONLY

ENDING = ChildEnding(how="crashed", phase="", message="killed by signal 11 (SIGSEGV)")


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., ModelJob]:
    def make(only: tuple[str, ...] = (), **options: object) -> ModelJob:
        model = ModelConfig.model_validate({"name": "net", "source": "net.py:Net", **options}, by_name=True)
        return ModelJob(
            only=only, root=tmp_path, record_folder=tmp_path, model=model, closure="", max_samples=2
        )

    return make


def names(job: ModelJob) -> list[str]:
    of = {id(measurement): name for name, measurement in of_models().items()}
    return [of[id(measurement)] for measurement in chosen(of_models(), job)]


def test_options_decide_what_is_measured(job: Callable[..., ModelJob]) -> None:
    plain = names(job(adversarial=False))
    kept = ["source", "conversion", "package", "numbers", "allowed-shapes", "parity-fault", "half-precision"]
    assert plain == [*kept, "operation-profile"]
    everything = job(evaluate="net.py:evaluate", litert=True)
    everything = changed(everything, variants=(everything.model,))
    assert names(everything) == list(of_models())


def test_support_converts_and_compares_and_does_nothing_else(job: Callable[..., ModelJob]) -> None:
    asked = job(ONLY, evaluate="net.py:evaluate", litert=True)
    assert names(asked) == ["source", "conversion", "package", "numbers"]


def test_every_part_of_a_model_has_its_field_in_the_record_and_every_field_one_part() -> None:
    parts = {part for each in of_models().values() for part in each.PARTS}
    assert {part.FIELD for part in parts} <= set(ModelRecord.model_fields)
    assert {part.FIELD: part for part in parts}.items() <= vocabulary().parts.items()


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("source", Problem),
        ("convert", ConversionFacts),
        ("measure", Problem),
        ("evaluate", Problem),
        ("diagnose", Diagnosis),
        ("profile", OperationProfile),
        ("litert", LiteRtFacts),
    ],
)
def test_what_a_crash_means_depends_on_the_step(
    job: Callable[..., ModelJob], step: str, kind: type[Part] | type[WrappedPart[object]]
) -> None:
    measurement = measurement_at(step)
    assert measurement is not None
    part = measurement.ended(ENDING, job())
    assert isinstance(part, kind)
    words = f"crashed while {measurement.STEPS[step]} (killed by signal 11 (SIGSEGV))"
    assert words in part.model_dump_json()


def test_every_step_is_worded() -> None:
    assert all(words for each in MEASUREMENTS.values() for words in each.STEPS.values())
    assert measurement_at("start") is None
