from coreml_gate.checks import structure as check
from coreml_gate.mil.diff import Node, ProgramOutline, Result, Weight
from coreml_gate.verdict import Status
from tests.builders import model_record
from tests.checks.cases import evidence, only

FILE = "packages/digits.mlpackage/Data/com.apple.CoreML/model.mlmodel"


def outline(*, digest: str = "a", relu: bool = True) -> tuple[str, ...]:
    line = Node(
        "y",
        "linear",
        "head",
        (Result("y", "fp16[1, 4]"),),
        ("x",),
        "",
        (Weight("weight", "fp16[4, 4]", digest),),
    )
    last = Node("z", "relu", "head", (Result("z", "fp16[1, 4]"),), ("y",), "", ())
    return ProgramOutline(("x",), (line, last) if relu else (line,), ("z" if relu else "y",)).lines()


def test_changes_are_told_by_part_and_never_fail() -> None:
    head, base = model_record(outline=outline(digest="b")), model_record(outline=outline(relu=False))
    finding = only(check.run(evidence(head, base)))
    assert finding.status is Status.PASS
    assert finding.message == "program: 2 operations, 1 in the baseline: 1 added, 1 with other weights."
    assert finding.details == (
        "head: added 1 relu; weights 1 linear",
        f"to look at it: pip install netron; netron {FILE}",
    )


def test_nothing_changed() -> None:
    same = model_record(outline=outline())
    finding = only(check.run(evidence(same, same)))
    assert (finding.message, finding.details) == ("program: 2 operations: no change.", ())


def test_without_two_outlines_there_is_nothing_to_say() -> None:
    assert check.run(evidence(model_record(outline=outline()))) == ()
    assert check.run(evidence(model_record(outline=outline()), model_record())) == ()
