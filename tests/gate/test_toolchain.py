"""Glob patterns, and which edits of a pyproject.toml pin something else."""

import pytest

from coreml_gate.gate.toolchain import matching, matching_above, pins_differ

PYPROJECT = (
    '[project]\nname = "shop"\nversion = "1"\ndependencies = ["torch"]\n[tool.uv]\nexclude-newer = "2026"\n'
)


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("requirements*.txt", {"requirements.txt", "requirements-dev.txt"}),
        ("**/requirements*.txt", {"requirements.txt", "requirements-dev.txt", "a/b/requirements.txt"}),
        ("a/*", {"a/b/requirements.txt", "a/c.bin"}),
        ("a/**/*.txt", {"a/b/requirements.txt"}),
        ("./a/", {"a/b/requirements.txt", "a/c.bin"}),
        ("a/?.bin", {"a/c.bin"}),
        ("c.bin", set()),
        ("a/[c].bin", set()),
    ],
)
def test_matching(pattern: str, matched: set[str]) -> None:
    paths = ["requirements.txt", "requirements-dev.txt", "a/b/requirements.txt", "a/c.bin", "ab/c.txt"]
    assert set(matching(paths, [pattern])) == matched


@pytest.mark.parametrize(
    ("before", "after", "differ"),
    [
        (PYPROJECT, PYPROJECT.replace('version = "1"', 'version = "2"'), False),
        (PYPROJECT, PYPROJECT + "[tool.ruff]\nline-length = 80\n", False),
        (PYPROJECT, PYPROJECT.replace("torch", "torch==2.4"), True),
        (PYPROJECT, PYPROJECT.replace("2026", "2025"), True),
        (PYPROJECT, PYPROJECT + '[build-system]\nrequires = ["hatchling"]\n', True),
        (PYPROJECT, PYPROJECT + '[project.optional-dependencies]\ntest = ["pytest"]\n', True),
        (PYPROJECT, PYPROJECT + '[tool.setuptools.dynamic]\ndependencies = { file = ["a.txt"] }\n', True),
        (PYPROJECT, None, True),
        (None, '[tool.ruff]\nsrc = ["a"]\n', False),
        (PYPROJECT, "[project", True),
    ],
)
def test_pins_differ(before: str | None, after: str | None, differ: bool) -> None:
    assert pins_differ(before, after) is differ


def test_a_project_shares_the_lock_files_above_it() -> None:
    files = ("../../uv.lock", "../other/uv.lock", "sub/uv.lock", "uv.lock")
    assert matching_above(files, ("uv.lock",)) == ("../../uv.lock", "uv.lock")
