import pytest

from coreml_gate.checks import devices as check
from coreml_gate.verdict import Finding, Status
from tests.builders import MB, cost, memory, model_config, model_record, package
from tests.checks.cases import NOT_CONVERTED, evidence, only


def asked(*names: str, **parts: object) -> Finding:
    options = {key: parts.pop(key) for key in ("minimum_os", "precision") if key in parts}
    return only(check.run(evidence(model_record(**parts), config=model_config(devices=names, **options))))


def weighing(megabytes: int, **others: int) -> object:
    return memory(weight_bytes=megabytes * MB, activation_bytes=0, **others)


@pytest.mark.parametrize(
    ("name", "megabytes", "status"),
    [
        ("iPhone XR", 900, Status.PASS),  # 60 % of half of 3 GB
        ("iPhone XR", 901, Status.FAIL),
        ("iPhone 13 Pro", 1800, Status.PASS),  # half of 6 GB is less than the measured 3120 MB
        ("iPhone 14 Pro Max", 1720, Status.PASS),  # 60 % of the measured 2867 MB
        ("iPhone 14 Pro Max", 1721, Status.FAIL),
    ],
)
def test_a_model_may_take_60_percent_of_what_an_app_gets(name: str, megabytes: int, status: Status) -> None:
    assert asked(name, memory=weighing(megabytes)).status is status


def test_the_worst_device_speaks_for_all() -> None:
    finding = asked("iPhone 15 Pro", "iPhone XR", "iPhone SE 2", memory=weighing(950))
    assert finding.message == ("iPhone XR: the model takes 950.0 MB, allowed 900.0 MB (2 of 3 devices).")
    assert finding.value == pytest.approx(100 * 950 / 900)
    assert [line.split("  ")[0] for line in finding.details[1:4]] == [
        "iPhone 15 Pro",
        "iPhone XR",
        "iPhone SE 2",
    ]


def test_the_tightest_device_is_named_when_all_fit() -> None:
    finding = asked("iPhone 15 Pro", "iPhone XR")
    assert finding.message == "it fits on 2 devices, most tightly on iPhone XR: 25.0 MB of ~900.0 MB."
    words = " ".join(finding.details[2].split())
    assert words == "iPhone XR pass 3 % of ~900 MB 12-18 A12, 8 cores, 5 TOPS 0.02 ms"


def test_a_device_without_the_opset_cannot_load_it() -> None:
    finding = asked("iPhone XS", "iPhone 12", package=package(deployment_target="iOS26"))
    assert finding.status is Status.FAIL
    assert (
        finding.message
        == "iPhone XS: the model requires iOS26, but the device only runs up to iOS18 (1 of 2 devices)."
    )


def test_what_only_an_engine_may_take_warns() -> None:
    finding = asked(
        "iPhone XR", memory=weighing(800, lasting_overhead_bytes=60 * MB, passing_overhead_bytes=41 * MB)
    )
    assert finding.status is Status.WARN
    assert "may take 901.0 MB with an engine's own buffers, allowed 900.0 MB" in finding.message


def test_the_minimum_system_asks_for_every_device_that_runs_it() -> None:
    names = {line.split("  ")[0] for line in asked(minimum_os="26").details}
    assert "iPhone 11" in names
    assert "iPhone XR" not in names
    assert "iPhone XR" in {line.split("  ")[0] for line in asked(minimum_os="17.2").details}
    assert asked(minimum_os="40").status is Status.SKIPPED


def test_the_bound_of_the_time_stands_beside_each_device_with_what_was_seen() -> None:
    """M4: 38 TOPS and 120 GB/s."""
    finding = asked("iPad Pro 11-inch M4", cost=cost(macs=1, weights_read=240 * MB))
    assert finding.details[1].endswith(" 2 ms")
    assert "times the bound" in finding.details[3]


def test_float32_never_runs_on_the_neural_engine() -> None:
    assert "Neural Engine" in asked("iPhone 12", precision="float32").details[-1]
    assert "float32" not in asked("iPhone 12").details[-1]


def test_skipped_and_unsure() -> None:
    assert only(check.run(evidence())).status is Status.SKIPPED
    config = model_config(devices=("iPhone 12",))
    assert only(check.run(evidence(NOT_CONVERTED, config=config))).status is Status.UNSURE
    assert only(check.run(evidence(model_record(memory=None), config=config))).status is Status.UNSURE
