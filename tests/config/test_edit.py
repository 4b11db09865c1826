"""Edits of a configuration: the line that is found, and every file in which none is certain."""

import pytest

from coreml_gate.config.edit import MAX_LINES, Edit, edit_of, table_with, written
from coreml_gate.config.load import parse_config

MODEL = '[[model]]\nname = "digits"\nsource = "models/digits.py:build"\n'
OTHER = '[[model]]\nname = "other"\nsource = "models/other.py:build"\n'
KEEP = ("RMSNorm/pow", "exp_3")


def edit(text: str, name: str = "coreml-gate.toml") -> Edit | None:
    return edit_of(text, name, "digits", "keep-fp32", KEEP)


def test_a_new_key_goes_below_the_name_of_its_own_model() -> None:
    assert edit(OTHER + "\n" + MODEL) == Edit(
        6, 6, ('name = "digits"', 'keep-fp32 = ["RMSNorm/pow", "exp_3"]')
    )


def test_indentation_and_remarks_are_kept() -> None:
    text = '[[model]]\n  name = "digits"  # the small one\n  source = "models/digits.py:build"'
    assert edit(text) == Edit(
        2, 2, ('  name = "digits"  # the small one', '  keep-fp32 = ["RMSNorm/pow", "exp_3"]')
    )


def test_a_key_that_is_there_is_replaced_with_all_its_lines() -> None:
    assert edit(MODEL + 'keep-fp32 = ["a"]\n') == Edit(4, 4, ('keep-fp32 = ["RMSNorm/pow", "exp_3"]',))
    spread = 'keep-fp32 = [\n  "a",  # ]\n  "b",\n]\nconversion = "trace"\n'
    assert edit(MODEL + spread) == Edit(4, 7, ('keep-fp32 = ["RMSNorm/pow", "exp_3"]',))


def test_pyproject() -> None:
    text = "[project]\nname = 'digits'\n" + MODEL.replace("model]]", "tool.coreml-gate.model]]")
    found = edit(text, "pyproject.toml")
    assert found is not None
    assert (found.first, found.lines[0]) == (4, 'name = "digits"')


def test_another_key() -> None:
    found = edit_of(MODEL + 'conversion = "export"\n', "coreml-gate.toml", "digits", "conversion", "trace")
    assert found == Edit(4, 4, ('conversion = "trace"',))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(OTHER, id="no such model"),
        pytest.param(MODEL.replace("\n", "\r\n"), id="other line ends"),
        pytest.param(f"# one\u2028two\n{MODEL}", id="a line end that GitHub does not count"),
        pytest.param('model = [{ name = "digits", source = "a.py:b" }]\n', id="inline"),
        pytest.param(MODEL + 'precision = "float32"\n', id="not allowed together"),
        pytest.param(MODEL + "keep-fp32 = [\n" + '"a",\n' * MAX_LINES + "]\n", id="a list too long"),
        pytest.param(MODEL + f'keep-fp32 = ["{KEEP[0]}", "{KEEP[1]}"]\n', id="so already"),
        pytest.param(MODEL + "typo = 1\n", id="not a configuration"),
        pytest.param(MODEL + "limits = " + "[" * 5_000, id="too deep"),
        pytest.param(MODEL + "[gate]\nmax-samples = " + "1" * 5_000, id="a number too long"),
        pytest.param("", id="nothing"),
    ],
)
def test_where_no_edit_is_certain_there_is_none(text: str) -> None:
    assert edit(text) is None


def test_a_text_that_looks_like_a_table_deceives_nobody() -> None:
    decoy = "[gate.rules.off]\nx = '''\n[[model]]\nname = \"digits\"\n'''\n"
    assert edit(decoy + MODEL) is None


@pytest.mark.parametrize("name", ['a"]\nsource = "x', "\\", "\x7f", "\U0001f600", "`", "]"])
def test_any_text_is_written_so_that_it_reads_the_same(name: str) -> None:
    (model,) = parse_config(f"{MODEL}keep-fp32 = {written((name,))}\n", "coreml-gate.toml").model
    assert model.keep_fp32 == (name,)


def test_a_table_to_copy() -> None:
    assert table_with("digits", "conversion", "trace") == (
        "[[model]]",
        'name = "digits"',
        'conversion = "trace"  # the line to add',
    )
