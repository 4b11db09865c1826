from typing import Any

import pytest
from pydantic import ValidationError

from coreml_gate.config import Config, GateOptions, Limits, ModelConfig
from coreml_gate.frozen import changed
from coreml_gate.gate.judge import judge
from coreml_gate.record import Diagnosis, Hazard, ModelRecord, Problem, Record, SkippedModel
from coreml_gate.report.headline import headline
from coreml_gate.verdict import BaselineFacts, Status, Verdict
from tests.builders import comparison, environment, feature, model_config, model_record, package, record
from tests.checks import core_ml

BASELINE = BaselineFacts(origin="rebuilt in this run", commit="0f9e8d7", present=True)


def problem(exit_code: int, **overrides: Any) -> ModelRecord:
    return model_record(
        problem=Problem(kind="source-error", message="it raised.", exit_code=exit_code), **overrides
    )


def failing(**overrides: Any) -> ModelRecord:
    return model_record(parity=(comparison(max_abs_error=1.0),), **overrides)


def unsure(**overrides: Any) -> ModelRecord:
    return model_record(parity=(), precision=(), unsupported=("while_loop",), **overrides)


def config(*models: ModelConfig, **gate: Any) -> Config:
    return Config(gate=GateOptions(**gate), model=models or (model_config(),))


def judged(*models: ModelRecord, base: Record | None = None, **gate: Any) -> Verdict:
    names = [model_config(name=model.name) for model in models]
    return judge(config(*names, **gate), record(*models), base, BASELINE)


def test_pass() -> None:
    verdict = judged(model_record())
    assert (verdict.verdict, verdict.exit_code) == (Status.PASS, 0)
    assert (verdict.commit, verdict.dirty, verdict.engine) == (record().commit, False, "mil")
    assert verdict.baseline == BASELINE
    assert verdict.models[0].exit_code == 0


@pytest.mark.parametrize(
    ("stand_in", "engine"), [("", "mil+coreml"), ("coreml-gate stand-in", "mil+stand-in")]
)
def test_whoever_answered_is_named(stand_in: str, engine: str) -> None:
    """Also where a Mac's Record was merged into one of Linux, whose engine is the MIL runtime."""
    facts = core_ml.core_ml(machine=core_ml.machine(stand_in=stand_in))
    assert judged(model_record(name="other"), model_record(core_ml=facts)).engine == engine


def test_fail() -> None:
    verdict = judged(model_record(name="sound"), failing())
    assert (verdict.verdict, verdict.exit_code) == (Status.FAIL, 1)
    assert [model.verdict for model in verdict.models] == [Status.PASS, Status.FAIL]


def test_warn() -> None:
    head = model_record(package=package(deployment_target="iOS16"))
    verdict = judged(head, base=record())
    assert (verdict.verdict, verdict.exit_code) == (Status.WARN, 0)


@pytest.mark.parametrize(
    ("strict", "status", "exit_code"), [(False, Status.UNSURE, 0), (True, Status.FAIL, 1)]
)
def test_unsure_blocks_only_a_strict_gate(strict: bool, status: Status, exit_code: int) -> None:
    verdict = judged(unsure(), fail_on_unsure=strict)
    assert (verdict.verdict, verdict.exit_code, verdict.fail_on_unsure) == (status, exit_code, strict)
    assert verdict.models[0].verdict is status
    assert verdict.models[0].of("parity")[0].status is Status.UNSURE


def test_the_first_problem_wins_over_failures() -> None:
    verdict = judged(failing(name="a"), problem(5, name="b"), problem(6, name="c"), model_record(name="d"))
    assert verdict.verdict is Status.FAIL
    assert [model.exit_code for model in verdict.models] == [1, 5, 6, 0]
    assert verdict.exit_code == 5


@pytest.mark.parametrize("exit_code", [-1, 0, 1, 256])
def test_a_problem_has_no_exit_code_that_a_caller_takes_for_a_pass_or_a_failure(exit_code: int) -> None:
    with pytest.raises(ValidationError, match="exit_code"):
        problem(exit_code)


def test_nothing_judged_is_unsure() -> None:
    head = record(model_record(name="gone"))
    verdict = judge(config(), head, None, BASELINE)
    assert (verdict.verdict, verdict.exit_code, verdict.models) == (Status.UNSURE, 0, ())


def test_skipped_models_have_reasons() -> None:
    head = record(
        model_record(name="new"),
        skipped=(
            SkippedModel(name="same", reason="unchanged."),
            SkippedModel(name="old", reason="unchanged."),
        ),
    )
    names = [model_config(name=name) for name in ("missing", "same")]
    verdict = judge(config(*names), head, None, BASELINE)
    assert [(model.name, model.reason) for model in verdict.skipped] == [
        ("missing", "not in the record."),
        ("same", "unchanged."),
        ("new", "the configuration that judges does not name it, so it has no limits."),
        ("old", "the configuration that judges does not name it, so it has no limits."),
    ]


@pytest.mark.attack("Records from elsewhere")
@pytest.mark.parametrize(("strict", "status"), [(False, Status.UNSURE), (True, Status.FAIL)])
def test_a_model_of_which_the_record_holds_nothing_is_not_one_that_did_not_change(
    strict: bool, status: Status
) -> None:
    """The headline was `no model had to be measured`."""
    known = config(model_config(name="a"))
    strict_config = changed(known, gate=changed(known.gate, fail_on_unsure=strict))
    verdict = judge(strict_config, record(), None, BASELINE)
    assert [(each.check, each.status) for each in verdict.findings] == [("record", status)]
    assert "no model had to be measured" not in headline(verdict)
    unchanged = record(skipped=(SkippedModel(name="a", reason="unchanged."),))
    assert judge(strict_config, unchanged, None, BASELINE).findings == ()


def test_models_stay_in_the_order_of_the_configuration() -> None:
    names = [model_config(name=name) for name in ("b", "a")]
    head = record(model_record(name="a"), model_record(name="b"))
    verdict = judge(config(*names), head, None, BASELINE)
    assert [model.name for model in verdict.models] == ["b", "a"]


def test_each_model_is_compared_with_its_own_baseline() -> None:
    base = record(model_record(name="a", package=package(total_bytes=10**6)))
    verdict = judged(model_record(name="a"), model_record(name="b"), base=base)
    assert [model.of("size")[0].base for model in verdict.models] == [1.0, None]
    assert [model.of("size")[0].status for model in verdict.models] == [Status.FAIL, Status.PASS]


def test_a_baseline_of_another_toolchain_cannot_blame() -> None:
    base = record(
        model_record(package=package(total_bytes=10**6)), environment=environment(coremltools="8.3")
    )
    verdict = judged(model_record(), base=base)
    assert verdict.models[0].of("size")[0].status is Status.UNSURE
    assert verdict.exit_code == 0


def test_stored_records_can_be_judged_under_other_limits() -> None:
    limits = Limits.model_validate({"parity": {"max_error": 1.0}})
    head = record(failing())
    assert judge(config(), head, None, BASELINE).exit_code == 1
    assert judge(config(model_config(limits=limits)), head, None, BASELINE).exit_code == 0


def test_a_failure_points_at_the_models_file() -> None:
    findings = judged(failing()).models[0].findings
    files = {finding.check: finding.file for finding in findings}
    assert files["parity"] == "models/digits.py"
    assert files["size"] == ""


def test_a_check_that_knows_the_line_is_not_overruled() -> None:
    found = Hazard(
        kind="overflow",
        operation="pow_1",
        operation_type="pow",
        place="layers/norm.py:7",
        reaches=6e4,
        bound=65504,
    )
    (finding,) = judged(model_record(diagnosis=Diagnosis(hazards=(found,)))).models[0].of("hazards")
    assert (finding.file, finding.line) == ("layers/norm.py", 7)


@pytest.mark.parametrize("source", ["app.models:build", "models/digits.pt2"])
def test_no_file_is_made_up(source: str) -> None:
    verdict = judge(config(model_config(source=source)), record(failing()), None, BASELINE)
    assert verdict.models[0].of("parity")[0].file == ""


def test_notes_reach_the_verdict() -> None:
    head = model_record(parity=(comparison(),), precision=())
    assert judged(head).models[0].notes[0].startswith("few samples: 1 compared")


def test_a_renamed_output_blocks() -> None:
    head = model_record(package=package(outputs=(feature(name="scores", shape=(1, 10)),)))
    verdict = judged(head, base=record())
    assert verdict.exit_code == 1
    assert "`logits` is now named `scores`" in verdict.models[0].of("interface")[0].message


@pytest.mark.parametrize(
    ("lost", "failed"),
    [
        ({"source": None, "conversion": None, "package": None}, ["source", "conversion"]),
        ({"source": None}, ["source"]),
        ({"conversion": None, "package": None}, ["conversion"]),
        ({"package": None}, ["conversion"]),
    ],
)
def test_a_record_from_elsewhere_that_proves_nothing_fails(lost: dict[str, Any], failed: list[str]) -> None:
    verdict = judged(model_record(**lost))
    assert (verdict.verdict, verdict.exit_code) == (Status.FAIL, 1)
    findings = verdict.models[0].findings
    assert [each.check for each in findings if each.status is Status.FAIL] == failed


def test_a_record_of_a_name_alone_fails() -> None:
    named = Record.model_validate(record().model_dump() | {"models": [{"name": "digits"}]})
    verdict = judge(config(), named, None, BASELINE)
    assert (verdict.verdict, verdict.exit_code) == (Status.FAIL, 1)
