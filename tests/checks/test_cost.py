import pytest

from coreml_gate.checks import cost as check
from coreml_gate.frozen import changed
from coreml_gate.verdict import Status
from tests.builders import MB, cost, model_record
from tests.checks.cases import NOT_CONVERTED, evidence, limited, only


def test_figures_and_parts() -> None:
    finding = only(check.run(evidence(model_record(), model_record())))
    assert finding.status is Status.PASS
    assert finding.message == (
        "compute: 50 million multiply-accumulates, 30.0 MB moved, 5 operations; in the baseline 50 million "
        "multiply-accumulates, 30.0 MB moved, 5 operations."
    )
    assert (finding.value, finding.base, finding.limit, finding.unit) == (50.0, 50.0, 51.0, "MMAC")
    assert finding.details == (
        "1.67 multiply-accumulates per byte moved",
        "1 million elements of other operations",
        "layers_1: 98 % of the multiply-accumulates, 20.0 MB moved",
        "(no name): 2 % of the multiply-accumulates, 10.0 MB moved",
    )


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"macs": 51 * MB}, Status.PASS, ""),
        (
            {"macs": 52 * MB},
            Status.FAIL,
            "it computes 1.04 times as much as the baseline, allowed 1.02 times",
        ),
        ({"bytes": 33 * MB}, Status.FAIL, "it moves 1.1 times as much as the baseline, allowed 1.02 times"),
        ({"elementwise": 9 * MB, "operations": 50}, Status.PASS, ""),
    ],
)
def test_growth(change: dict[str, int], status: Status, said: str) -> None:
    finding = only(check.run(evidence(model_record(cost=cost(**change)), model_record())))
    assert finding.status is status
    assert said in finding.message


def test_the_remedy_passes() -> None:
    head, base = model_record(cost=cost(macs=52 * MB, bytes=33 * MB)), model_record()
    finding = only(check.run(evidence(head, base)))
    assert finding.message.endswith("Would pass with max-ratio = 1.05.")
    assert finding.details[0] == "also: it moves 1.1 times as much as the baseline, allowed 1.02 times"
    assert only(check.run(evidence(head, base, limited(cost={"max_ratio": 1.1})))).status is Status.PASS
    assert only(check.run(evidence(head, base, limited(cost={"max_ratio": None})))).status is Status.PASS


def test_tiny_models_are_not_asked() -> None:
    head = model_record(cost=cost(macs=MB // 2, bytes=MB // 2))
    base = model_record(cost=cost(macs=MB // 4, bytes=MB // 4))
    assert only(check.run(evidence(head, base))).status is Status.PASS


def test_another_toolchain_cannot_blame_the_pull_request() -> None:
    head = model_record(cost=cost(macs=60 * MB))
    assert only(check.run(evidence(head, model_record(), coremltools="8.3"))).status is Status.UNSURE


def test_other_shapes_are_not_compared() -> None:
    head = model_record(cost=cost(macs=99 * MB, shape="ids (1, 256)"))
    finding = only(check.run(evidence(head, model_record(cost=cost(shape="ids (1, 128)")))))
    assert (finding.status, finding.base) == (Status.PASS, None)
    assert "not compared: the baseline was counted for ids (1, 128)" in finding.details


def test_skipped_and_unsure() -> None:
    assert only(check.run(evidence(NOT_CONVERTED))).status is Status.UNSURE
    assert only(check.run(evidence(model_record(cost=None)))).status is Status.UNSURE


def test_what_moved_more_stands_in_the_table_and_names_its_part() -> None:
    base = cost()
    before, rest = base.modules
    head = cost(bytes=33 * MB, modules=(changed(before, bytes=22 * MB), changed(rest, bytes=11 * MB)))
    finding = only(check.run(evidence(model_record(cost=head), model_record(cost=base))))
    assert (finding.value, finding.base, finding.unit) == (33.0, 30.0, "MB moved")
    assert "allowed 1.02 times, most of it in `layers_1`." in finding.message
    assert finding.hint.startswith("if the model is meant to move more")


def test_growth_that_no_named_part_explains_names_none() -> None:
    base = cost()
    before, rest = base.modules
    spread = cost(macs=60 * MB, modules=(before, changed(rest, macs=11 * MB)))
    unknown = cost(macs=60 * MB, modules=(changed(before, name="stem", macs=59 * MB),))
    few = cost(modules=(rest,))
    for head, of_base in ((spread, base), (unknown, few)):
        finding = only(check.run(evidence(model_record(cost=head), model_record(cost=of_base))))
        assert "most of it" not in finding.message
