"""The image without an engine: what its Dockerfile names exists, and it is pinned and harmless."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions(name: str) -> list[str]:
    return [line.removeprefix(name).strip() for line in LINES if line.startswith(f"{name} ")]


def copied() -> list[str]:
    from_here = [line.split() for line in instructions("COPY") if "--from=" not in line]
    return [source for *sources, _ in from_here for source in sources]


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_exists_and_reaches_the_builder(source: str) -> None:
    assert (ROOT / source).exists()
    assert IGNORED[1] == "*"
    assert f"!{source}" in IGNORED


def test_the_base_is_pinned_by_digest_and_has_a_python_that_we_support() -> None:
    (base,) = [line for line in instructions("ARG") if line.startswith("BASE=")]
    found = re.fullmatch(r"BASE=python:(\d+\.\d+\.\d+)-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert found is not None
    assert found[1] in SpecifierSet(PROJECT["requires-python"])
    assert {line.split()[0] for line in instructions("FROM")} == {"${BASE}"}


def test_it_does_not_run_as_root() -> None:
    (user,) = instructions("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)


def test_its_entry_point_is_the_command_line() -> None:
    assert instructions("ENTRYPOINT") == [f'["{next(iter(PROJECT["scripts"]))}"]']
