"""The packages of a model as candidates: what each is held to, and which metric decides."""

from typing import Any

import pytest

from coreml_gate.config import ModelConfig
from coreml_gate.gate.latency_by_package import Speeds
from coreml_gate.gate.packages_compared import candidates, deciding_metric, higher_is_better
from coreml_gate.record import MetricValue, ModelRecord
from coreml_gate.verdict import Candidate
from tests.builders import (
    cost,
    environment,
    memory,
    model_config,
    model_record,
    package,
    precision_comparison,
)


def metrics(**by_side: float) -> tuple[MetricValue, ...]:
    return tuple(MetricValue(name="accuracy", side=side, value=value) for side, value in by_side.items())  # type: ignore[arg-type]


def configured(**limits: Any) -> ModelConfig:
    return model_config(
        evaluate="models/digits.py:evaluate",
        limits={"evaluate": {"accuracy": limits or {"max-drop": 0.02}}},
        variant=({"name": "int8", "compress": {"method": "linear-int8"}},),
    )


def measured(*variants: ModelRecord, **options: Any) -> ModelRecord:
    return model_record(metrics=metrics(source=0.98, fp16=0.97), variants=variants, **options)


def found(model: ModelRecord, config: ModelConfig | None = None, **options: Any) -> list[Candidate]:
    return list(candidates(config or configured(), model, environment(), **options))


def test_the_package_that_ships_comes_first_and_every_figure_is_its_own() -> None:
    variant = model_record(
        name="int8",
        package=package(total_bytes=5_000_000),
        memory=memory(weight_bytes=4_000_000, activation_bytes=1_000_000),
        cost=cost(macs=7, bytes=9),
        precision=(precision_comparison(psnr=44.0), precision_comparison(psnr=41.5)),
        metrics=metrics(fp16=0.965),
    )
    ships, other = found(measured(variant))
    assert (ships.name, ships.ships, ships.size_bytes) == ("digits", True, 20_000_000)
    assert (ships.metric, ships.psnr, ships.eligible) == (0.97, 55.0, "yes")
    assert (other.name, other.ships, other.size_bytes) == ("int8", False, 5_000_000)
    assert (other.memory_bytes, other.macs, other.moved_bytes) == (5_000_000, 7, 9)
    assert (other.metric, other.psnr, other.eligible) == (0.965, 41.5, "yes")


def test_a_variant_is_held_to_the_metric_of_its_models_source() -> None:
    variant = model_record(name="int8", metrics=metrics(source=0.5, fp16=0.95))
    _, other = found(measured(variant))
    assert other.eligible == "no", "0.98 by the model's source, not 0.5 by the variant's own"
    assert other.reason.startswith("evaluate: ")
    assert "0.95" in other.reason


def test_a_variant_whose_package_is_lost_is_not_eligible() -> None:
    variant = model_record(name="int8", package=None, memory=None, cost=None, parity=(), precision=())
    _, other = found(measured(variant))
    assert other.eligible != "yes"
    assert other.reason
    assert (other.size_bytes, other.memory_bytes, other.macs, other.psnr) == (None, None, None, None)


def test_what_cannot_be_told_makes_a_candidate_unsure() -> None:
    variant = model_record(
        name="int8", parity=(), precision=(), unsupported=("strange",), metrics=metrics(fp16=0.97)
    )
    _, other = found(measured(variant))
    assert other.eligible == "unsure"
    assert "strange" in other.reason


def test_a_variant_that_the_configuration_does_not_name_is_held_to_the_models_limits() -> None:
    bad = model_record(name="new", metrics=metrics(fp16=0.9))
    good = model_record(name="newer", metrics=metrics(fp16=0.97))
    _, first, second = found(measured(bad, good), model_config(**_options()))
    assert (first.eligible, second.eligible) == ("no", "yes")


def _options() -> dict[str, Any]:
    return {
        "evaluate": "models/digits.py:evaluate",
        "limits": {"evaluate": {"accuracy": {"max-drop": 0.02}}},
    }


def test_times_go_to_the_package_of_their_name() -> None:
    speeds = Speeds("this Mac", ms={"int8": 3.5})
    ships, other = found(measured(model_record(name="int8", metrics=metrics(fp16=0.97))), speeds=speeds)
    assert (ships.latency_ms, other.latency_ms) == (None, 3.5)


@pytest.mark.parametrize(
    ("limits", "metric", "higher"),
    [
        ({"max-drop": 0.1}, "accuracy", True),
        ({"least": 0.9}, "accuracy", True),
        ({"max-rise": 0.1}, "accuracy", False),
        ({"most": 3.0}, "accuracy", False),
    ],
)
def test_a_limit_says_which_direction_is_the_better_one(
    limits: dict[str, float], metric: str, higher: bool
) -> None:
    config = configured(**limits)
    assert deciding_metric(config, measured()) == metric
    assert higher_is_better(config, metric) is higher


def test_without_a_limited_metric_psnr_decides_and_more_is_better() -> None:
    plain = model_config()
    assert deciding_metric(plain, measured()) == ""
    assert higher_is_better(plain, "")
    assert deciding_metric(configured(), model_record()) == "", (
        "a metric that was not measured decides nothing"
    )
