"""What a compressed package says of its layers."""

from typing import Any

from coreml_gate.checks import compression
from coreml_gate.config.options import Compression
from coreml_gate.record import CompressionFacts, LayerCompression, MetricValue
from coreml_gate.verdict import Status
from tests.builders import model_config, model_record
from tests.checks.cases import NOT_CONVERTED, evidence, only


def layer(name: str, **overrides: Any) -> LayerCompression:
    defaults: dict[str, Any] = {
        "operation": name,
        "shape": (100, 100),
        "compressed": True,
        "stored_bytes": 5000,
        "sqnr": 21.0,
    }
    return LayerCompression(**(defaults | overrides))


def asked(*layers: LayerCompression, base: tuple[LayerCompression, ...] = (), **parts: Any) -> Any:
    config = model_config(compress=Compression(method="palettize", bits=4))
    facts = CompressionFacts(layers=layers) if layers else None
    before = model_record(compression=CompressionFacts(layers=base)) if base else None
    return only(compression.run(evidence(model_record(compression=facts, **parts), before, config)))


def test_bits_reached_and_the_layer_that_lost_most() -> None:
    finding = asked(layer("a"), layer("b", sqnr=12.34, stored_bytes=10000), base=(layer("a"),))

    assert finding.status is Status.PASS
    assert (finding.value, finding.base) == (6.0, 4.0)
    assert finding.message == (
        "2 of 2 layers compressed, 6 bits per weight with scales and tables: 0.015 MB, 0.040 MB in half "
        "precision; `b` lost most: SQNR 12.3 dB."
    )
    assert finding.details[0] == "`b` [100, 100]: SQNR 12.3 dB, 8 bits per weight"


def test_a_layer_that_was_left_out_is_a_warning() -> None:
    finding = asked(layer("a"), layer("b", compressed=False, stored_bytes=20000, sqnr=None))
    assert finding.status is Status.WARN
    assert "1 layer left out, 0.020 MB, first `b`" in finding.message


def test_a_layer_below_the_threshold_is_left_out_on_purpose() -> None:
    finding = asked(layer("a"), layer("b", shape=(32, 64), compressed=False, stored_bytes=4096, sqnr=None))
    assert finding.status is Status.PASS


def of_a_team(*layers: LayerCompression) -> Any:
    record = model_record(compression=CompressionFacts(layers=layers))
    return only(compression.run(evidence(record, None, model_config())))


def test_a_team_leaves_out_what_coremltools_leaves_out_by_default() -> None:
    small = layer("b", shape=(10, 64), compressed=False, stored_bytes=1280, sqnr=None)
    large = layer("b", shape=(100, 64), compressed=False, stored_bytes=12800, sqnr=None)
    assert of_a_team(layer("a"), small).status is Status.PASS
    assert of_a_team(layer("a"), large).status is Status.WARN


def test_compression_that_did_nothing_is_a_warning() -> None:
    assert asked().status is Status.WARN


def test_metrics_stand_beside_those_of_the_float32_package() -> None:
    metrics = tuple(
        MetricValue(name="accuracy", side=side, value=value)  # type: ignore[arg-type]
        for side, value in (("source", 0.98), ("fp32", 0.98), ("fp16", 0.95))
    )
    finding = asked(layer("a"), metrics=metrics)
    assert finding.details[-1] == "`accuracy`: 0.95, the float32 package gives 0.98 (-0.03)"


def test_nothing_to_ask() -> None:
    assert only(compression.run(evidence())).status is Status.SKIPPED
    assert only(compression.run(evidence(NOT_CONVERTED))).status is Status.SKIPPED
