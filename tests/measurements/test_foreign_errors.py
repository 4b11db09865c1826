"""Is one fault one sentence, wherever and however often it happens? On texts of public reports."""

import pytest

from coreml_gate.measurements.foreign_errors import in_words
from coreml_gate.stand_in.ns_error import core_ml_error

PARSING = "Error parsing MIL model: at {place}: Could not open {folder}/weights/weight.bin"


def missing_weights(uuid: str, user: str) -> str:
    """The form of apple/ml-stable-diffusion#5."""
    folder = f"/private/var/folders/{user}/60t303_n5ysgp00p2d7gg6p80000gq/T/safety_checker_{uuid}.mlmodelc"
    place = f"{folder}/model.mil:11:258"
    text = f"at {place}: {PARSING.format(place=place, folder=folder)}"
    return (
        "{\n"
        f'    NSLocalizedDescription = "{text}";\n'
        '    NSUnderlyingError = "Error Domain=com.apple.CoreML Code=110 \\"(null)\\"";\n'
        "}"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # apple/coremltools#412
        ('{\n    NSLocalizedDescription = "Error computing NN outputs.";\n}', "Error computing NN outputs."),
        ("{\n    NSLocalizedDescription = Failed;\n}", "Failed"),
        (
            # alibaba/MNN#1672 has these sentences
            r"""{
    NSLocalizedDescription = "For input feature '0', the provided shape (1 \U00d7 2) is not compatible";
    NSUnderlyingError = "Error Domain=com.apple.CoreML Code=0 \"MultiArray shape (1 x 2)\" UserInfo={}";
}""",
            "For input feature '0', the provided shape (1 × 2) is not compatible MultiArray shape (1 x 2)",  # noqa: RUF001
        ),
        ("value type not convertible", "RuntimeError: value type not convertible"),
    ],
)
def test_the_sentences_of_an_error_stand_on_one_line(text: str, words: str) -> None:
    assert in_words(RuntimeError(text)) == words


def test_paths_and_random_names_of_a_run_are_left_out() -> None:
    one = in_words(RuntimeError(missing_weights("F6E660E9-99D4-4589-AE75-91F2290BEB50", "sc")))
    other = in_words(RuntimeError(missing_weights("00000000-99D4-4589-AE75-91F2290BEB51", "zz")))
    assert one == other
    assert one.startswith("at safety_checker.mlmodelc/model.mil:11:258: Error parsing MIL model: ")
    assert "(null)" not in one


def test_one_fault_on_two_choices_of_hardware_is_one_sentence() -> None:
    said = {
        in_words(RuntimeError(f"at /work/out/core-ml/{units}/compiled/net-{name}.mlmodelc/model.mil:3:1: no"))
        for units, name in (("CPU_ONLY", 32 * "a"), ("CPU_AND_NE", 32 * "b"))
    }
    assert said == {"RuntimeError: at net.mlmodelc/model.mil:3:1: no"}


def test_what_the_stand_in_says_comes_back_as_it_was_meant() -> None:
    text = 'a "quoted" name, a \\ and a ×'  # noqa: RUF001
    assert in_words(core_ml_error(text, "the reason", 3)) == f"{text} the reason"
