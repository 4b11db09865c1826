"""The examples for other CIs: valid for their schema, and every command in them is one that we have."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from coreml_gate.cli import build_parser

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "ci"
PAGE = (ROOT / "docs" / "other-ci.md").read_text(encoding="utf-8")
FILES = sorted(EXAMPLES.iterdir())
COMMAND = re.compile(r"coreml-gate(?::1)? ((?:run|report|judge) [^'\n#]*)")


@pytest.mark.parametrize("path", [*FILES, ROOT / "docs" / "other-ci.md"], ids=lambda path: path.name)
def test_every_command_is_one_of_ours(path: Path) -> None:
    commands = COMMAND.findall(path.read_text(encoding="utf-8"))
    assert commands
    for command in commands:
        arguments = shlex.split(command.partition("`")[0])
        build_parser(arguments).parse_args(arguments)


@pytest.mark.parametrize(
    ("schema", "name", "transform"),
    [
        ("vendor.gitlab-ci", "gitlab-ci.yml", ("--data-transform", "gitlab-ci")),
        ("vendor.buildkite", "buildkite.yml", ()),
    ],
)
def test_it_follows_the_schema(schema: str, name: str, transform: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *transform]
    done = subprocess.run([*command, EXAMPLES / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_gitlab_keeps_the_reports_of_a_failed_job() -> None:
    job = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text(encoding="utf-8"))["coreml-gate"]
    (render,) = job["after_script"]
    assert render.endswith(job["artifacts"]["reports"]["junit"])
    assert job["artifacts"]["when"] == "always"
    assert job["variables"]["GIT_DEPTH"] == "0"


def test_the_page_names_every_example() -> None:
    assert all(f"/examples/ci/{path.name})" in PAGE for path in FILES)
