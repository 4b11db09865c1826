"""New is what the baseline does not have at the same place, whatever the converter's counters call it."""

from coreml_gate.checks import hazards, rules
from coreml_gate.mil.diff import Node, ProgramOutline, Result
from coreml_gate.record import Diagnosis, Hazard, ModelRecord, RuleMatch, RulePlace
from coreml_gate.verdict import Finding, Status
from tests.builders import model_record
from tests.checks.cases import evidence, only

Chain = tuple[str, ...]


def chain(types: Chain) -> ProgramOutline:
    """Operations one after the other; names count per type, as the converter's do."""
    names = [f"{kind}_{types[:position].count(kind)}_cast_fp16" for position, kind in enumerate(types)]
    reads = ["x", *names]
    nodes = tuple(
        Node(name, kind, "", (Result(name, "fp16[1, 8]"),), (read,), "", ())
        for name, kind, read in zip(names, types, reads, strict=False)
    )
    return ProgramOutline(("x",), nodes, (names[-1],))


def fires(types: Chain, *places: str) -> ModelRecord:
    found = tuple(RulePlace(place=place, text="`exp` in half precision") for place in places)
    match = RuleMatch(rule="scatter", severity="perf", count=len(found), places=found, fix="Mask.")
    return model_record(outline=chain(types).lines(), rules=(match,) if places else ())


def overflows(types: Chain, *operations: str) -> ModelRecord:
    found = tuple(
        Hazard(kind="overflow", operation=name, operation_type="exp", reaches=1e6, bound=65504.0)
        for name in operations
    )
    return model_record(outline=chain(types).lines(), diagnosis=Diagnosis(hazards=found))


def slow(head: ModelRecord, base: ModelRecord) -> list[Finding]:
    return [finding for finding in rules.run(evidence(head, base)) if finding.status is Status.WARN]


def is_new(head: ModelRecord, base: ModelRecord) -> bool:
    return only(hazards.run(evidence(head, base))).message.startswith("new in this change: ")


BASE: Chain = ("relu", "exp", "tanh", "softmax")


def test_an_operation_that_only_has_another_name_is_not_new() -> None:
    longer: Chain = ("exp", "relu", "exp", "tanh", "softmax")

    assert slow(fires(longer, "exp_1_cast_fp16"), fires(BASE, "exp_0_cast_fp16")) == []
    assert not is_new(overflows(longer, "exp_1"), overflows(BASE, "exp_0"))


def test_another_place_is_new_though_the_type_and_the_number_are_the_same() -> None:
    longer: Chain = ("exp", "relu", "exp", "tanh", "softmax")

    (finding,) = slow(fires(longer, "exp_0_cast_fp16"), fires(BASE, "exp_0_cast_fp16"))
    assert "`exp_0_cast_fp16`" in finding.message
    assert is_new(overflows(longer, "exp_0"), overflows(BASE, "exp_0"))


def test_the_new_place_is_named_and_not_the_first_one() -> None:
    longer: Chain = (*BASE, "exp")

    (finding,) = slow(fires(longer, "exp_0_cast_fp16", "exp_1_cast_fp16"), fires(BASE, "exp_0_cast_fp16"))
    assert "`exp_1_cast_fp16`" in finding.message
    assert (finding.value, finding.base) == (2, 1)


def test_a_module_is_known_by_its_path_and_a_constant_by_all_but_its_counter() -> None:
    assert slow(fires(BASE, "op_12_to_fp16"), fires(BASE, "op_7_to_fp16")) == []
    assert len(slow(fires(BASE, "layers.1"), fires(BASE, "layers.0"))) == 1


def test_a_hazard_of_another_kind_at_the_same_operation_is_new() -> None:
    base = model_record(
        outline=chain(BASE).lines(),
        diagnosis=Diagnosis(
            hazards=(
                Hazard(kind="rounding", operation="exp_0", operation_type="exp", reaches=0.1, bound=0.01),
            )
        ),
    )

    assert is_new(overflows(BASE, "exp_0"), base)
