import pytest

from coreml_gate.checks import conversion as check
from coreml_gate.record import (
    ConversionFacts,
    MissingOperation,
    Phase,
    RefusedOperation,
    RuleMatch,
    RulePlace,
)
from coreml_gate.verdict import Finding, Status
from tests.builders import conversion, model_record
from tests.checks.cases import evidence, only

SHIPS = "ship this package: `packages/digits.mlpackage`"


def answer(facts: ConversionFacts | None, base: ConversionFacts | None = None) -> Finding:
    base_record = None if base is None else model_record(conversion=base)
    return only(check.run(evidence(model_record(conversion=facts), base_record)))


@pytest.mark.parametrize(
    ("facts", "status", "message"),
    [
        (conversion(), Status.PASS, f"package: converted by way of export, in 3.2 s; {SHIPS}."),
        (
            conversion(cached=True),
            Status.PASS,
            f"package: converted by way of export, taken from the cache; {SHIPS}.",
        ),
        (
            conversion(status="not-needed", route="none"),
            Status.SKIPPED,
            "not needed: the source is a package.",
        ),
        (None, Status.FAIL, "the Record holds no conversion and no problem that explains it."),
        (
            conversion(status="failed", message="ValueError: bad axis"),
            Status.FAIL,
            "package: not converted, the converter rejected it after 3.2 s: ValueError: bad axis",
        ),
        (
            conversion(status="crashed"),
            Status.FAIL,
            "package: not converted, the converter crashed after 3.2 s.",
        ),
        (
            conversion(status="timed-out", seconds=900),
            Status.FAIL,
            "package: not converted, timed out after 900 s.",
        ),
        (
            conversion(status="out-of-memory"),
            Status.FAIL,
            "package: not converted, exceeded the memory limit and was killed after 3.2 s.",
        ),
    ],
)
def test_message(facts: ConversionFacts | None, status: Status, message: str) -> None:
    finding = answer(facts)
    assert (finding.check, finding.status, finding.message) == ("conversion", status, message)


def test_a_lost_write_is_why_an_output_is_its_input() -> None:
    lost = RuleMatch(
        rule="lost-write",
        severity="silent",
        count=1,
        places=(
            RulePlace(
                place="21", text="`aten::index_put_` writes through `aten::slice`", file="n.py", line=4
            ),
        ),
        fix="",
    )

    def said(optimisation_pass: str) -> str:
        refused = RefusedOperation(optimisation_pass=optimisation_pass, cause="it is refused")
        facts = conversion(status="failed", refused=refused)
        return only(check.run(evidence(model_record(conversion=facts, rules=(lost,))))).message

    assert "The write at n.py:4 is lost: `aten::index_put_`" in said("common::sanitize_input_output_names")
    assert "is lost" not in said("common::fuse_conv_scale")


def test_all_missing_operations_are_named_with_their_modules() -> None:
    missing = (
        MissingOperation(operation="aten::fold", count=3, modules=("head.up", "head.down")),
        MissingOperation(operation="aten::diagonal", count=1, modules=()),
    )
    finding = answer(conversion(status="failed", missing=missing, log_tail=("last words",)))
    assert finding.message == (
        "package: not converted, the converter lacks 2 torch operations: "
        "`aten::fold` (3x); `aten::diagonal` (1x)."
    )
    assert finding.details == (
        "`aten::fold`: 3 calls, called in `head.up`, `head.down`",
        "`aten::diagonal`: 1 call",
        "last words",
    )
    assert "register_torch_op" in finding.hint


def test_the_converters_own_hint_wins() -> None:
    assert answer(conversion(status="failed", hint="pin numpy<2.4")).hint == "pin numpy<2.4"


@pytest.mark.parametrize("status", ["failed", "crashed", "timed-out", "out-of-memory"])
def test_every_failure_has_a_way_out_and_its_log(status: str) -> None:
    finding = answer(conversion(status=status, log_tail=("first", "last")))
    assert finding.hint
    assert finding.details == ("first", "last")


def test_notes_and_another_route_than_the_baselines_are_details() -> None:
    finding = answer(conversion(route="trace", notes=("export failed, traced",)), conversion())
    assert finding.details == ("export failed, traced", "the baseline was converted by way of export")
    assert answer(conversion(), conversion()).details == ()


@pytest.mark.parametrize(
    ("twin", "words"),
    [
        ("called-again", "the same callable"),
        ("gate", "the gate's own conversion"),
        ("widened", "weights stay"),
    ],
)
def test_the_teams_own_package_and_its_twin(twin: str, words: str) -> None:
    finding = answer(conversion(route="none", maker="tools/export.py:to_coreml", twin=twin))
    assert finding.message == f"package: made by `tools/export.py:to_coreml`, in 3.2 s; {SHIPS}."
    assert words in finding.details[0]


def test_a_script_of_the_teams_that_failed() -> None:
    facts = conversion(status="failed", route="none", maker="export.py:main", message="no licence")
    finding = answer(facts)
    assert finding.message == "package: not converted, `export.py:main` failed after 3.2 s: no licence"
    assert "convert with a script of your own" not in finding.hint, "it is one"


def test_a_failure_says_what_became_of_the_baseline() -> None:
    finding = answer(conversion(status="failed"), conversion())
    assert finding.details == ("the baseline was converted by way of export",)
    before = conversion(status="timed-out")
    assert answer(conversion(status="failed"), before).details == (
        "the baseline does not convert either: timed out",
    )


def test_the_details_say_where_the_time_went() -> None:
    phases = (Phase(step="convert", seconds=12.04), Phase(step="measure", seconds=0.4))
    found = only(check.run(evidence(model_record(phases=phases), None)))
    assert found.details == ("measuring time: convert 12.0 s",)
