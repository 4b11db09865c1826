"""What an error or an early ending becomes: a problem with its kind, words, way out and exit code."""

from collections.abc import Callable

import pytest

from coreml_gate.children.job import ModelJob
from coreml_gate.errors import (
    ConfigError,
    EvaluateError,
    GateError,
    PackageError,
    SamplesError,
    SourceError,
    WorkerError,
)
from coreml_gate.frozen import changed
from coreml_gate.measurements.measurement import problem_of, problem_of_ending, sentence, way_out
from coreml_gate.record import ChildEnding

ENDED = ChildEnding(how="timed-out", phase="convert", message="after 600 s", log_tail=("a", "b"))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SourceError("m", "h"), "source-error"),
        (SamplesError("m", "h"), "samples-error"),
        (EvaluateError("m", "h"), "evaluate-error"),
        (PackageError("m", "h"), "package-error"),
        (WorkerError("m", "h"), "worker-error"),
        (ConfigError("m", "h"), "worker-error"),
    ],
)
def test_an_error_keeps_words_and_exit_code(error: GateError, kind: str) -> None:
    problem = problem_of(error)
    assert (problem.kind, problem.message, problem.hint) == (kind, "m", "h")
    assert problem.exit_code == error.exit_code


def test_half_a_character_in_an_error_can_be_stored() -> None:
    problem = problem_of(SourceError("a\ud800b", "c\udfff"))
    assert (problem.message, problem.hint) == ("a\\ud800b", "c\\udfff")
    assert b"ud800" in problem.model_dump_json().encode()


def test_an_ending_names_model_step_and_cause(job_of: Callable[..., ModelJob]) -> None:
    said = sentence(ENDED, job_of(), "converting")
    assert said == "model `net`: the child process timed out and was killed while converting (after 600 s)."


def test_an_ending_of_a_variant_with_a_source_of_its_own_names_both(job_of: Callable[..., ModelJob]) -> None:
    job = changed(job_of(), variant_of="whole")
    assert sentence(ENDED, job, "converting").startswith("model `whole`, variant `net`: the child process")


@pytest.mark.parametrize(
    ("how", "words"),
    [("crashed", "details"), ("timed-out", "`step-timeout-s`"), ("out-of-memory", "`step-memory-mb`")],
)
def test_each_ending_has_its_way_out(how: str, words: str) -> None:
    assert words in way_out(ChildEnding(how=how, phase="source", message="m"))  # type: ignore[arg-type]


def test_an_error_of_the_child_itself_has_said_what_to_do() -> None:
    assert way_out(ChildEnding(how="failed", phase="source", message="m")) == ""


def test_a_problem_of_an_ending_has_the_exit_code_of_its_step(job_of: Callable[..., ModelJob]) -> None:
    of_source = problem_of_ending(ENDED, job_of(), "building", SourceError)
    assert (of_source.kind, of_source.exit_code) == ("source-error", SourceError.exit_code)
    assert of_source.log_tail == ("a", "b")
    assert of_source.hint == way_out(ENDED)
    of_worker = problem_of_ending(ENDED, job_of(), "building")
    assert (of_worker.kind, of_worker.exit_code) == ("worker-error", WorkerError.exit_code)
