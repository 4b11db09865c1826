"""`coreml-gate history` and `bisect` over Records of commits of a real repository."""

import json
from io import StringIO
from pathlib import Path

import pytest

from coreml_gate.cli import main
from coreml_gate.record import write_record
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from tests.builders import environment, memory, model_record, package, record
from tests.gate.conftest import Folder

CONFIG = '[[model]]\nname = "digits"\nsource = "net.py:build"\n'
SOUND, BROKEN = "return x.mean(-1) * 8\n", "return x.sum(-1)\n"


class Branch:
    """Commits of the base branch, each with its Record, and the command line beside them."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.out = StringIO()
        self.err = StringIO()
        self.commits: list[str] = []

    def push(self, source: str, *, size: float | None = None, torch: str = "2.13.0") -> str:
        commit = self.folder.commit(
            {"coreml-gate.toml": CONFIG, "net.py": source, ".gitignore": ".coreml-gate\n"}
        )
        self.commits.append(commit)
        if size is not None:
            model = model_record(package=package(total_bytes=round(size * 1e6)), memory=memory())
            made = record(model, commit=commit, environment=environment(torch=torch))
            write_record(made, self.folder.root / ".coreml-gate" / f"{len(self.commits)}.json")
        return commit

    def run(self, *arguments: str) -> int:
        self.out.seek(0)
        self.out.truncate()
        consoles = [Screen(file) for file in (self.out, self.err)]
        return main(arguments, Surroundings(self.folder.root, self.folder.environ, *consoles))

    @property
    def records(self) -> list[str]:
        files = sorted((self.folder.root / ".coreml-gate").glob("*.json"), key=lambda file: int(file.stem))
        return [part for file in files for part in ("--add", str(file))]


@pytest.fixture
def branch(folder: Folder) -> Branch:
    return Branch(folder)


def test_records_become_a_history_that_is_printed_and_kept(branch: Branch, tmp_path: Path) -> None:
    for at in range(8):
        branch.push(SOUND + "\n" * at, size=4.0 if at < 5 else 4.4, torch="2.9.0" if at < 2 else "2.13.0")
    branch.folder.git("tag", "v1", branch.commits[1])
    assert branch.run("history", *branch.records, "--release", "v1", "--to", "history.json") == 0
    said = branch.out.getvalue()
    assert f"8 commits, {branch.commits[0][:7]} to {branch.commits[7][:7]}" in said
    assert "  Size           ▁▁▁▁▁███                  4.00 MB to 4.40 MB" in said
    assert f"    step at {branch.commits[5][:7]}: 4.00 MB to 4.40 MB" in said
    assert "    since release v1: 4.00 MB to 4.40 MB" in said
    assert f"\ntoolchain at {branch.commits[2][:7]}: torch 2.9.0 to 2.13.0" in said
    assert max(map(len, said.splitlines())) <= 80
    kept = json.loads((branch.folder.root / "history.json").read_text(encoding="utf-8"))
    assert [each["commit"] for each in kept["entries"]] == branch.commits
    assert kept["entries"][7]["models"]["digits"]["size"] == 4.4e6

    assert branch.run("history", "--history", "history.json", "--model", "digits") == 0
    assert branch.out.getvalue() == said
    assert branch.run("history", "--history", "history.json", "--model", "none") == 0
    assert "The history holds no model `none`." in branch.out.getvalue()


def test_without_a_history_the_way_out_is_named(branch: Branch) -> None:
    branch.push(SOUND)
    assert branch.run("history") == 10
    assert "there is no history" in branch.err.getvalue()


def test_bisect_finds_the_commit_and_says_what_is_not_known(branch: Branch) -> None:
    for at in range(8):
        branch.push(SOUND + "\n" * at, size=None if at in {3, 4} else 4.0 if at < 5 else 4.4)
    assert branch.run("bisect", "digits", "size", *branch.records) == 1
    said = branch.out.getvalue()
    assert f"{branch.commits[5][:7]}, or one of the 2 commits before it without a Record, changed it" in said
    assert f"{branch.commits[2][:7]} is still good. Size of digits: 4.00 MB to 4.40 MB." in said
    assert branch.run("bisect", "digits", "size", *branch.records, "--good", branch.commits[5]) == 2
    assert "both are on one side" in branch.err.getvalue()
    assert branch.run("bisect", "digits", "speed", *branch.records) == 2
    assert "name one of `size`, `memory`, `compute`, `parity`, `fp16-psnr`" in branch.err.getvalue()


@pytest.mark.usefixtures("recorded")
def test_bisect_measures_what_has_no_record_and_keeps_it(branch: Branch) -> None:
    for at in range(9):
        branch.push((SOUND if at < 6 else BROKEN) + "\n" * at)
    ends = ["--good", branch.commits[0], "--bad", branch.commits[8]]
    first = branch.commits[0]
    write_record(record(commit=first), branch.folder.root / ".coreml-gate" / "0.json")
    arguments = ["bisect", "digits", "fp16-psnr", "--add", ".coreml-gate/0.json", *ends]
    assert branch.run(*arguments, "--measure") == 0
    assert (
        branch.out.getvalue() == f"{branch.commits[6]} changed it. FP16 PSNR of digits: 55.0 dB to 2.6 dB.\n"
    )
    kept = {each.name for each in (branch.folder.root / ".coreml-gate" / "commits").iterdir()}
    assert {branch.commits[5], branch.commits[6], branch.commits[8]} <= kept
    assert len(kept) <= 5
    assert branch.run(*arguments) == 0
