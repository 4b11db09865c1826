"""A Plan as text, JSON and a matrix."""

import json

import pytest

from coreml_gate.errors import UsageError
from coreml_gate.gate.plan import Job, Plan, UnchangedModel
from coreml_gate.gate.plan_output import as_github_matrix, as_json, as_text

PLAN = Plan(
    jobs=(
        Job("digits", "files changed: `a.py`"),
        Job("words-large", "new model"),
        Job("faces", "limits changed"),
    ),
    skipped=(UnchangedModel("old", "unchanged since 1111111"),),
    base="1" * 40,
    head="2" * 40,
)
NOTHING = Plan((), (), None, "2" * 40, dirty=True)


def test_text() -> None:
    assert as_text(PLAN) == (
        "3 models to measure at 2222222, 1 skipped since 1111111\n"
        "  measure  digits       files changed: `a.py`\n"
        "  measure  words-large  new model\n"
        "  measure  faces        limits changed\n"
        "  skip     old          unchanged since 1111111\n"
    )
    assert as_text(NOTHING) == "0 models to measure at 2222222 with uncommitted changes, 0 skipped\n"


def test_json_holds_all_of_the_plan() -> None:
    whole = json.loads(as_json(PLAN))
    assert (whole["base"], whole["head"], whole["dirty"]) == ("1" * 40, "2" * 40, False)
    assert whole["jobs"][1] == {"name": "words-large", "reason": "new model"}
    assert whole["skipped"] == [{"name": "old", "reason": "unchanged since 1111111"}]


@pytest.mark.parametrize(
    ("shards", "models"),
    [
        (256, ["digits", "words-large", "faces"]),
        (2, ["digits faces", "words-large"]),
        (1, ["digits words-large faces"]),
    ],
)
def test_matrix(shards: int, models: list[str]) -> None:
    text = as_github_matrix(PLAN, shards)
    assert text.count("\n") == 1
    legs = json.loads(text)["include"]
    assert [leg["model"] for leg in legs] == models
    assert [leg["shard"] for leg in legs] == list(range(1, len(models) + 1))


def test_github_accepts_no_empty_matrix() -> None:
    assert json.loads(as_github_matrix(NOTHING)) == {"include": [{"model": "", "shard": 0}]}


def test_more_models_than_github_has_jobs_share_them() -> None:
    many = Plan(tuple(Job(f"m{number}", "new model") for number in range(300)), (), None, "2" * 40)
    legs = json.loads(as_github_matrix(many))["include"]
    assert len(legs) == 256
    assert sum(len(leg["model"].split()) for leg in legs) == 300


@pytest.mark.parametrize("shards", [0, 257])
def test_a_number_of_shards_that_cannot_be(shards: int) -> None:
    with pytest.raises(UsageError, match=f"--shards {shards} is not between 1 and 256"):
        as_github_matrix(PLAN, shards)
