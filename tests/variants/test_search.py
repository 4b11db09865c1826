"""The smallest package that keeps the metric wins, whatever the order of settings suggests."""

from typing import Any

import pytest

from coreml_gate.config import Limits, ModelConfig, ModelVariant
from coreml_gate.record import CompressionFacts, LayerCompression, MetricValue, ModelRecord
from coreml_gate.variants.search import as_text, search
from coreml_gate.variants.settings import parse_setting
from tests.builders import (
    MB,
    conversion,
    environment,
    model_config,
    model_record,
    package,
    precision_comparison,
)

LIMITS = Limits.model_validate({"evaluate": {"accuracy": {"max-drop": 0.01}}})


def config(*settings: str, **overrides: Any) -> ModelConfig:
    variants = tuple(ModelVariant(name=name, compress=parse_setting(name)) for name in settings)
    defaults = {"limits": LIMITS, "evaluate": "m.py:evaluate", "variant": variants}
    return model_config(**(defaults | overrides))


def metrics(accuracy: float, source: float = 0.98) -> tuple[MetricValue, ...]:
    return (
        MetricValue(name="accuracy", side="source", value=source),
        MetricValue(name="accuracy", side="fp16", value=accuracy),
    )


def packed(name: str, megabytes: int, accuracy: float, psnr: float = 45.0, **overrides: Any) -> ModelRecord:
    layers = (
        LayerCompression(operation="first", shape=(64, 64), compressed=True, stored_bytes=2048, sqnr=30.0),
        LayerCompression(operation="last", shape=(64, 64), compressed=True, stored_bytes=2048, sqnr=12.0),
        LayerCompression(operation="odd", shape=(64, 63), compressed=False, stored_bytes=8064),
    )
    defaults: dict[str, Any] = {
        "package": package(total_bytes=megabytes * MB),
        "metrics": metrics(accuracy),
        "precision": (precision_comparison(psnr=psnr),),
        "compression": CompressionFacts(layers=layers),
    }
    return model_record(name=name, **(defaults | overrides))


def measured(*variants: ModelRecord) -> ModelRecord:
    return model_record(metrics=metrics(0.98), variants=variants)


def test_the_smallest_that_keeps_the_metric_wins_though_a_larger_one_loses_it() -> None:
    record = measured(
        packed("linear-int8", 10, 0.979),
        packed("palettize-4", 6, 0.90),
        packed("palettize-2", 4, 0.975),
        packed("palettize-1", 3, 0.55),
    )
    found = search(config("linear-int8", "palettize-4", "palettize-2", "palettize-1"), record, environment())

    assert (found.judged_by, found.metric, found.best) == ("evaluate", "accuracy", "palettize-2")
    assert [(tried.setting, tried.passes) for tried in found.tried] == [
        ("linear-int8", True),
        ("palettize-4", False),
        ("palettize-2", True),
        ("palettize-1", False),
    ]
    assert found.not_monotone == "`palettize-2` passes although the larger `palettize-4` does not."
    assert found.tried[1].reason.startswith("evaluate: `accuracy` fell from 0.980 (source) to 0.900")
    assert (found.tried[0].worst_layer, found.tried[0].worst_sqnr, found.tried[0].left_out) == ("last", 12, 1)
    assert found.tried[0].bits == pytest.approx(8 * (2048 + 2048 + 8064) / (64 * (64 + 64 + 63)))


def test_without_a_limit_on_a_metric_precision_judges() -> None:
    record = measured(packed("linear-int8", 10, 0.98, psnr=41.0), packed("palettize-2", 4, 0.98, psnr=12.0))
    found = search(config("linear-int8", "palettize-2", limits=Limits()), record, environment())

    assert (found.judged_by, found.best) == ("precision", "linear-int8")
    assert found.tried[1].reason.startswith(
        "precision: output `logits` is wrong with 2-bit palettised weights in FP16: PSNR 12.0 dB"
    )
    assert "accuracy" not in as_text(found)


def test_a_winner_that_precision_would_refuse_comes_with_the_figure_to_allow() -> None:
    lossy = (
        precision_comparison(psnr=12.0, cosine=0.996),
        precision_comparison(output="boxes", psnr=25.0, cosine=0.99314),
    )
    record = measured(packed("palettize-2", 4, 0.98, precision=lossy))
    found = search(config("palettize-2"), record, environment())

    assert found.best == "palettize-2"
    assert "PSNR 12.0 dB" in found.caution
    assert found.allow == "precision = { psnr = 12, cosine = 0.9931 }"
    assert f"    {found.allow}\n" in as_text(found)
    assert '    compress = { method = "palettize", bits = 2 }\n' in as_text(found)
    assert found.caution in as_text(found)


def test_a_setting_that_cannot_be_made_or_saves_nothing_is_never_chosen() -> None:
    refused = packed(
        "palettize-1", 3, 0.98, package=None, conversion=conversion(status="failed", message="no table")
    )
    found = search(
        config("linear-int8", "palettize-1"),
        measured(packed("linear-int8", 21, 0.98), refused),
        environment(),
    )

    assert found.best == ""
    assert "No setting passes that makes the package smaller." in as_text(found)
    assert "no table" in as_text(found)
