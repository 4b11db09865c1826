"""Several Records of one commit."""

import pytest

from coreml_gate.errors import RecordError
from coreml_gate.frozen import changed
from coreml_gate.github.evidence.untrusted_record import merge_records, require_all
from coreml_gate.record import CoreMlFacts, Machine, Problem, Record, SkippedModel
from tests.builders import environment, model_record, record


def shard(*names: str, skipped: tuple[str, ...] = (), **overrides: object) -> Record:
    models = tuple(model_record(name=name) for name in names)
    left_out = tuple(SkippedModel(name=name, reason="unchanged") for name in skipped)
    return record(**{"models": models, "skipped": left_out, **overrides})


def test_all_models_in_the_order_of_the_records() -> None:
    merged = merge_records(
        [
            shard("digits", "faces", skipped=("ears", "nose"), created="2026-01-01T00:00:00Z"),
            shard("ears", skipped=("nose",), created="2026-01-02T00:00:00Z", dirty=True),
        ]
    )

    assert [model.name for model in merged.record.models] == ["digits", "faces", "ears"]
    assert [model.name for model in merged.record.skipped] == ["nose"]
    assert (merged.record.created, merged.record.dirty, merged.notes) == ("2026-01-02T00:00:00Z", True, ())


def test_a_mac_adds_what_only_core_ml_can_tell() -> None:
    facts = CoreMlFacts(machine=Machine(chip="M1", model="VM", system="macOS 26.5", memory_bytes=7 * 10**9))
    plain = model_record(name="digits")
    mac = changed(plain, core_ml=facts, outline=("of the Mac",))

    for order in ([plain, mac], [plain, mac, mac]):
        merged = merge_records([record(models=(model,)) for model in order])
        assert merged.record.models == (changed(plain, core_ml=facts),)
        assert len(merged.notes) == len(order) - 2


def test_what_the_mac_said_of_variants_is_added_to_them() -> None:
    facts = CoreMlFacts(machine=Machine(chip="Apple M2", model="Mac14,2", system="macOS", memory_bytes=1))
    small, wide = model_record(name="small"), model_record(name="wide")
    plain = model_record(variants=(small, wide))
    mac = changed(plain, variants=(changed(wide, core_ml=facts),))
    (merged,) = merge_records([record(plain), record(mac)]).record.models
    assert merged.variants == (small, changed(wide, core_ml=facts))


def test_what_failed_on_the_mac_is_said() -> None:
    problem = Problem(kind="package-error", message="it is truncated.", exit_code=8)
    failed = model_record(name="digits", problem=problem)
    merged = merge_records([shard("digits"), record(models=(failed,))])

    assert merged.record == shard("digits")
    assert merged.notes == ("model `digits` was measured by two jobs, one of which failed: it is truncated.",)


def test_a_job_that_left_nothing_is_missed() -> None:
    require_all(2, 2)
    with pytest.raises(RecordError, match="2 of 3 measuring jobs stored a Record"):
        require_all(2, 3)


def test_one_record_stays_as_it_is() -> None:
    alone = shard("digits")

    assert merge_records([alone]).record == alone


def test_other_versions_are_said() -> None:
    other = environment(torch="2.4.0", platform="Darwin-arm64")
    merged = merge_records([shard("digits"), shard("faces", environment=other)])

    assert merged.record.environment == environment()
    assert merged.notes == (
        "the jobs ran with more than one version of torch: `2.13.0`, `2.4.0`.",
        "the jobs ran with more than one version of platform: `Linux-x86_64`, `Darwin-arm64`.",
    )


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "there is no Record to merge"),
        ([shard("a"), shard("b", commit="f" * 40)], "more than one commit"),
        ([shard("a"), shard("b", commit=None)], "`no commit`"),
        ([shard("a"), shard("b", engine="coreml")], "more than one engine: `mil`, `coreml`"),
    ],
)
def test_what_does_not_belong_together_is_refused(records: list[Record], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        merge_records(records)
