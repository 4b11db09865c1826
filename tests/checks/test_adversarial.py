from coreml_gate.checks import adversarial
from coreml_gate.checks.evidence import LOST
from coreml_gate.config import ModelConfig
from coreml_gate.criteria import FAR
from coreml_gate.frozen import changed
from coreml_gate.record import FirstWrong, ParityDiagnosis, PerturbedSample
from coreml_gate.verdict import Status
from tests.builders import comparison, model_config, model_record, source
from tests.checks.cases import NOT_CONVERTED, PROBLEM, evidence, only

SOUND = PerturbedSample(name="zeros", comparisons=(comparison(),))
POSITIVE = PerturbedSample(name="positive samples", comparisons=(comparison(),))
WRONG = PerturbedSample(
    name="samples times 1e-4", comparisons=(comparison(), comparison(output="b", max_abs_error=2.0))
)


def test_pass_names_what_was_tried() -> None:
    finding = only(adversarial.run(evidence(model_record(adversarial=(SOUND, POSITIVE)))))
    assert finding.status is Status.PASS
    assert finding.message == "the package matches the source on 2 changed samples."
    assert finding.details == ("zeros", "positive samples")


def test_a_difference_warns_and_names_sample_output_and_operation() -> None:
    found = FirstWrong(
        operation="inverse_0", operation_type="inverse", torch_operation="reciprocal", place="n.py:3"
    )
    diagnosis = ParityDiagnosis(found_on="samples times 1e-4", sample=0, first_wrong=found)
    head = model_record(adversarial=(SOUND, WRONG), parity_diagnosis=diagnosis)
    finding = only(adversarial.run(evidence(head)))
    assert finding.status is Status.WARN
    assert finding.message.startswith(
        "with samples times 1e-4, output `b`: greatest difference 2 at (0, 7) (source"
    )
    assert "(1 of 2 changed samples differ). First operation to differ: `inverse_0`" in finding.message
    assert (finding.file, finding.line) == ("n.py", 3)


def test_what_was_not_compared_is_named() -> None:
    end = "; not compared on `infinities`, because the source did not finish there"
    for found, status in (((SOUND,), Status.PASS), ((WRONG,), Status.WARN), ((), Status.SKIPPED)):
        head = model_record(adversarial=found, untried=("infinities",))
        finding = only(adversarial.run(evidence(head)))
        assert finding.status is status
        assert end in finding.message


def test_what_fails_a_thousand_times_beyond_the_samples_alone_is_noted() -> None:
    far = PerturbedSample(name=FAR, comparisons=(comparison(max_abs_error=2.0),))
    finding = only(adversarial.run(evidence(model_record(adversarial=(SOUND, far)))))
    assert finding.status is Status.PASS
    assert "except `samples times 1e3`, far from all samples" in finding.message
    assert finding.details[0].startswith("with samples times 1e3, output `logits`: greatest difference 2 ")

    both = only(adversarial.run(evidence(model_record(adversarial=(far, WRONG)))))
    assert both.status is Status.WARN
    assert "(2 of 2 changed samples differ)" in both.message


def test_a_shape_of_its_own_is_a_difference() -> None:
    shaped = PerturbedSample(name="zeros", comparisons=(comparison(candidate_shape=(10,)),))
    finding = only(adversarial.run(evidence(model_record(adversarial=(shaped,)))))
    assert "with zeros, output `logits`: shape (10,)" in finding.message


def test_samples_that_differ_themselves_are_told_once() -> None:
    head = model_record(parity=(comparison(max_abs_error=1.0),), adversarial=())
    assert (
        only(adversarial.run(evidence(head))).message == "the unchanged samples already differ: see parity."
    )


def test_skipped_with_the_reason() -> None:
    config = model_config(adversarial=False)
    for given in (
        evidence(model_record(), config=config),
        evidence(model_record(adversarial=())),
        evidence(model_record(source=source(kind="package"), parity=())),
    ):
        assert only(adversarial.run(given)).status is Status.SKIPPED


def test_what_was_lost_is_unsure() -> None:
    died = model_record(adversarial=(), problem=PROBLEM)
    for given in (evidence(NOT_CONVERTED), evidence(died)):
        finding = only(adversarial.run(given))
        assert (finding.status, finding.message) == (Status.UNSURE, LOST)


def test_images_stay_as_they_are() -> None:
    table = {"name": "image", "image": {"scale": 0.5}}
    config = ModelConfig.model_validate({"name": "digits", "source": "net.py:build", "input": [table]})
    finding = only(adversarial.run(evidence(model_record(adversarial=()), config=config)))
    assert finding.message == "images are not changed, and there was no other changed sample to compare."


def test_changes_that_were_not_tried_are_named() -> None:
    head = model_record(adversarial=(SOUND, POSITIVE), untried_changes=("infinities", "sorted values"))
    finding = only(adversarial.run(evidence(head)))
    assert finding.status is Status.PASS
    assert finding.message.startswith("the package matches the source on 2 changed samples; 2 changes")
    assert finding.message.endswith(" 2 changes not tried, because each run is costly.")
    assert finding.details[-2:] == ("not tried: infinities", "not tried: sorted values")
    (warned,) = adversarial.run(evidence(changed(head, adversarial=(SOUND, WRONG))))
    assert (
        "(1 of 2 changed samples differ; 2 changes not tried, because each run is costly)" in warned.message
    )
    unstable = only(adversarial.run(evidence(changed(head, adversarial=()))))
    assert unstable.message.endswith("unstable; 2 changes not tried, because each run is costly.")
