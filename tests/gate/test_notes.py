from dataclasses import replace

import pytest

from coreml_gate.gate.judge import notes
from coreml_gate.record import OutputSensitivity, Problem
from tests.builders import comparison, conversion, environment, model_record, source
from tests.checks.cases import evidence


def test_nothing_to_note() -> None:
    trained = source(sensitivity=(OutputSensitivity(output="logits", value=0.1),))
    assert notes(evidence(model_record(source=trained))) == ()


def test_all_notes() -> None:
    head = model_record(
        source=source(
            random_samples=True,
            untrained_signs=("batch norms have mean 0", "biases are 0"),
            sensitivity=(OutputSensitivity(output="logits", value=0.0412),),
        ),
        conversion=conversion(notes=("export failed, so it was traced",)),
        parity=(comparison(sample=0), comparison(sample=5)),
        precision=(),
    )
    problem = Problem(kind="base-build-error", message="no such commit.", exit_code=14)
    untrained, insensitive, *others = notes(evidence(head, model_record(problem=problem)))
    assert untrained == (
        "likely untrained (batch norms have mean 0; biases are 0): numerical errors of untrained models "
        "mislead, in both directions."
    )
    assert insensitive == (
        "output `logits`: it hardly depends on the input (sensitivity 0.041, expected at least 0.1): "
        "good numbers prove nothing."
    )
    assert others == [
        "random samples, because the configuration names none; real inputs may reach other values.",
        "few samples: 2 compared, at least 4 expected: one input is not representative.",
        "export failed, so it was traced",
        "the baseline of this model is incomplete (base-build-error): no such commit.",
    ]


def test_samples_of_several_outputs_count_once() -> None:
    head = model_record(
        parity=tuple(comparison(output=output, sample=sample) for output in "ab" for sample in range(2)),
        precision=(),
    )
    assert notes(evidence(head))[0].startswith("few samples: 2 compared")


def test_nothing_compared_is_no_note_of_few_samples() -> None:
    assert notes(evidence(model_record(source=None, conversion=None, parity=(), precision=()))) == ()


@pytest.mark.attack("what changed")
def test_a_baseline_without_the_model_or_its_package_is_said_to_be_one() -> None:
    without = replace(evidence(model_record()), base_environment=environment())
    assert notes(without) == ("the baseline does not have this model, so it is not compared.",)
    assert notes(evidence(model_record(), model_record(package=None))) == (
        "the baseline of this model is incomplete: it has no package.",
    )


@pytest.mark.attack("what changed")
def test_other_samples_than_the_baselines_are_said_to_be_others() -> None:
    one, four = source(samples=1, samples_digest="a" * 64), source(samples_digest="b" * 64)
    (note,) = notes(evidence(model_record(source=one), model_record(source=four)))
    assert note.startswith("other samples than the baseline's (4 then, 1 now)")
    for before in (one, source(samples=1), None):
        assert notes(evidence(model_record(source=one), model_record(source=before))) == ()
