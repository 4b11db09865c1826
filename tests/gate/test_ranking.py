"""Variants side by side: who is eligible, who is on the front, and what is the best choice for each goal."""

from typing import Any

from coreml_gate.config import Config, Limits, ModelConfig, ModelVariant
from coreml_gate.config.limits import EvaluateLimits
from coreml_gate.gate.judge import judge
from coreml_gate.gate.ranking import rank
from coreml_gate.record import MetricValue, ModelRecord, Problem
from coreml_gate.verdict import BaselineFacts, Ranking, Status
from tests.builders import (
    MB,
    cost,
    environment,
    memory,
    model_config,
    model_record,
    package,
    precision_comparison,
    record,
)


def accuracy(value: float, source: float = 0.98) -> tuple[MetricValue, ...]:
    return (
        MetricValue(name="accuracy", side="source", value=source),
        MetricValue(name="accuracy", side="fp16", value=value),
    )


def config(*names: str, **limits: Any) -> ModelConfig:
    allowed = Limits(evaluate={"accuracy": EvaluateLimits(max_drop=0.02)})
    variants = tuple(ModelVariant(name=name, precision="float32") for name in names)
    defaults = {"variant": variants, "limits": allowed, "evaluate": "m.py:evaluate"}
    return model_config(**(defaults | limits))


def variant(name: str, megabytes: int, value: float, **overrides: Any) -> ModelRecord:
    defaults: dict[str, Any] = {
        "package": package(total_bytes=megabytes * MB),
        "memory": memory(weight_bytes=megabytes * MB),
        "metrics": accuracy(value),
    }
    return model_record(name=name, **(defaults | overrides))


def ranked(model: ModelConfig, *variants: ModelRecord) -> Ranking:
    found = rank(model, model_record(metrics=accuracy(0.98), variants=variants), environment())
    assert found is not None
    return found


def test_the_front_holds_what_nothing_beats_and_the_sentence_names_each_goal() -> None:
    ranking = ranked(
        config("small", "dominated", "slim"),
        variant("small", 5, 0.97),
        variant("dominated", 6, 0.965),
        variant("slim", 12, 0.975, cost=cost(macs=20 * MB, bytes=12 * MB)),
    )

    assert [each.name for each in ranking.candidates] == ["digits", "small", "dominated", "slim"]
    assert [each.ships for each in ranking.candidates] == [True, False, False, False]
    assert [each.on_front for each in ranking.candidates] == [True, True, False, True]
    assert (ranking.metric, ranking.higher_is_better) == ("accuracy", True)
    assert ranking.choice == (
        "Best choice: `slim` for compute (~20 MMAC) and traffic (~12.0 MB); "
        "`small` for size (5.00 MB) and memory (11.0 MB); `digits` for accuracy (0.98)."
    )
    assert "the order of packages on a Mac, or by cost, may differ" in ranking.notes[-1]


def test_a_variant_that_fails_a_limit_is_not_eligible_and_blocks_nothing() -> None:
    model = config("broken", "good")
    head = model_record(
        metrics=accuracy(0.98), variants=(variant("broken", 1, 0.5), variant("good", 5, 0.97))
    )
    verdict = judge(Config(model=(model,)), record(head), None, BaselineFacts(origin="none"))

    assert (verdict.verdict, verdict.exit_code) == (Status.PASS, 0)
    ranking = verdict.models[0].ranking
    assert ranking is not None
    _, broken, good = ranking.candidates
    assert (broken.eligible, broken.on_front) == ("no", False)
    assert broken.reason.startswith("evaluate: `accuracy` fell from 0.980 (source) to 0.500")
    assert (good.eligible, good.on_front) == ("yes", True)
    assert "broken" not in ranking.choice


def test_the_metric_of_another_architecture_is_held_against_the_model_it_would_replace() -> None:
    weak = variant("weak", 1, 0.9, metrics=accuracy(0.9, source=0.9))
    _, candidate = ranked(config("weak"), weak).candidates
    assert candidate.eligible == "no"
    assert "from 0.980 (source)" in candidate.reason


def test_what_cannot_be_told_is_unsure_and_what_was_not_measured_is_no() -> None:
    unsure = variant("odd", 1, 0.98, parity=(), precision=(), metrics=(), unsupported=("while_loop",))
    problem = Problem(kind="worker-error", message="it crashed.", exit_code=15)
    _, odd, lost = ranked(config("odd", "lost"), unsure, ModelRecord(name="lost", problem=problem)).candidates
    assert (odd.eligible, lost.eligible) == ("unsure", "no")
    assert "while_loop" in odd.reason
    assert lost.reason == "source: it crashed."


def test_a_metric_of_which_less_is_better_turns_the_goal_around() -> None:
    limits = Limits(evaluate={"accuracy": EvaluateLimits(most=2.0)})
    ranking = ranked(config("low", limits=limits), variant("low", 30, 0.4))
    assert not ranking.higher_is_better
    assert ranking.choice.endswith("`low` for accuracy (0.4).")


def test_without_a_limit_psnr_says_who_is_closest_and_an_exact_package_wins() -> None:
    exact = variant("exact", 40, 0.98, precision=(precision_comparison(psnr=None, max_abs_error=0.0),))
    ranking = ranked(config("exact", limits=Limits()), exact)
    assert ranking.metric == ""
    assert ranking.choice.endswith("`exact` for PSNR (exact).")


def test_no_variant_no_ranking() -> None:
    assert rank(config(), model_record(), environment()) is None
