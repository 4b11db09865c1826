from pathlib import Path

import pytest

from coreml_gate.convert.failures import failure_of, hint_of, in_one_line

KNOWN = {
    "only 0-dimensional arrays can be converted to Python scalars": "apple/coremltools#2632",
    "Conversion for models with only ATEN or EDGE dialect is supported/tested. Provided Dialect: TRAINING": (
        "run_decompositions"
    ),
    "State model is supported only >= iOS18. Please update the minimum_deployment_target": "iOS18",
    "The 4-bit quantization is supported since iOS18.": "deployment-target",
    "Core ML cannot handle user input mutation, because": "x.clone()",
    "For mlprogram, inputs with infinite upper_bound is not allowed.": "greatest size",
    "Could not guard on data-dependent expression Eq(u0, 1)": "torch.where",
    "float16 dtype for inputs is only supported for deployment target >= iOS16/macOS13": "deployment-target",
    "This op does not support complex number dtype.": "no complex numbers",
}


@pytest.mark.parametrize("text", KNOWN)
def test_known_failures_have_a_way_out(text: str) -> None:
    assert KNOWN[text] in hint_of(text)


def test_an_unknown_failure_has_no_hint() -> None:
    assert hint_of("the moon is full") == ""


def test_the_converters_words_are_kept_within_bounds(tmp_path: Path) -> None:
    error = RuntimeError("first\n\n" + "\n".join(f"line {number}" for number in range(50)))
    lines = failure_of(error, tmp_path, ["ERROR - converting 'fold' op"]).message.splitlines()
    assert lines[:3] == ["ERROR - converting 'fold' op", "RuntimeError: first", "line 0"]
    assert len(lines) == 20


def test_frames_inside_of_a_message_are_dropped(tmp_path: Path) -> None:
    text = (
        'broken\n  File "/somewhere/net.py", line 3\n    x = y\nFor more information, run with LOGS\nthe end'
    )
    failure = failure_of(ValueError(text), tmp_path)
    assert failure.message == "ValueError: broken\nthe end"
    assert in_one_line(failure) == "ValueError: broken"


def test_an_error_without_words(tmp_path: Path) -> None:
    assert failure_of(AssertionError(), tmp_path).message == "AssertionError: no message"
