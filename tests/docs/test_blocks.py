"""Every block of the documentation is run, read or parsed; what is not says why."""

import ast
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from coreml_gate import assert_core_ml_parity
from coreml_gate.cli import build_parser
from coreml_gate.config.load import parse_config
from tests.docs.blocks import PAGES, Block, blocks, blocks_of
from tests.house import ROOT

RUN_ELSEWHERE: Final = {
    "rules.md": "fixes to be put into a model; tests/rules has a model with and without each",
    "walkthrough.md": "tests/docs/test_walkthrough.py performs it",
    "known-converter-bugs.md": "bodies of `forward`; tests/known_bugs converts each",
}
READ_BY_PEOPLE: Final = {"", "text", "dockerfile"}
MADE: Final = {"make", "git", "pip", "docker", "python", "export", "cd", "uvx"}
"""Programs of others: what they do is not ours to test."""


def _pages(language: str) -> list[Path]:
    known = (page for page in PAGES if page.name not in RUN_ELSEWHERE)
    return [page for page in known if any(each.language == language for each in blocks_of(page))]


@pytest.mark.parametrize("page", _pages("python"), ids=lambda page: page.name)
def test_python_runs_from_top_to_bottom(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "documentation"}
    for block in blocks_of(page):
        if block.language == "python" and not block.reason:
            exec(compile(block.text, str(block), "exec"), names)
            for name in [each for each in names if each.startswith("test_")]:
                names.pop(name)(assert_core_ml_parity)


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_is_a_configuration(block: Block) -> None:
    if "[[model]]" in block.text and "source = " in block.text:
        parse_config(block.text, str(block))
    else:
        tomllib.loads(block.text)


@pytest.mark.parametrize("block", blocks("yaml", "yml"), ids=str)
def test_yaml_is_read(block: Block) -> None:
    assert yaml.safe_load(block.text)


@pytest.mark.parametrize(
    "block",
    [each for each in blocks("sh", "console", "bash") if each.page.name not in RUN_ELSEWHERE],
    ids=str,
)
def test_commands_are_ours_with_arguments_that_they_take(block: Block) -> None:
    for words in _commands(block):
        if words[0] == "coreml-gate":
            build_parser(words[1:]).parse_args([word for word in words[1:] if word != "--help"] or ["--help"])
        else:
            assert words[0] in MADE, words


def _commands(block: Block) -> Iterator[list[str]]:
    """The command lines of a block; in a console those after ``$``, in a script all but comments."""
    joined = block.text.replace("\\\n", " ")
    for line in joined.splitlines():
        command = line.strip().removeprefix("$ ")
        if block.language == "console" and not line.strip().startswith("$ "):
            continue
        words = shlex.split(command, comments=True)
        if words:
            yield words


def test_every_language_is_looked_at_by_a_test() -> None:
    known = {"python", "toml", "yaml", "yml", "sh", "bash", "console", "json", *READ_BY_PEOPLE}
    strange = {
        str(each): each.language for page in PAGES for each in blocks_of(page) if each.language not in known
    }
    assert strange == {}


@pytest.mark.parametrize("page", [ROOT / "docs" / name for name in RUN_ELSEWHERE], ids=lambda page: page.name)
def test_fragments_parse(page: Path) -> None:
    for block in blocks_of(page):
        if block.language == "python":
            ast.parse(block.text)
