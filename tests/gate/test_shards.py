"""Models shared among the jobs of a matrix, and which of them Core ML has to look at."""

import pytest

from coreml_gate.errors import UsageError
from coreml_gate.gate.plan_output import needing_core_ml, shards
from tests.builders import model_record, package, record


@pytest.mark.parametrize(
    ("count", "legs"),
    [(1, ["a b c d e"]), (2, ["a c e", "b d"]), (3, ["a d", "b e", "c"]), (9, ["a", "b", "c", "d", "e"])],
)
def test_jobs_differ_by_one_model_at_most(count: int, legs: list[str]) -> None:
    made = shards(list("abcde"), count)

    assert [leg["model"] for leg in made] == legs
    assert [leg["shard"] for leg in made] == list(range(1, len(legs) + 1))


def test_no_models_need_no_job() -> None:
    assert shards([], 5) == []


@pytest.mark.parametrize("count", [0, 257])
def test_a_number_of_shards_that_cannot_be(count: int) -> None:
    with pytest.raises(UsageError, match=f"--shards {count} is not between 1 and 256"):
        shards(["a"], count)


def test_core_ml_looks_at_packages_that_differ_from_the_base() -> None:
    head = record(
        models=(
            model_record(name="same", package=package(fingerprint="1")),
            model_record(name="small", package=package(fingerprint="2", total_bytes=10)),
            model_record(name="new", package=package(fingerprint="3", total_bytes=1_000)),
            model_record(name="unconverted", package=None),
        )
    )
    base = record(
        models=(
            model_record(name="same", package=package(fingerprint="1")),
            model_record(name="small", package=package(fingerprint="0")),
        )
    )

    assert needing_core_ml(head, base) == ["new", "small"]
    assert set(needing_core_ml(head, None)) == {"new", "small", "same"}
