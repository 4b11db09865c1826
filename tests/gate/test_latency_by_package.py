"""Packages are ranked by time only where all of them were timed in one place, the oldest phone first."""

import math
from typing import Any

import pytest

from coreml_gate.gate.latency_by_package import Speeds, speeds_of
from coreml_gate.gate.ranking import ORDERS_DIFFER, OTHER_PHONES, rank
from coreml_gate.record import DeviceFacts, ModelRecord
from tests.builders import environment, model_config, model_record, package
from tests.checks.core_ml import core_ml, machine, timed, timing


def on_phone(device: str, *ms: float, **overrides: Any) -> DeviceFacts:
    defaults: dict[str, Any] = {
        "device": device,
        "product": "iPhone0,0",
        "system": "iOS 18.1 (22B83)",
        "units": "ALL",
        "package": "5f3a",
        "predict_ms": ms,
    }
    return DeviceFacts(**(defaults | overrides))


def on_mac(name: str, ratio: float, **overrides: Any) -> ModelRecord:
    metric = timed(log_ratio=math.log(ratio), noise=0.0, base_ms=4.0)
    return model_record(name=name, core_ml=core_ml(timing=timing(metrics=(metric,), **overrides)))


def test_the_oldest_phone_that_timed_all_of_them_decides() -> None:
    variant = model_record(
        name="small", on_device=(on_phone("iPhone 15 Pro", 1.0), on_phone("iPhone 12", 5, 3, 4))
    )
    model = model_record(
        on_device=(on_phone("iPhone 15 Pro", 2.0), on_phone("iPhone 12", 3.0), on_phone("iPhone XS", 9.0)),
        variants=(variant,),
    )
    found = speeds_of(model)
    assert found == Speeds("iPhone 12 (ALL)", on_phone=True, ms={"digits": 3.0, "small": 4.0})


def test_a_time_of_another_package_does_not_count() -> None:
    stale = model_record(name="small", on_device=(on_phone("iPhone 12", 4.0, package="older"),))
    assert speeds_of(model_record(on_device=(on_phone("iPhone 12", 3.0),), variants=(stale,))) == Speeds()


def test_on_a_mac_a_variant_is_its_ratio_to_the_package_that_ships() -> None:
    found = speeds_of(model_record(variants=(on_mac("small", 0.5), on_mac("wide", 1.25))))
    assert found.place == "this Mac, Apple M2 (CPU_ONLY)"
    assert found.ms == pytest.approx({"digits": 4.0, "small": 2.0, "wide": 5.0})


@pytest.mark.parametrize(
    "variant",
    [
        on_mac("small", 0.5, engine="mil"),
        model_record(name="small", core_ml=core_ml(machine=machine(stand_in="ours"), timing=timing())),
        model_record(name="small"),
    ],
)
def test_what_is_no_time_of_core_ml_ranks_nothing(variant: ModelRecord) -> None:
    assert speeds_of(model_record(variants=(variant,))) == Speeds()


def test_a_variant_that_was_never_made_is_not_waited_for() -> None:
    lost = model_record(name="lost", package=None)
    assert speeds_of(model_record(variants=(on_mac("small", 0.5), lost))).ms == pytest.approx(
        {"digits": 4.0, "small": 2.0}
    )


def test_the_ranking_goes_by_milliseconds_and_says_whose() -> None:
    slow = model_record(
        name="small", package=package(total_bytes=1000), on_device=(on_phone("iPhone 12", 9.0),)
    )
    model = model_record(on_device=(on_phone("iPhone 12", 3.0),), variants=(slow,))
    ranking = rank(model_config(), model, environment())
    assert ranking is not None
    assert ranking.measured_on == "iPhone 12 (ALL)"
    assert ranking.choice.startswith("Best choice: `digits` for speed (3 ms)")
    assert ranking.notes == ("ms: the median prediction on iPhone 12 (ALL).", OTHER_PHONES)

    on_a_mac = rank(model_config(), model_record(variants=(on_mac("small", 0.5),)), environment())
    assert on_a_mac is not None
    assert on_a_mac.notes[-1] == ORDERS_DIFFER
